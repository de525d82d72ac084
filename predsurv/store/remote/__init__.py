"""Object stores: upload journal, download, and the client."""
