"""Functions of which a test knows the shard."""

from __future__ import annotations

from itertools import count

from tasks_aws.config.functions import Function
from tasks_aws.config.shards import Shard


def name_in(shard: str, prefix: str = "f") -> str:
    """Return the name of a function that is in a shard such as ``2/3``."""
    wanted = Shard(*map(int, shard.split("/")))
    for number in count():
        name = f"{prefix}{number}"
        if wanted.pick([Function(name=name, key="", parameters={})]):
            return name
    raise AssertionError
