"""What others have written reaches no terminal as anything but text."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tasks_aws.text.printable import escape_controls, printable
from tests.aws_lambda.conftest import SETTINGS, Hello, hello  # noqa: F401  # a fixture
from tests.proxy import Answer, Proxy
from tests.strict_sts import RefusalError, Role, StrictSts
from tests.support import Project

# The clipboard, a title, a colour in one character, and an order of characters that is not theirs.
EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b]0;title\x9c\x9b31m\u202e!\r?"
SHOWN = r"\x1b]52;c;ZXZpbA==\x07\x1b]0;title\x9c\x9b31m\u202e!\r?"
# Of the above, what can be in XML, and what can be in the name of a file or a profile.
EVIL_IN_XML, SHOWN_IN_XML = "\x9b31m\u202e!", r"\x9b31m\u202e!"
EVIL_IN_ARGV, SHOWN_IN_ARGV = "\x1b]0;title\x07", r"\x1b]0;title\x07"


def check(shown: str, expected: str = SHOWN) -> None:
    """Check that a terminal was shown what others have written, and obeyed none of it."""
    assert expected in shown
    for part in ("\x1b]", "\x07", "\x9b", "\x9c", "\u202e", "!\r?"):
        assert part not in shown


@pytest.mark.parametrize("text", ["a line\nand another\twith a tab", "ünï → 日本 👩‍💻", ""])
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_ends_of_lines_of_windows_are_ends_of_lines() -> None:
    assert escape_controls("one\r\ntwo\rover") == "one\ntwo\\rover"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert escape_controls(os.fsdecode(b"caf\xe9")) == r"caf\udce9"


PRINTS = {
    "an event": "from tasks_aws.ui.output import say; say('zip', EVIL)",
    "an event on the way": "from tasks_aws.ui.output import *\nwith track('zip', EVIL): pass",
    "a warning": "from tasks_aws.ui.output import warn; warn(EVIL)",
    "a diff": "from tasks_aws.ui.output import print_diff; print_diff([EVIL])",
    "a table": "from tasks_aws.ui.output import print_table; print_table(('a',), [(EVIL,)])",
    "a table that is the result": "from tasks_aws.ui.output import print_table\n"
    "print_table(('a',), [(EVIL,)], result=True)",
    "a result": "from tasks_aws.ui.output import print_result; print_result(EVIL)",
    "a log": "from tasks_aws.ui.output import print_function_log; print_function_log(EVIL)",
    "an error": "import tasks_aws; print(tasks_aws.TasksAwsError(EVIL, why=EVIL, fix=EVIL))",
    "errors of several": "from tasks_aws.errors import *\n"
    "from tasks_aws.errors import raise_failures\n"
    "try: raise_failures([(EVIL, FunctionError('No.')), ('b', None)], what='failed')\n"
    "except TasksAwsError: pass",
    "on the terminal, wherever stderr leads": "import os\nos.dup2(os.open(os.devnull, 1), 2)\n"
    "from tasks_aws.ui.prompt import tell; tell('sign-in', EVIL)",
}


@pytest.mark.parametrize("way", PRINTS)
def test_whatever_is_printed_on_a_terminal_is_only_text(project: Project, way: str) -> None:
    program = f"EVIL = {EVIL!r}\n{PRINTS[way]}"

    check(project.finish(project.python_in_terminal(program)))


def test_a_question_is_only_text(project: Project) -> None:
    terminal = project.python_in_terminal(
        f"from tasks_aws.ui.prompt import ask; ask('Type {EVIL_IN_ARGV}: ')"
    )
    terminal.expect_exact("title\\x07: ")
    check(terminal.before + terminal.after, SHOWN_IN_ARGV)
    terminal.sendline("")
    project.finish(terminal)


def test_names_of_profiles_are_only_text(project: Project, role: Role) -> None:
    terminal = project.terminal("assume", "--profile", EVIL_IN_ARGV)

    check(project.finish(terminal, code=1), SHOWN_IN_ARGV)


def test_refusals_of_sts_are_only_text(project: Project, sts: StrictSts, role: Role) -> None:
    sts.refuse = RefusalError(403, "AccessDenied", f"Not {EVIL_IN_XML}")

    check(project.finish(project.terminal("assume"), code=1), SHOWN_IN_XML)


def test_names_of_files_are_only_text(project: Project) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / EVIL_IN_ARGV).symlink_to("nowhere")
    project.settings(functions={"hello": SETTINGS})

    check(project.finish(project.terminal("package"), code=1), SHOWN_IN_ARGV)


def _log(hello: Hello, message: str = f"an event {EVIL}") -> None:  # noqa: F811
    logs, name = hello.aws.client("logs"), "/aws/lambda/hello"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="a")
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs.put_log_events(logGroupName=name, logStreamName="a", logEvents=[event])


def _respond(answer: Answer | None) -> Answer:
    assert answer
    return answer[0], answer[1], f'"{EVIL}"'.encode()


READ = r"GET \S+/functions/hello(\?.*)?$"
CALLS: dict[str, tuple[str, Callable[[Proxy], object], int]] = {
    "the log": ("logs", lambda proxy: None, 0),
    "the response, and the log of the run": (
        "invoke",
        lambda proxy: proxy.replace("invocations", _respond, ask=True),
        0,
    ),
    "what differs": (
        "plan",
        lambda proxy: proxy.edit(READ, lambda now: now["Configuration"].update(Description=EVIL)),
        0,
    ),
    "the reason of a state": (
        "status",
        lambda proxy: proxy.edit(READ, lambda now: now["Configuration"].update(StateReason=EVIL)),
        0,
    ),
    "a refusal": (
        "status",
        lambda proxy: proxy.refuse("GET", 400, "InvalidParameterValueException", EVIL, times=9),
        1,
    ),
    "settings": (
        "init",
        lambda proxy: proxy.edit(READ, lambda now: now["Configuration"].update(Description=EVIL)),
        0,
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_what_aws_and_functions_say_is_only_text(
    hello: Hello,  # noqa: F811
    proxy: Proxy,
    what: str,
) -> None:
    task, prepare, code = CALLS[what]
    hello.describe(Description="ours")
    hello.create(code=f"def handler(event, context):\n    print({EVIL!r})\n")
    _log(hello)
    prepare(proxy)

    shown = hello.project.finish(hello.project.terminal(task), code=code)

    expected = SHOWN
    if task == "init":  # YAML has escapes of its own
        expected = SHOWN.replace(r"\x1b", r"\e").replace(r"\x07", r"\a")
        expected = expected.replace("9c", "9C").replace("9b", "9B").replace("202e", "202E")
    if what == "a refusal":  # on one line
        expected = SHOWN.replace(r"\r", " ")
    check(shown, expected)


def test_in_a_pipe_logs_and_responses_are_as_they_are(
    hello: Hello,  # noqa: F811
    proxy: Proxy,
) -> None:
    hello.describe()
    hello.create(code=f"def handler(event, context):\n    print({EVIL!r})\n")
    _log(hello)
    CALLS["the response, and the log of the run"][1](proxy)

    log = _raw(hello.project, "logs", "utf-8")
    run = _raw(hello.project, "invoke", "utf-8")

    assert log.stdout == f"an event {EVIL}\n".encode()
    assert run.stdout == f'"{EVIL}"\n'.encode()
    assert EVIL.partition("\r")[0].encode() in run.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_a_stream_cannot_encode_is_replaced(
    hello: Hello,  # noqa: F811
    encoding: str,
) -> None:
    _log(hello, "to 日本")

    assert rb"to \u65e5\u672c" in _raw(hello.project, "logs", encoding).stdout


def _raw(project: Project, task: str, encoding: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", task],
        cwd=project.folder,
        env={**project.environ, "PYTHONIOENCODING": encoding},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
