"""Lambda functions: what the settings mean to the API, what would change, and changing it."""
