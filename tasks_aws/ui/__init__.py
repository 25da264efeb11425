"""What users see and are asked: lines on stderr, tables, progress bars and prompts."""
