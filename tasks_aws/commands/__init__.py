"""What the tasks do: each command joins credentials, packages and functions."""
