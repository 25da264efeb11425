"""What users see and are asked: event lines, tables, progress and prompts."""
