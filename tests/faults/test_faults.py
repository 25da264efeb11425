"""Every call to AWS fails in every way, and a command still ends well.

That is: it ends, with success or with one clear message; what the alias leads to is all as before
or all as wished; and the same command, run again, brings about what was wished. Which calls there
are is not written down anywhere: a run in which nothing fails tells.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType
from typing import Any

import pytest

from tests.conftest import EmbeddedAws
from tests.faults.faults import FAULTS, TIMEOUT_SECONDS, Call, FaultyAws
from tests.faults.scenarios import DEPLOYS, Assuming, Deploying, Scenario
from tests.proxy import Handler
from tests.strict_sts import StrictSts
from tests.support import Project
from tests.warm import Ended, Warm

PARTS = 4  # of a matrix, which run side by side
BOUND_SECONDS = 60
BROKEN_BOUND_SECONDS = 240  # where a call fails for ever, and ten tries are made


@dataclass
class Matrix:
    """A command whose calls fail; `problems` say where it did not end well."""

    scenario: Scenario
    project: Project
    proxy: FaultyAws
    warm: Warm
    always_again: bool = True  # else after a failure only
    calls: list[Call] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def learn(self) -> None:
        """Run the command with no fault, until it makes the same calls as the time before."""
        before: list[Call] = []
        while not before or set(before) != set(self.calls):
            assert time.monotonic() < self.began + BOUND_SECONDS, set(before) ^ set(self.calls)
            before = self.calls
            self.scenario.prepare()
            with self.proxy.recording() as self.calls:
                ended = self._run(BOUND_SECONDS)
            assert ended.code == 0, ended.err
            self.scenario.learn()

    def once(self, call: Call, fault: str) -> None:
        """Let a call fail once."""
        of_functions = TIMEOUT_SECONDS if "/invocations" in call.line else inf
        slow: dict[str, Any] = (
            {"timeouts": (TIMEOUT_SECONDS, of_functions)} if fault == "slow" else {}
        )
        failing = self.proxy.failing(call, FAULTS[fault])
        self.check(f"{call} by {fault}", failing, BOUND_SECONDS, **slow)

    def always(self, call: Call, fault: str, **environ: str) -> Ended | None:
        """Let a call fail whenever it is made."""
        failing = self.proxy.failing(call, FAULTS[fault], always=True)
        bound = BROKEN_BOUND_SECONDS
        return self.check(f"{call} by {fault} for ever", failing, bound, environ=environ)

    def storm(self) -> None:
        """Let all calls fail in one run, each once."""
        self.check("all calls by all that a second try may mend", self.proxy.storm(), BOUND_SECONDS)

    def figures(self) -> str:
        """Return what came of it, as a line."""
        name, counts = self.scenario.name, self.results
        seconds = time.monotonic() - self.began
        return (
            f"faults  {name:<24} {len(self.calls):3} calls, {counts.total():4} cases: "
            f"{counts['succeeded']} succeeded at once, {counts['failed']} with a message and a "
            f"second run, {len(self.problems)} did not end well; {seconds:.0f} s"
        )

    def check(
        self,
        case: str,
        failing: AbstractContextManager[None],
        bound: float,
        environ: Mapping[str, str] = MappingProxyType({}),
        **options: object,
    ) -> Ended | None:
        """Run the command while calls fail, and once more while none does; note what is wrong."""
        self.scenario.prepare()
        ended, problems = None, []
        with failing:
            try:
                ended = self._run(bound, environ, **options)
            except TimeoutError as error:
                problems.append(str(error))
        if not self.proxy.happened:
            problems.append("the call was not made")
        if ended:
            self.results["failed" if ended.code else "succeeded"] += 1
            problems += self._problems(ended)
        if self.always_again or not ended or ended.code:
            again = self._run(BOUND_SECONDS)
            if again.code:
                problems.append(f"run again, it fails:\n{again.err}")
            elif missing := self.scenario.missing():
                problems.append(f"run again, it succeeds, but {missing}")
        if problems:
            said = ended.err if ended else ""
            self.problems.append("\n".join([f"-- {self.scenario.name}: {case}", *problems, said]))
        return ended

    def _problems(self, ended: Ended) -> Iterator[str]:
        if ended.code not in (0, 1):
            yield f"exit code {ended.code}"
        if "Traceback" in ended.err + ended.out:
            yield "a traceback"
        if ended.code and ended.err.count("\n  fix: ") != 1:
            yield "not one message that says what to do"
        if mixed := self.scenario.mixed():
            yield mixed
        if not ended.code and (missing := self.scenario.missing()):
            yield f"it succeeds, but {missing}"

    def _run(
        self, bound: float, environ: Mapping[str, str] = MappingProxyType({}), **options: object
    ) -> Ended:
        environ = {**self.project.environ, **environ}
        running = self.warm.start(self.scenario.words, self.project.folder, environ, **options)
        return running.wait(bound)


@pytest.fixture
def matrix(
    name: str,
    project: Project,
    warm: Warm,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Iterator[Matrix]:
    """The matrix of a scenario; at the end it is told what did not end well."""
    make = _assuming if name == "assume" else _deploying
    scenario, proxy = make(name, request)
    with proxy:
        project.environ["AWS_ENDPOINT_URL"] = proxy.url
        made = Matrix(scenario, project, proxy, warm)
        made.learn()
        yield made
        record_property("figures", made.figures())
        assert not made.problems, "\n".join(made.problems)


def _deploying(name: str, request: pytest.FixtureRequest) -> tuple[Scenario, FaultyAws]:
    project: Project = request.getfixturevalue("project")
    aws: EmbeddedAws = request.getfixturevalue("quick_aws")
    aws.serve(project)
    return Deploying(name, project, aws), FaultyAws(aws.endpoint)


def _assuming(name: str, request: pytest.FixtureRequest) -> tuple[Scenario, FaultyAws]:
    request.getfixturevalue("user")
    sts: StrictSts = request.getfixturevalue("sts")
    return Assuming(request.getfixturevalue("project"), sts), FaultyAws(sts.url)


NAMES = ["assume", *DEPLOYS]


@pytest.mark.parametrize("name", NAMES)
def test_a_spread(matrix: Matrix) -> None:
    """Each call fails once, all in one run; and each fault happens, a few with each command."""
    matrix.always_again = False
    matrix.storm()
    calls, first = matrix.scenario.own(matrix.calls), NAMES.index(matrix.scenario.name)
    for index, fault in list(enumerate(FAULTS))[first :: len(NAMES)]:
        matrix.once(calls[(index + 1) * len(calls) // (len(FAULTS) + 1)], fault)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", NAMES)
def test_every_fault_at_every_call(matrix: Matrix, part: int) -> None:
    for call in matrix.scenario.own(matrix.calls)[part::PARTS]:
        for fault in FAULTS:
            matrix.once(call, fault)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_what_stays_broken_ends_with_a_message(matrix: Matrix) -> None:
    calls = matrix.scenario.own(matrix.calls)
    as_the_product_tries = {"AWS_MAX_ATTEMPTS": "10", "AWS_RETRY_MODE": "standard"}
    failed = 0
    for index, call in enumerate(calls[:: max(1, len(calls) // 4)]):
        for fault in ("500", "throttle"):
            ended = matrix.always(call, fault, **(as_the_product_tries if index == 1 else {}))
            assert ended
            if ended.code:  # some reads prove not to be needed
                failed += 1
                assert "fix: Run this again later." in ended.err, f"{call} by {fault}: {ended}"
    assert failed


@pytest.mark.long
@pytest.mark.parametrize("name", ["deploy of changes"])
def test_an_answer_that_takes_longer_than_the_products_own_timeout(matrix: Matrix) -> None:
    call = next(call for call in matrix.calls if "/aliases" in call.line)

    def slow(handler: Handler) -> bool:
        time.sleep(65)
        handler.send(*handler.forwarded())
        return True

    matrix.check(f"{call} by an answer after 65 s", matrix.proxy.failing(call, slow), 150)
