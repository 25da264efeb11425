"""Which parts of an archive a handler uses, and why the others are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from .parts import Part


class Use(NamedTuple):
    """How a handler uses a part, as far as imports tell."""

    text: str
    roots: tuple[str, ...] = ()  # of one that is not imported: the parts that it is there for


def find_uses(
    parts: Iterable[Part], files: Iterable[str], packages: Iterable[str]
) -> Mapping[Part, Use]:
    """Return how a handler uses each part; `files` and `packages` are what it imports."""
    known = _Parts(parts)
    reached, imported = {*files}, {*packages}
    uses = {
        each: Use("imported")
        for each in known.all
        if imported & each.modules or any(file.name in reached for file in each.files)
    }
    needed = list(uses)
    for user in needed:  # which grows
        new = [part for part in known.find(user.requires) if part not in uses]
        uses.update(dict.fromkeys(new, Use(f"required by {user.name}")))
        needed += new
    idle = {each for each in known.all if each not in uses}
    for user in needed:
        for part in known.find(user.optional):
            uses.setdefault(part, Use(f"optional for {user.name}"))
    for part, names in _find_roots(known, idle, idle & uses.keys()).items():
        first, *others = sorted(names)
        more = f" and {len(others)} more" if others else ""
        uses[part] = Use(f"not imported, required by {first}{more}", (first, *others))
    return {each: uses.get(each, Use("not imported")) for each in known.all}


class _Parts:
    def __init__(self, parts: Iterable[Part]) -> None:
        self.all = list(parts)
        self._by_name: defaultdict[str, list[Part]] = defaultdict(list)
        for each in self.all:
            self._by_name[each.name].append(each)

    def find(self, names: Iterable[str]) -> Iterator[Part]:
        return (part for name in sorted(names) for part in self._by_name[name])


def _find_roots(
    known: _Parts, idle: Set[Part], optional: Set[Part]
) -> Mapping[Part, Iterable[str]]:
    """Return, for each part that is only required by idle ones, those that nothing requires."""
    required = {part for each in idle for part in known.find(each.requires) if part is not each}
    roots = (idle - required) | optional
    others = idle - roots
    found: defaultdict[Part, set[str]] = defaultdict(set)
    for root in roots:
        waiting = [root]
        for user in waiting:  # which grows
            new = [part for part in known.find(user.requires) if part in others]
            waiting += [part for part in new if root.name not in found[part]]
            for part in new:
                found[part].add(root.name)
    return found
