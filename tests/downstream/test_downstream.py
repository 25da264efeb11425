"""What docs/reference/downstream.md says of other tools holds for those that are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.downstream.lab import ROLE, SURROUNDINGS, WAYS, WRONG, cells, hindrance
from tests.downstream.matrix import LEGEND, cells_of, install, written
from tests.downstream.tools import TOOLS, Tool

Row = dict[tuple[str, str], str]


def documented() -> dict[str, Row]:
    """Return the cells of each tool, by surrounding and way."""
    columns = [(surrounding, way) for surrounding in SURROUNDINGS for way in WAYS]
    rows = {name: cells_of(row)[3:-1] for name, row in written().items()}
    return {name: dict(zip(columns, row, strict=True)) for name, row in rows.items()}


def check(surrounding: str, tools: Sequence[Tool], folder: Path) -> None:
    """Check that each tool is who it was, or has the role by now."""
    if reason := hindrance():
        pytest.skip(reason)
    found = cells(surrounding, tools, folder)
    others = {
        (tool.name, way): cell
        for tool in tools
        for way, cell in found[tool.name].items()
        if cell not in (ROLE, documented()[tool.name][surrounding, way])
    }
    assert others == {}


def test_no_tool_of_the_page_is_somebody_else() -> None:
    rows = documented()

    assert [*rows] == [tool.name for tool in TOOLS]
    assert {cell for row in rows.values() for cell in row.values()} <= {*LEGEND}
    assert WRONG not in LEGEND


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_sdks_and_tools_are_who_the_page_says(surrounding: str, tmp_path: Path) -> None:
    check(surrounding, [each for each in TOOLS if not each.slow and each.installed()], tmp_path)


@pytest.mark.registry
@pytest.mark.parametrize("folder", sorted({tool.folder.name for tool in TOOLS}))
def test_tools_of_the_registries_are_who_the_page_says(folder: str, tmp_path: Path) -> None:
    tools = [tool for tool in TOOLS if tool.folder.name == folder]
    install(tools)
    if not all(tool.installed() for tool in tools):
        pytest.skip("not to be had here")

    for surrounding in SURROUNDINGS:
        check(surrounding, tools, tmp_path)
