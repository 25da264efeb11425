"""Work that is killed leaves nothing that looks finished and is not, and nothing that blocks.

Temporary files may be left, by SIGKILL and by any other signal; the next run removes them.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import EmbeddedAws
from tests.faults.scenarios import DEPLOYS, Assuming, Deploying, write_config
from tests.faults.works import Caching, LocalAws, Packaging, Uploading, Work
from tests.proxy import Proxy
from tests.support import Project
from tests.warm import Ended, Warm

SEED = 20261125
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BOUND_SECONDS = 60


@dataclass
class Killing:
    """Work that is killed at moments of which half are times, and half changes to files."""

    name: str
    work: Work
    warm: Warm
    changes: Path  # where the changes of an undisturbed run are noted
    first: int = 0  # among the signals
    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def kill(self, moments: int) -> None:
        """Kill it so many times."""
        chosen = random.Random(f"{SEED} {self.name}")
        for _ in range(2):  # the second is as all that follow
            self.work.prepare()
            self.changes.unlink(missing_ok=True)
            ended = self._run(changes=str(self.changes))
            assert ended.code == 0, ended.err
            self.work.learn()
        count = len(self.changes.read_text().splitlines())
        for number in range(moments):
            killer = SIGNALS[(number + self.first) % len(SIGNALS)]
            if (number + number // len(SIGNALS)) % 2:
                self._kill_after(killer, chosen.uniform(0.02, 1.1 * ended.seconds))
            else:
                self._kill_before(killer, chosen.randrange(count), count)

    def _kill_after(self, killer: signal.Signals, seconds: float) -> None:
        self.work.prepare()
        running = self.warm.start(self.work.words, self.work.project.folder, self._environ)
        if not running.ends_within(seconds):
            running.kill(killer)
        self._check(f"{killer.name} after {seconds:.3f} s", killer, running.wait(BOUND_SECONDS))

    def _kill_before(self, killer: signal.Signals, number: int, count: int) -> None:
        self.work.prepare()
        ended = self._run(strike=(killer, number))
        self._check(f"{killer.name} before change {number} of {count}", killer, ended)

    def _check(self, moment: str, killer: signal.Signals, ended: Ended) -> None:
        problems = [*self.work.broken()]
        # What Python makes of SIGINT, invoke's own end after it, or ours.
        allowed = (0, -killer, 128 + killer, *((1,) if killer == signal.SIGINT else ()))
        if ended.code not in allowed:
            problems.append(f"exit code {ended.code}")
        left = self.work.left()
        self.ends["had ended" if ended.code == 0 else "killed at work"] += 1
        self.ends["left something"] += bool(left)
        again = self._run()
        if again.code:
            problems.append(f"the next run fails:\n{again.err}")
        else:
            problems += [f"after the next run: {each}" for each in self.work.broken()]
            problems += self.work.missing()
        if left := self.work.left():
            problems.append(f"after the next run there is still {left}")
        if problems:
            self.problems.append("\n".join([f"-- {self.name}, {moment}", *problems, ended.err]))

    @property
    def _environ(self) -> dict[str, str]:
        return self.work.project.environ

    def _run(self, **options: object) -> Ended:
        folder = self.work.project.folder
        running = self.warm.start(self.work.words, folder, self._environ, **options)
        return running.wait(BOUND_SECONDS)


@pytest.fixture
def killing(
    name: str,
    project: Project,
    warm: Warm,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Iterator[Killing]:
    """Work of that name; at the end it is told what did not stay whole."""
    made = Killing(name, _work(name, project, request), warm, tmp_path / "changes")
    yield made
    counts = ", ".join(f"{count} {what}" for what, count in sorted(made.ends.items()))
    moments = made.ends["had ended"] + made.ends["killed at work"]
    record_property("figures", f"kill    {name:<24} {moments:3} moments (seed {SEED}): {counts}")
    assert not made.problems, "\n".join(made.problems)


def _work(name: str, project: Project, request: pytest.FixtureRequest) -> Work:
    if name == "local":
        return LocalAws(project)
    if name == "cache write":
        request.getfixturevalue("user")
        return Caching(Assuming(project, request.getfixturevalue("sts")))
    if name == "upload":
        aws: EmbeddedAws = request.getfixturevalue("quick_aws")
        proxy: Proxy = request.getfixturevalue("slow_aws")
        write_config(project, aws)
        project.environ["AWS_ENDPOINT_URL"] = proxy.url
        return Uploading(Deploying(DEPLOYS[2], project, aws))
    return Packaging(project, ("build" if name == "build" else "package",))


@pytest.fixture
def slow_aws(quick_aws: EmbeddedAws) -> Iterator[Proxy]:
    """A proxy that takes its time, so that most moments are in the midst of an upload."""
    with Proxy(quick_aws.endpoint, delay=0.03) as proxy:
        yield proxy


WORKS = ["build", "zip", "upload", "cache write"]


@pytest.mark.parametrize("name", WORKS)
def test_it_is_killed_at_some_moments(killing: Killing) -> None:
    killing.first = WORKS.index(killing.name)
    killing.kill(moments=2)


@pytest.mark.long
@pytest.mark.parametrize("name", WORKS)
def test_it_is_killed_at_many_moments(killing: Killing) -> None:
    killing.kill(moments=50)


@pytest.mark.long
@pytest.mark.parametrize("name", ["local"])
def test_no_aws_of_ones_own_is_left(killing: Killing) -> None:
    killing.kill(moments=50)
