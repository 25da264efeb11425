"""What AWS is called with: botocore's models and TLS connections, and plain HTTP requests."""
