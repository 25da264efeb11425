"""The tasks: the command line, and nothing else. Each imports what it runs when it runs."""
