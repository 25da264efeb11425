"""The `aws` key of invoke's configuration, read once into frozen, checked values."""
