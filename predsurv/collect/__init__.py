"""The collector: records chosen markets for months on end, and accounts for every second in which it could not."""
