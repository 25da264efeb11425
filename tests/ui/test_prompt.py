"""Prompts: on the terminal wherever the standard streams lead, and never beside another program.

That a job of a shell gives up the terminal for a prompt, and gets it back, is a promise of
`auth/refresh` (tests/auth/refresh/test_children.py).
"""

from __future__ import annotations

import subprocess
import sys

from tests.support import Project

ASK = "from tasks_aws.ui.prompt import ask; print('typed', repr(ask('Name: ')))"
DISTURBED = """
import os, sys, termios, threading, time
from tasks_aws.ui.prompt import ask_hidden
asking = threading.Thread(target=lambda: print("typed", repr(ask_hidden("Code: "))))
asking.start()
terminal = os.open("/dev/tty", os.O_RDWR)
while (modes := termios.tcgetattr(terminal))[3] & termios.ECHO:
    time.sleep(0.01)
modes[3] |= termios.ECHO
termios.tcsetattr(terminal, termios.TCSANOW, modes)
asking.join()
"""
BESIDE_A_SHELL = """
import os, subprocess, time
from tasks_aws import TasksAwsError
from tasks_aws.ui.prompt import ask, lend_terminal
terminal = os.open("/dev/tty", os.O_RDWR)
with subprocess.Popen(["bash", "--norc", "-i"]) as shell, lend_terminal(shell.pid):
    while os.tcgetpgrp(terminal) != shell.pid:
        time.sleep(0.01)
    try:
        ask("Name: ")
    except TasksAwsError as error:
        print(error, flush=True)
"""


def test_the_answer_is_stripped(project: Project) -> None:
    terminal = project.python_in_terminal(ASK)
    terminal.expect_exact("Name: ")
    terminal.sendline("  hello ")

    assert "typed 'hello'" in project.finish(terminal)


def test_the_end_of_file_is_an_empty_answer(project: Project) -> None:
    terminal = project.python_in_terminal(ASK)
    terminal.expect_exact("Name: ")
    terminal.sendeof()

    assert "typed ''" in project.finish(terminal)


def test_the_terminal_is_prompted_when_the_streams_lead_elsewhere(project: Project) -> None:
    (project.folder / "ask.py").write_text(ASK)
    command = f"echo wrong | {sys.executable} ask.py | cat"
    terminal = project.terminal_running(["bash", "-c", command])
    terminal.expect_exact("Name: ")
    terminal.sendline("right")

    assert "typed 'right'" in project.finish(terminal)


def test_a_hidden_prompt_stays_hidden_whoever_changes_the_terminal(project: Project) -> None:
    terminal = project.python_in_terminal(DISTURBED)
    terminal.expect_exact("Code: ")
    terminal.expect_exact("Code: ")
    terminal.sendline("123456")

    assert project.finish(terminal) == "\r\ntyped '123456'\r\n"


def test_a_question_that_was_suspended_is_asked_again(project: Project) -> None:
    project.environ |= {"TERM": "dumb", "PS1": "$ "}
    (project.folder / "ask.py").write_text(ASK)
    terminal = project.terminal_running(["bash", "--norc", "-i"])
    terminal.sendline(f"{sys.executable} ask.py")
    terminal.expect_exact("Name: ")
    terminal.sendcontrol("z")
    terminal.expect_exact("Stopped")
    terminal.sendline("fg")
    terminal.expect_exact("Name: ")
    terminal.sendline("alice")

    terminal.expect_exact("typed 'alice'")


def test_a_shell_that_has_the_terminal_keeps_it(project: Project) -> None:
    project.environ |= {"TERM": "dumb", "PS1": "$ "}
    terminal = project.python_in_terminal(BESIDE_A_SHELL)
    terminal.expect_exact("Cannot prompt: another program is using the terminal.")
    terminal.expect_exact("fix: Run the command that needs the answer in the foreground.")
    terminal.sendline("echo still-$((40 + 2)); exit")

    assert "still-42" in project.finish(terminal)


WINDOWS = """
import io, os, sys
from tasks_aws.ui import prompt
class _WindowsConsoleIO(io.RawIOBase):
    def isatty(self): return True
    def readable(self): return True
class Nul(_WindowsConsoleIO):
    pass
def stdin(raw, text=""):
    raw.readinto = io.BytesIO(text.encode()).readinto
    return io.TextIOWrapper(io.BufferedReader(raw))
os.name = "nt"
"""


def on_windows(project: Project, script: str) -> list[str]:
    """Run a program where the terminal is that of Windows, and return what it has printed."""
    process = subprocess.run(
        [sys.executable, "-u", "-c", WINDOWS + script],
        env=project.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return process.stdout.splitlines()


def test_on_windows_a_console_is_a_terminal_and_nul_is_none(project: Project) -> None:
    script = (
        "for sys.stdin in (stdin(_WindowsConsoleIO()), stdin(Nul()), None):\n"
        "    print(repr(prompt.why_no_prompt()))\n"
    )

    assert on_windows(project, script) == ["''"] + ["'there is no terminal'"] * 2


def test_on_windows_answers_are_read_from_the_console(project: Project) -> None:
    script = (
        "sys.stdin = stdin(_WindowsConsoleIO(), ' hello \\n')\n"
        "print(repr(prompt.ask('Name: ')), repr(prompt.ask('Again: ')))\n"
        "import getpass\n"
        "getpass.getpass = lambda question: question.upper()\n"
        "getpass.getpass.__module__ = 'getpass'\n"
        "print(prompt.ask_hidden('code'))\n"
        "prompt.tell('sign-in', 'here')\n"
        "with prompt.on_terminal() as streams: print(streams)\n"
    )

    assert on_windows(project, script) == [
        "Name: Again: 'hello' ''",
        "CODE",
        "sign-in   here",
        "{'stdout': 2}",
    ]
