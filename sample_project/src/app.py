"""A small Lambda function with a dependency."""

import os
from typing import Any

import humanize


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Greet the name in the event, and return the size of the function's memory."""
    memory = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024 * 1024
    return {
        "greeting": f"Hello, {event.get('name', 'world')}!",
        "memory": humanize.naturalsize(memory, binary=True),
    }
