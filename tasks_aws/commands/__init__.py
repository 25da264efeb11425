"""What the tasks do: each command combines credentials, packages and functions."""
