"""Where sessions are kept for the next run."""
