"""Credentials that renew themselves in child processes, as long as invoke runs."""
