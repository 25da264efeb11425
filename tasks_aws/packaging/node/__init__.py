"""Node.js dependencies: what the lock of a project declares, as one tree without links."""
