"""Comparisons: ours beside a rival, and beside what the machine itself can do, in one run."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(__file__).parents[2] / "build" / "bench"
# Ours has an environment of its own, as the rivals have: what the tests need, such as awscrt, would
# be imported by botocore.
PYTHON = str(CACHE / "ours" / "bin" / "python")
INVOKE = (PYTHON, "-m", "invoke")

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
    caption: tuple[str, str] | None = None  # in the picture: the work, and what the rival is
    once: bool = False  # it takes minutes: one round, without one that warms up

    @property
    def missing(self) -> list[str]:
        """Return the programs that are not installed."""
        return [program for program in self.needs if not shutil.which(program)]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What several rounds of a comparison gave."""

    comparison: Comparison
    ratios: Sequence[float]  # of ours to the rival's, one a round
    ours: float  # the median, in the unit of the comparison
    rival: float
    limit: float | None

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def missed(self) -> bool:
        return self.comparison.goal is not None and self.ratio > self.comparison.goal

    def __str__(self) -> str:
        name, goal, unit = self.comparison.name, self.comparison.goal, self.comparison.unit
        spread = f"{min(self.ratios):.3f} - {max(self.ratios):.3f}"
        apart = "" if self.limit is None else format(self.ours / self.limit, ".1f")
        return (
            f"{name:<46} {self.ratio:>6.3f} {'' if goal is None else format(goal, '.2f'):>5}  "
            f"{spread:<13} {self.ours:>8.1f} {self.rival:>8.1f} {unit:<3} {apart:>5}"
            f"{'  missed' if self.missed else ''}"
        )


def format_goals(outcomes: Sequence[Result | tuple[Comparison, str]]) -> str:
    """Return a table of Markdown: was each goal met, or what else has become of it?"""
    rows = [("ours / the rival's", "ratio", "goal", ""), ("---", "---:", "---:", "---")]
    for each in outcomes:
        if isinstance(each, Result):
            comparison, ratio = each.comparison, format(each.ratio, ".3f")
            verdict = "missed" if each.missed else "met"
        else:
            comparison, verdict = each
            ratio = ""
        if comparison.goal is not None:
            rows.append((comparison.name, ratio, format(comparison.goal, ".2f"), verdict))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


HEADING = (
    f"{'':<46} {'ratio':>6} {'goal':>5}  {'min - max':<13} {'ours':>8} {'rival':>8}  {'x limit':>7}"
)


def measure(group: Sequence[Comparison], rounds: int) -> list[Result]:
    """Make the comparisons of a group, in several rounds.

    Each round makes every run of the group once and in turn, so that a machine that slows down
    slows all of them down, and a rival of several comparisons runs once; every other round goes
    backwards, since a registry may slow down for each download. The first round only warms up.
    """
    warm_up = 1
    if any(each.once for each in group):
        rounds, warm_up = 1, 0
    runs = dict.fromkeys(
        run for each in group for run in (each.ours, each.rival, each.limit) if run is not None
    )
    orders = (list(runs), list(runs)[::-1])
    results = [{run: run() for run in orders[index % 2]} for index in range(warm_up + rounds)]
    del results[:warm_up]

    def median(run: Run) -> float:
        return statistics.median(result[run] for result in results)

    return [
        Result(
            comparison=each,
            ratios=[result[each.ours] / result[each.rival] for result in results],
            ours=median(each.ours),
            rival=median(each.rival),
            limit=median(each.limit) if each.limit else None,
        )
        for each in group
    ]
