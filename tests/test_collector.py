"""What is kept out of Python's search for garbage does not grow with the work that is done."""

from __future__ import annotations

import gc

from tasks_aws.collector import without_collector


def test_only_what_the_first_work_has_loaded_is_spared() -> None:
    with without_collector(spare=True):
        pass
    spared = gc.get_freeze_count()
    assert spared

    with without_collector(spare=True):
        assert not gc.isenabled()
        loops: list[list[object]] = [[] for _ in range(1000)]
        for each in loops:
            each.append(each)

    assert gc.isenabled()
    assert gc.get_freeze_count() <= spared
