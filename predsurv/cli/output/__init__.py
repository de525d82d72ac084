"""Every table, panel and progress line that the command line prints."""
