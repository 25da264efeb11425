from typing import Any


def read(parameters: Any, place: Any, function: Any) -> Any:
    return None


def steps(parameters: Any, found: Any, *, prune: bool) -> Any:
    return iter(())
