"""What is kept out of Python's search for garbage does not grow with the work that is done."""

from __future__ import annotations

import gc

from tasks_aws.process.garbage_collection import paused_collection


def test_only_what_the_first_work_has_loaded_is_spared() -> None:
    with paused_collection(freeze=True):
        pass
    spared = gc.get_freeze_count()
    assert spared

    with paused_collection(freeze=True):
        assert not gc.isenabled()
        loops: list[list[object]] = [[] for _ in range(1000)]
        for each in loops:
            each.append(each)

    assert gc.isenabled()
    assert gc.get_freeze_count() <= spared
