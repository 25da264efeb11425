"""Shards are disjoint, their union is the whole, and a new function moves no other."""

from __future__ import annotations

from typing import Any

import pytest

from tasks_aws.config.functions import Function
from tasks_aws.config.shards import WHOLE, Shard, parse_shard
from tasks_aws.errors import SettingsError


def functions(*names: str) -> list[Function]:
    return [Function(name=each, key=f"aws.functions.{each}", parameters={}) for each in names]


def names(shard: Shard, found: list[Function]) -> list[str]:
    return [each.name for each in shard.pick(found)]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 50])
def test_every_function_is_in_one_shard(count: int) -> None:
    every = functions(*(f"function-{number}" for number in range(1000)))

    shards = [names(Shard(index + 1, count), every) for index in range(count)]

    assert sorted(name for each in shards for name in each) == sorted(each.name for each in every)
    assert max(map(len, shards)) < 1000 / count * 1.3 + 15


def test_a_new_function_moves_no_other() -> None:
    before = functions("one", "two", "three", "four")
    after = functions("new", "four", "three", "newer", "two", "one")
    for index in (1, 2, 3):
        shard = Shard(index, 3)
        assert {*names(shard, before)} <= {*names(shard, after)}


def test_the_shard_of_a_name_is_the_same_on_every_machine_and_in_every_release() -> None:
    shards = [Shard(index, 8) for index in range(1, 9)]

    found = {
        each: [shard.index for shard in shards if names(shard, functions(each))] for each in "abü"
    }

    assert found == {"a": [4], "b": [6], "ü": [8]}


def test_the_first_shard_has_all_layers_and_publishes_them() -> None:
    (one,) = functions("one")
    layers = functions("common")

    assert Shard(1, 4).pick_layers(layers, [one]) == layers
    assert Shard(2, 4).pick_layers(layers, [one]) == []
    assert (Shard(1, 4).publisher, WHOLE.publisher) == (None, None)
    assert str(Shard(2, 4).publisher) == "1/4"


@pytest.mark.parametrize(
    "value",
    ["0/4", "5/4", "x", "", "/", "1", "1/0", "-1/4", "1/4/2", "/4", "1/", "\u0661/4", "1.0/4", 4],
)
def test_what_is_no_shard_is_an_error(value: Any) -> None:
    with pytest.raises(SettingsError, match="`--shard` must be a shard such as 1/4, up to 4/4"):
        parse_shard(value, "--shard")
