"""The picture of the README: what takes how long, beside what people used before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measure import Result

_OURS, _RIVAL, _TEXT = "#2a6f97", "#dddddd", "#222222"


def plot(results: Sequence[Result], path: Path) -> None:
    """Draw the comparisons that have a caption: the rival's bar is behind ours, as long as all."""
    from matplotlib import pyplot  # only the extra `bench` has it

    shown = [(each, each.comparison.caption) for each in results if each.comparison.caption]
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": path.name})
    figure, axes = pyplot.subplots(figsize=(9, 0.4 + 0.42 * len(shown)), layout="constrained")
    rows = range(len(shown))
    axes.barh(rows, [1] * len(shown), color=_RIVAL, height=0.7)
    axes.barh(rows, [each.ours / each.rival for each, _ in shown], color=_OURS, height=0.7)
    for row, (each, caption) in enumerate(shown):
        ours, rival = each.ours / 1000, each.rival / 1000
        axes.text(ours / rival + 0.01, row, f"{ours:.2g} s", va="center", color=_TEXT)
        axes.text(1.01, row, f"{rival:.2g} s  {caption[1]}", va="center", color=_TEXT)
    axes.set_yticks(rows, [caption[0] for _, caption in shown])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
