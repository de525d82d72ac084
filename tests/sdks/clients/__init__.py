"""One module for each client; it runs in an environment of its own, where nothing of predsurv is installed."""
