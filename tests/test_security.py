"""Each statement of SECURITY.md names tests, and they exist."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from tasks_aws.secret import Secret
from tests.strict_sts import Role, StrictSts
from tests.support import Project

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!(what|statement) \|)", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_each_statement_has_tests(row: str) -> None:
    named = row.split("|")[-2]

    tests = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", named)

    assert tests
    assert len(tests) == named.count("`") // 2
    for path, name in tests:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_nothing_but_sessions_is_left_in_home(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume", "whoami", "sessions")

    (session,) = project.cache_files()
    lock = session.with_suffix(".lock")
    left = {path for path in project.home.rglob("*") if path.is_file()}
    assert left - {lock} == {session, project.home / ".aws" / "config"}
    assert not lock.exists() or lock.read_bytes() == b""


def test_a_secret_is_an_ordinary_string_where_it_is_used() -> None:
    assert f"{Secret('hunter2')}" == "hunter2"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_code_that_is_an_option_is_on_the_command_line(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "from pathlib import Path\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef show(c): print(Path('/proc/self/cmdline').read_text().split(chr(0)))\n"
    )
    device = sts.device()
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    project.run("assume", "--mfa-code", device.code())
    words = ["assume", "--mfa-code", "123456", "show"]  # there is a session, and it is not sent

    result = project.run(*words, environ={"INVOKE_DEBUG": "1"})

    assert "'--mfa-code', '123456'" in result.out
    assert "123456" in result.err
