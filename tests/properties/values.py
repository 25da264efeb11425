"""Values as YAML may give them, and texts that are meant to do harm."""

from __future__ import annotations

import datetime
from typing import Any

from hypothesis import strategies as st

# What parsers, file systems, shells and terminals stumble over.
ODD = [
    *("", " ", "\n", "\0", "\x1b[2J", "..", "../..", "../outside", "a/../../b", "\\", "C:\\"),
    *("~", "~root", "-", "--", "%s", "{}", "{0.__class__}", "null", "true", "\u00b2", "\uff11"),
    *("1e9", "0x10", "-1", "NaN", "u\u0308", "ü", "ß", "\u202e", "\ufeff", "\ud800", "💥"),
    *("a" * 300, "a" * 5000, "9" * 5000, "*" * 50, "[" * 5000, "src", "src/app.py", "f", "l", "t"),
    *("arn:aws:iam::123456789012:role/x", "arn:::::", "python3.13", "python3.x", "nodejs22.x"),
    *("10% for 5m", "99% for 9999999999h", "none", "${", "}", "$${", "${}", "${env:", "${ENV}"),
    *("${env:HOME}", "${env:NOTHING}", "${env:A:-${env:B}}", "${target}", "${git:sha}"),
    *("${region}", "${ssm:/x}", "${secret:x#y}", "${cfn:A.b}"),
]

# But for the folders above: to package the whole disk would be no mistake to find.
words = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=30),
    st.lists(st.sampled_from(ODD), max_size=3).map("".join),
).filter(lambda text: bool(text.strip("/")) or not text)

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-1, 20),
    st.sampled_from([10**400, -(2**63), 123456789012]),
    st.floats(),
    words,
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(datetime.timezone.utc)),
    st.binary(max_size=10),
)
_keys = st.one_of(words, st.integers(), st.booleans(), st.none(), st.floats(), st.dates())


def circle() -> list[Any]:
    """What YAML makes of ``&a [*a]``."""
    circle: list[Any] = []
    circle.append(circle)
    return circle


anything: st.SearchStrategy[Any] = st.one_of(
    st.recursive(
        _scalars,
        lambda inside: st.one_of(
            st.lists(inside, max_size=4),
            st.dictionaries(_keys, inside, max_size=4),
            st.sets(words, max_size=3),
        ),
        max_leaves=10,
    ),
    st.builds(circle),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(words, inside, max_size=4),
    max_leaves=10,
)


def like(shape: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Return values of which most are what a shape of botocore's model asks for."""
    kind = shape.type_name
    found: st.SearchStrategy[Any] = {
        "integer": st.integers(-1, 4000),
        "long": st.integers(-1, 4000),
        "float": st.floats(),
        "double": st.floats(),
        "boolean": st.booleans(),
    }.get(kind, words)
    if kind == "string" and shape.enum:
        found = st.sampled_from(shape.enum)
    elif depth == 0:
        return anything
    elif kind == "structure":
        members = {name: like(member, depth - 1) for name, member in shape.members.items()}
        required = {name: members[name] for name in shape.required_members}
        optional = {name: each for name, each in members.items() if name not in required}
        found = st.fixed_dictionaries(required, optional=optional)
    elif kind == "map":
        found = st.dictionaries(words, like(shape.value, depth - 1), max_size=3)
    elif kind == "list":
        found = st.lists(like(shape.member, depth - 1), max_size=3)
    return st.one_of(found, found, found, anything)
