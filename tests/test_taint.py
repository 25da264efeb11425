"""The harness that looks for secrets after each test sees them, wherever they are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.planted_leaks import DEEDS
from tests.taint import TAINT

TESTS = Path(__file__).parent

# Each test that prints secrets on purpose; anything else that does is a leak.
PRINTS_SECRETS = [
    "auth/refresh/test_children.py::test_env_prints_the_keys",
    "auth/test_active.py::test_keys_of_one_service_and_other_names_of_keys_are_removed",
    "auth/test_formats.py::test_every_format_runs",
    "auth/test_formats.py::test_github_masks_before_it_hands_over",
    "auth/test_report.py::test_a_terminal_is_not_shown_secrets_unless_asked",
    "auth/test_report.py::test_bash_takes_the_lines_and_drops_what_conflicts",
    "auth/test_report.py::test_credentials_of_which_nobody_knows_the_end_are_used",
    "auth/test_report.py::test_json_is_what_botocore_expects_of_a_credential_process",
    "auth/test_report.py::test_nothing_but_the_credentials_is_on_stdout",
    "auth/test_report.py::test_redshift_gets_its_string",
    "auth/test_request.py::test_keys_that_were_changed_since_are_the_users_own",
    "properties/test_against_boto3.py::test_boto3_answers_the_same",
    "test_recipes.py::test_redshift",
    "test_recipes.py::test_what_the_aws_cli_signs_without_a_call_is_signed_with_the_session",
]


def test_each_kind_of_leak_is_reported(tmp_path: Path) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("command lines and environments are sampled from /proc")
    report = tmp_path / "report.xml"
    words = ["-m", "pytest", "-n0", "-p", "no:cacheprovider", f"--junitxml={report}"]

    subprocess.run(
        [sys.executable, *words, str(TESTS / "planted_leaks.py")],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
    )

    said = {
        case.attrib["name"]: (case.findtext("failure") or case.findtext("error") or "clean")
        for case in ElementTree.parse(report).iter("testcase")
    }
    expected = {
        "test_breakage[invoke -d]": "(plain) is in stderr of",
        "test_breakage[botocore's log]": "(plain) is in stderr of",
        "test_breakage[traceback]": "(plain) is in stderr of",
        "test_an_mfa_code_in_debug_output": "(plain) is in stderr of",
        "test_a_logger_that_a_task_switches_on[botocore.auth]": "(plain) is in stderr of",
        "test_a_logger_that_a_task_switches_on[botocore.endpoint]": "(plain) is in stderr of",
        "test_a_logger_that_a_task_switches_on[botocore.parsers]": "(plain) is in stderr of",
        "test_the_url_of_a_request": "(URL-encoded) is in stderr of",
        "test_a_terminal": "(plain) is in the terminal of",
        "test_a_secret_of_ministack_that_is_kept_nowhere": "(plain) is in stdout of",
        "test_a_log_record": "(plain) is in pytest's Captured log call",
        "test_an_exemption_is_for_stdout_alone": "(plain) is in stderr of",
        "test_what_is_another_tests_own_file": "/other: ",
        "test_clean": "clean",
    }
    deeds = re.sub("in the file /.*?/project/", "in the file {}/", said.pop("test_deeds"))
    assert [where for where in DEEDS.values() if where not in deeds] == []
    assert said.keys() == expected.keys()
    wrong = {name: text for name, text in said.items() if expected[name] not in text}
    assert wrong == {}


def test_the_tests_that_print_secrets_are_these() -> None:
    found = [
        f"{path.relative_to(TESTS)}::{test.name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for test in ast.walk(ast.parse(path.read_text()))
        if isinstance(test, ast.FunctionDef) and "TAINT.prints_secrets(" in ast.unparse(test)
        if path != Path(__file__)
    ]

    assert sorted(found) == PRINTS_SECRETS


@pytest.mark.parametrize(
    ("text", "found"),
    [("123456", True), ("(123 456)", True), ("1234567", False), ("9123456", False), ("", False)],
)
def test_an_mfa_code_is_no_part_of_a_longer_number(tmp_path: Path, text: str, found: bool) -> None:
    TAINT.collect("123456")
    (tmp_path / "file").write_text(text)

    leaks = TAINT.leaks(tmp_path)

    TAINT.begin()
    assert bool(leaks) is found
