"""Comparisons: ours beside a rival, and beside what the machine itself can do, in one run."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# What is measured, in the unit of its comparison.
Run = Callable[[], float]


@dataclass(frozen=True, eq=False)
class Command:
    """A run of a command line, in milliseconds, and what has to be done before each."""

    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str] | None = None
    before: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        self.before()
        start = time.perf_counter()
        subprocess.run(
            self.words, cwd=self.folder, env=self.environ, check=True, capture_output=True
        )
        return (time.perf_counter() - start) * 1000


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Ours and a rival; the median of their ratios is to be no more than the goal."""

    name: str
    goal: float | None  # None: it is told, not judged
    ours: Run
    rival: Run
    limit: Run | None = None  # the same work as far as the hardware has a part in it
    unit: str = "ms"
    needs: Sequence[str] = field(default=())  # the programs without which there is no rival

    @property
    def missing(self) -> list[str]:
        """Return the programs that are not installed."""
        return [program for program in self.needs if not shutil.which(program)]


HEADING = (
    f"{'':<44} {'ratio':>6} {'goal':>5}  {'min - max':<13} {'ours':>8} {'rival':>8}  {'x limit':>7}"
)


def measure(group: Sequence[Comparison], rounds: int) -> Iterator[str]:
    """Yield a line per comparison.

    Each round makes every run of the group once and in turn, so that a machine that slows down
    slows all of them down, and a rival of several comparisons runs once; every other round goes
    backwards, since a registry may slow down for each download. The first round only warms up.
    A rival that is not installed is said to be missing; it is never a pass.
    """
    for each in group:
        if each.missing:
            yield f"{each.name:<44} not measured, for want of {', '.join(each.missing)}"
    group = [each for each in group if not each.missing]
    runs = dict.fromkeys(
        run for each in group for run in (each.rival, each.ours, each.limit) if run is not None
    )
    orders = (list(runs), list(runs)[::-1])
    results = [{run: run() for run in orders[index % 2]} for index in range(rounds + 1)][1:]
    for each in group:
        yield _line(each, results)


def _line(comparison: Comparison, results: Sequence[Mapping[Run, float]]) -> str:
    ours, rival = comparison.ours, comparison.rival
    ratios = sorted(result[ours] / result[rival] for result in results)
    ratio, goal, limit = statistics.median(ratios), comparison.goal, comparison.limit
    medians = [statistics.median(result[run] for result in results) for run in (ours, rival)]
    apart = statistics.median(result[ours] / result[limit] for result in results) if limit else None
    return (
        f"{comparison.name:<44} {ratio:>6.3f} {'' if goal is None else format(goal, '.2f'):>5}  "
        f"{f'{ratios[0]:.3f} - {ratios[-1]:.3f}':<13} {medians[0]:>8.1f} {medians[1]:>8.1f} "
        f"{comparison.unit:<3} {'' if apart is None else format(apart, '.1f'):>5}"
        f"{'' if goal is None or ratio <= goal else '  missed'}"
    )
