"""The command line: running the server, and looking at what it does."""
