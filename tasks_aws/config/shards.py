"""Shards: the parts of a project's functions that several machines package or deploy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import SettingsError
from .functions import Function, Layer

_Named = TypeVar("_Named", bound=Layer)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts.

    A function is in the shard that its name hashes to, on every machine and for every target, so a
    new function moves no other.
    """

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def pick(self, functions: Iterable[_Named]) -> list[_Named]:
        """Return the functions that are in this shard."""
        return [each for each in functions if self._holds(each.name)]

    def pick_layers(self, layers: Iterable[Layer], functions: Sequence[Function]) -> list[Layer]:
        """Return the layers of its functions; the first shard has all, and publishes them."""
        used = {name for each in functions for name in each.layer_names}
        return [each for each in layers if self.publisher is None or each.name in used]

    @property
    def publisher(self) -> Shard | None:
        """Return the shard that publishes the layers, unless it is this one.

        It is the first one, which CI systems start first: shards that run one after the other, or
        a few at a time, do not wait for one that waits for them.
        """
        return None if self.index == 1 else Shard(1, self.count)

    def _holds(self, name: str) -> bool:
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest, "big") % self.count == self.index - 1


WHOLE = Shard()


def parse_shard(value: Any, key: str) -> Shard:
    """Return a shard that is written as ``2/8``. Raises `SettingsError`.

    >>> str(parse_shard("2/8", "--shard"))
    '2/8'
    """
    match = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", str(value).strip(), re.ASCII)
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or shard.index > shard.count:
        raise SettingsError(
            f"`{key}` must be a shard such as 1/4, up to 4/4, got {value!r}.",
            fix="Write which shard it is, and of how many. The first one is 1.",
        )
    return shard
