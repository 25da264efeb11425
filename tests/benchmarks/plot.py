"""The comparisons as a picture: a bar for each, as long as we take beside the rival."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS, _RANGE, _LIMIT, _GOAL, _MISSED = "#2a6f97", "#013a63", "#7fb069", "#e07a1f", "#c1121f"


def plot(results: Sequence[Result], machine: str, path: Path) -> None:
    """Draw the ratios; the rival is 1."""
    from matplotlib import pyplot  # only the extra `bench` has it

    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": path.name})
    figure, axes = pyplot.subplots(figsize=(10, 1.2 + 0.3 * len(results)), layout="constrained")
    rows = range(len(results))
    ratios = [each.ratio for each in results]
    colors = [_MISSED if each.missed else _OURS for each in results]
    axes.barh(rows, ratios, color=colors, height=0.6)
    lows = [each.ratio - min(each.ratios) for each in results]
    highs = [max(each.ratios) - each.ratio for each in results]
    axes.errorbar(ratios, rows, xerr=(lows, highs), fmt="none", ecolor=_RANGE, elinewidth=1)
    goals = [(each.comparison.goal, row) for row, each in enumerate(results)]
    _marks(axes, goals, "|", _GOAL, "goal")
    limits = [(each.limit and each.limit / each.rival, row) for row, each in enumerate(results)]
    _marks(axes, limits, "D", _LIMIT, "what the machine itself needs")
    axes.axvline(1, color="black", linewidth=1, label="the rival")
    axes.set_xlim(0, 1.3)
    names = [f"{each.comparison.name}   {each.ratio:.3f}" for each in results]
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel(f"ours / rival, median and range; {machine}")
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _marks(
    axes: Axes, points: Sequence[tuple[float | None, int]], marker: str, color: str, label: str
) -> None:
    at = [(where, row) for where, row in points if where]
    ratios, rows = [where for where, _ in at], [row for _, row in at]
    axes.scatter(ratios, rows, marker=marker, color=color, s=60, label=label, zorder=3)
