"""From a function's sources and dependencies to a reproducible archive; AWS is not needed."""
