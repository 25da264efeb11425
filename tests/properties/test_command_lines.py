"""Any words on the command line and in the environment: one clear message, never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tasks_aws
from tasks_aws.auth.child_process import run_program
from tasks_aws.config.settings import SETTINGS
from tasks_aws.errors import TasksAwsError
from tests.properties.sandbox import KEYS, Sandbox, sandbox
from tests.properties.test_settings import FUNCTION
from tests.properties.values import json_values, words

TASKS = {str(each.name): each for each in tasks_aws.ns.to_contexts()}
# With a session, more of each task is reached: these keys are temporary, and AWS is not asked.
SESSION = {**KEYS, "AWS_SESSION_TOKEN": "token", "SHELL": "/bin/sh"}

# A process is given no zero byte, and what is no UTF-8 as lone surrogates.
_arguments = st.one_of(
    words.map(lambda text: text.replace("\0", "").encode(errors="replace")),
    st.binary(max_size=9).map(lambda raw: raw.replace(b"\0", b"")),
).map(os.fsdecode)
_TAKEN = ["f", "t", "x", "0", "1", "9" * 20, "1h", "{}", "@src/app.py", "@src", "-", "bash", "json"]
_values = st.one_of(_arguments, st.sampled_from(_TAKEN))


@st.composite
def tasks_with_options(draw: st.DrawFn) -> list[str]:
    """One or two tasks, with options that they have and some words that mean nothing."""
    line: list[str] = []
    for name in draw(st.lists(st.sampled_from([*TASKS]), min_size=1, max_size=2)):
        line.append(name)
        flags = TASKS[name].flags
        for flag in draw(st.lists(st.sampled_from([*flags]), max_size=3)) if flags else []:
            line.append(flag)
            if flags[flag].takes_value:
                line += [draw(_values)]
        line += draw(st.lists(_arguments, max_size=1))
    return line


_core: st.SearchStrategy[list[str]] = st.one_of(
    st.just([]),
    st.sampled_from(
        [
            *(["--dry"], ["-e"], ["--list"], ["--help"], ["--version"], ["--complete", "--"]),
            *(["--config", "invoke.yaml"], ["--collection", "x"], ["--command-timeout", "x"]),
        ]
    ),
)
_remainder = st.lists(_arguments, max_size=3).map(lambda found: ["--", *found])


def described(box: Sandbox) -> Sandbox:
    (box.project / "src").mkdir()
    (box.project / "src" / "app.py").write_text("def f(event, context): pass\n")
    box.settings(
        account_id="123456789012", functions={"f": FUNCTION}, targets={"t": {"region": "eu-west-1"}}
    )
    return box


@given(_core, tasks_with_options(), st.one_of(st.just([]), _remainder))
def test_any_options(core: list[str], tasks: list[str], remainder: list[str]) -> None:
    with sandbox(SESSION) as box:
        code, said = described(box).command(*core, *tasks, *remainder)

        assert "Traceback" not in said
        assert code == 0 or said or core


@given(st.lists(_arguments | st.sampled_from([*TASKS]), max_size=5))
def test_any_words(line: list[str]) -> None:
    with sandbox(SESSION) as box:
        code, said = described(box).command(*line)

        assert "Traceback" not in said
        assert code in (0, 1) or said


_VARIABLES = [
    f"INVOKE_AWS_{key.upper()}"
    for key in [*SETTINGS, "functions", "targets", "functions_f_source", "regoin"]
]
_names = st.sampled_from(_VARIABLES) | st.from_regex(r"INVOKE_AWS_[A-Z_]{0,9}", fullmatch=True)


@given(
    st.dictionaries(_names, _values, min_size=1, max_size=3), st.sampled_from(["assume", "package"])
)
def test_any_variables(variables: dict[str, str], task: str) -> None:
    with sandbox({**KEYS, **variables}) as box:
        (box.project / "src").mkdir()
        (box.project / "src" / "app.py").write_text("f = print\n")
        box.settings(functions={"f": FUNCTION})

        code, said = box.command(task)

        assert "Traceback" not in said
        assert code == 0 or said


@given(
    st.one_of(st.binary(max_size=30), json_values.map(lambda value: json.dumps(value).encode())),
    st.booleans(),
)
@example(b"[" * 100_000, True)
@example(b"\xff", False)
@example(b"-", False)
def test_any_payload(payload: bytes, in_file: bool) -> None:
    with sandbox(SESSION) as box:
        (box.project / "payload").write_bytes(payload)
        option = "@payload" if in_file else os.fsdecode(payload.replace(b"\0", b""))

        assert box.refused(tasks_aws.invoke, {"functions": {"f": FUNCTION}}, payload=option)


@pytest.mark.parametrize(
    "payload", ["@" + "x" * 5000, "@\0", "@.", "@/proc/self/mem", "[" * 100_000, "\udcff"]
)
def test_payloads_that_cannot_be_read(payload: str) -> None:
    with sandbox(SESSION) as box:
        said = box.refused(tasks_aws.invoke, {"functions": {"f": FUNCTION}}, payload=payload)

        assert "`--payload`" in str(said)
        assert box.calls == []


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"\x7fELF")
    (tmp_path / "notes").chmod(0o755)

    with pytest.raises(TasksAwsError, match=r"Cannot run .*notes") as caught:
        run_program([str(tmp_path / "notes")], {})

    assert caught.value.code == 126
