"""What texts may show, and how terminals show them."""
