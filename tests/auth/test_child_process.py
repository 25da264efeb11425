"""`exec` and `shell`: other programs, with the credentials and with the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks_aws.auth.child_process import run_program
from tasks_aws.errors import TasksAwsError
from tests.strict_sts import Role, StrictSts
from tests.support import Project

PYTHON = [sys.executable, "-c"]


def test_exec_keeps_every_word_as_it_was_typed(project: Project, role: Role) -> None:
    words = ["a  b", "*", "$HOME", "it's", 'say "hi"', "--", "", "ü"]
    command = [*PYTHON, "import sys; print(sys.argv[1:])", *words]

    assert project.run("assume", "exec", "--", *command).out == f"{words}\n"


def test_exec_hands_the_credentials_on(project: Project, sts: StrictSts, role: Role) -> None:
    program = "import os; print(os.environ['AWS_ACCESS_KEY_ID'], 'AWS_PROFILE' in os.environ)"

    out = project.run("exec", "--", *PYTHON, program, environ={"AWS_PROFILE": "dev"}).out

    ids = [key.id for key in sts.keys.values() if key.token]
    assert out.split() == [*ids, "False"]


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_the_exit_code_is_the_programs(
    project: Project, role: Role, program: str, code: int
) -> None:
    assert project.run("assume", "exec", "--", *PYTHON, program, code=code).err.count("\n") == 1


def test_what_cannot_be_run_has_the_exit_codes_of_a_shell(project: Project, role: Role) -> None:
    (project.folder / "plain").write_text("no program")

    missing = project.run("assume", "exec", "--", "no-such-program", code=127)
    plain = project.run("assume", "exec", "--", "./plain", code=126)

    assert "Cannot run no-such-program: no such program." in missing.err
    assert "Cannot run ./plain: permission denied." in plain.err


def test_exec_without_a_command(project: Project, role: Role) -> None:
    assert "`exec` needs a command to run." in project.run("assume", "exec", code=1).err


def test_shell_under_dry_opens_none(project: Project, role: Role) -> None:
    project.environ["SHELL"] = "/bin/false"

    result = project.run("--dry", "assume", "shell")

    assert "shell     would open a shell with the credentials of" in result.err


def test_exec_under_dry_runs_nothing(project: Project, role: Role) -> None:
    result = project.run("--dry", "assume", "exec", "--", *PYTHON, "print('ran')")

    assert "would run" in result.err
    assert result.out == ""


COUNT = """
import signal, sys, time
count = 0
def on_interrupt(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, on_interrupt)
print("ready", flush=True)
deadline = time.monotonic() + 1.5
while time.monotonic() < deadline:
    time.sleep(0.05)
print("done", count, flush=True)
sys.exit(3)
"""


def test_ctrl_c_reaches_the_program_once_and_leaves_the_end_to_it(
    project: Project, role: Role
) -> None:
    terminal = project.terminal("assume", "exec", "--", *PYTHON, COUNT)
    terminal.expect_exact("ready")

    terminal.sendintr()

    text = project.finish(terminal, code=3)
    assert "done 1" in text


def test_ctrl_c_ends_a_program_that_does_not_catch_it(project: Project, role: Role) -> None:
    program = "print('ready', flush=True); import time; time.sleep(30)"
    terminal = project.terminal("assume", "exec", "--", *PYTHON, program)
    terminal.expect_exact("ready")

    terminal.sendintr()

    project.finish(terminal, code=130)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sent_to_invoke_reaches_the_program(
    project: Project, role: Role, number: int, tmp_path: Path
) -> None:
    program = "print('ready', flush=True); import time; time.sleep(30)"
    process = project.start("assume", "exec", "--", *PYTHON, program)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"

    os.kill(process.pid, number)

    process.communicate(timeout=10)
    assert process.returncode == 128 + number


def test_a_shell_has_the_credentials_and_refuses_to_nest(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.environ |= {"SHELL": "/bin/sh", "PS1": "$ ", "TERM": "dumb"}
    terminal = project.terminal("assume", "shell")
    terminal.expect_exact("`exit` leaves the shell")
    terminal.sendline("echo key-$AWS_ACCESS_KEY_ID-")
    terminal.expect("key-(ASIA[0-9A-F]+)-")
    assert terminal.match[1] in sts.keys

    terminal.sendline(f"{sys.executable} -m invoke assume shell; echo code-$?")
    terminal.expect_exact("This shell already has the credentials of")
    terminal.expect_exact("code-1")
    terminal.sendline("exit 5")

    project.finish(terminal, code=5)


def test_the_terminal_is_the_programs_while_it_runs(project: Project, role: Role) -> None:
    program = "import sys; print('tty', sys.stdin.isatty()); print('got', input())"
    terminal = project.terminal("assume", "exec", "--", *PYTHON, program)
    terminal.expect_exact("tty True")
    time.sleep(0.1)
    terminal.sendline("hello")

    assert "got hello" in project.finish(terminal)


def test_ctrl_break_of_windows_ends_the_program_and_not_invoke() -> None:
    program = "import os, signal; os.kill(os.getppid(), signal.SIGUSR1)"
    script = (
        "import os, signal, sys\n"
        "signal.SIGBREAK = signal.SIGUSR1\n"
        "from tasks_aws.auth.child_process import run_program\n"
        f"sys.exit(run_program([sys.executable, '-c', {program!r}], os.environ))\n"
    )

    subprocess.run([*PYTHON, script], check=True, timeout=60)


def test_windows_finds_programs_that_are_scripts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    script = tmp_path / "npm"  # which stands for npm.cmd
    script.touch(0o755)

    def start(words: list[str], **_: object) -> None:
        started.append(words)
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", start)
        patch.setattr(os, "name", "nt")
        for program in ("npm", "no-such-program"):
            with pytest.raises(TasksAwsError, match=f"Cannot run {program}"):
                run_program([program, "run"], {"PATH": str(tmp_path)})

    assert started == [[str(script), "run"], ["no-such-program", "run"]]
