"""What is changed in this process and its files: locks, temporary folders, bytecode, collector."""
