"""What makes us fast and does not wobble: modules that are imported, requests, round trips.

`invoke bench` measures the time. That archives have the same bytes everywhere, and files are never
whole in memory, is in `packaging/`; that a log takes no memory, in `aws_lambda/test_logs.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

import pytest

from tests.aws_lambda.describe import CODE, HELLO, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.strict_sts import Role, StrictSts
from tests.support import Project

TASKS = """
import atexit, sys
atexit.register(lambda: print("modules", *sys.modules))
from invoke import task
{}
@task
def noop(c): pass
"""
EMPTY, OURS = TASKS.format(""), TASKS.format("from tasks_aws import *")
# The modules of Python that others would have to import for us; each takes a millisecond at most.
LIGHT = {"__future__", "gc"}
LIGHT_OF_A_SESSION = {"_blake2", "_hashlib", "_sha512", "configparser", "hashlib"}
MANY = 16  # as many functions as are processed at once
IDENTITY = "POST / GetCallerIdentity"
FUNCTIONS = "/2015-03-31/functions"
READING_AN_ALIAS = ["GET /hello/aliases/live", "GET /hello?Qualifier=live"]
PUBLISHING = ["POST /hello/versions", "GET /hello?Qualifier=2", "PUT /hello/aliases/live"]


def modules(project: Project, tasks: str, *words: str) -> set[str]:
    """Return what invoke has imported when it ends."""
    project.tasks(tasks)
    return {*project.run(*words).out.rpartition("modules ")[2].split()}


def others(names: set[str]) -> set[str]:
    return {each for each in names if each.partition(".")[0] != "tasks_aws"}


def test_a_list_of_tasks_imports_next_to_nothing(project: Project) -> None:
    extra = modules(project, OURS, "--list") - modules(project, EMPTY, "--list")

    assert others(extra) <= LIGHT
    assert len(extra) <= 25


def test_a_cached_session_needs_no_package_of_others(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.run("assume")

    extra = modules(project, OURS, "assume", "noop") - modules(project, OURS, "noop")

    assert others(extra) <= LIGHT_OF_A_SESSION
    parts = {each.split(".")[1] for each in extra if each.startswith("tasks_aws.")}
    assert parts == {"auth", "config", "process", "ui"}


@pytest.fixture
def many(project: Project, proxy: Proxy) -> list[str]:
    """The names of functions with two versions each, and an alias for the newer one."""
    names = [f"f{number}" for number in range(MANY)]
    functions = {name: {**HELLO, "alias": "live"} for name in names}
    quotas = {"get": 1000, "policy": 1000, "other": 1000}  # waiting is not the subject here
    describe(
        project, role="everything", aws={"functions": functions, "requests_per_second": quotas}
    )
    for text in (CODE, f"{CODE}# changed\n"):
        write_source(project, text)
        project.run("deploy")
    restart(proxy)
    return names


def restart(proxy: Proxy) -> None:
    proxy.requests.clear()
    proxy.busiest = proxy.round_trips = 0


def kinds(proxy: Proxy) -> Counter[str]:
    """Return how many requests there were of each kind, whatever the function is called."""
    return Counter(re.sub(r"functions/\w+", "functions/*", line) for line in proxy.requests)


def test_nothing_to_do_is_one_request_and_asks_for_no_identity(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    describe(project)
    write_source(project)
    project.run("deploy")
    restart(proxy)

    project.run("deploy")

    assert proxy.requests == [f"GET {FUNCTIONS}/hello"]


@pytest.mark.parametrize(
    ("alias", "more", "publishing"),
    [(None, [], []), ("live", READING_AN_ALIAS, PUBLISHING)],
)
def test_a_change_of_code_takes_no_needless_request(
    project: Project,
    aws: EmbeddedAws,
    proxy: Proxy,
    alias: str | None,
    more: list[str],
    publishing: list[str],
) -> None:
    describe(project, alias=alias)
    write_source(project)
    project.run("deploy")
    restart(proxy)
    write_source(project, f"{CODE}# changed\n")

    project.run("deploy")

    # Lambda is asked again and again for the end of an update.
    once = [line.replace(FUNCTIONS, "") for line, _ in groupby(proxy.requests)]
    reading, changing = once[: once.index(IDENTITY)], once[once.index(IDENTITY) + 1 :]
    assert sorted(reading) == ["GET /hello", *more]
    assert changing == ["PUT /hello/code", "GET /hello", *publishing]


def test_many_functions_with_nothing_to_do_take_three_round_trips(
    project: Project, many: list[str], proxy: Proxy
) -> None:
    proxy.together = MANY

    project.run("deploy")

    assert kinds(proxy) == {
        f"GET {FUNCTIONS}/*": MANY,
        f"GET {FUNCTIONS}/*?Qualifier=live": MANY,
        f"GET {FUNCTIONS}/*/aliases/live": MANY,
    }
    assert proxy.round_trips == 3


def test_many_rollbacks_take_as_many_round_trips_as_one(
    project: Project, many: list[str], proxy: Proxy
) -> None:
    proxy.together = MANY

    project.run("rollback")

    assert kinds(proxy) == {
        IDENTITY: 1,
        f"GET {FUNCTIONS}/*/aliases/live": MANY,
        f"GET {FUNCTIONS}/*?Qualifier=1": MANY,
        f"PUT {FUNCTIONS}/*/aliases/live": MANY,
    }
    assert proxy.round_trips == 4


def test_many_targets_take_as_many_round_trips_as_one(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    # Sessions of their own, and two regions: each is another STS.
    targets = {
        f"t{number}": {
            "role_session_name": f"t{number}",
            "region": f"eu-central-{number % 2 + 1}",
            "functions": {"hello": {"FunctionName": f"hello{number}"}},
        }
        for number in range(MANY)
    }
    describe(project, role="everything", aws={"targets": targets})
    write_source(project)
    proxy.together = MANY

    project.run("plan", *(f"--target={name}" for name in targets))

    assert Counter(re.sub(r"hello\d+", "*", line) for line in proxy.requests) == {
        "POST / AssumeRole": MANY,
        f"GET {FUNCTIONS}/*": MANY,
    }
    assert proxy.round_trips == 2
