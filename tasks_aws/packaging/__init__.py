"""From sources and dependencies to a reproducible archive, without AWS."""
