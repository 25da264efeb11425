"""MFA: asked for on the terminal, once, and never in vain."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.proxy import Proxy, Rule
from tests.strict_sts import Device, Handler, Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

PROMPT = "MFA code for arn:aws:iam::111111111111:mfa/alice: "


@dataclass
class Notebook:
    """A notebook, whose user types a code into the box below a cell if there is one."""

    client: Any
    aws: dict[str, str]
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def assume(self, *, before: str = "", code: str | None = None) -> str:
        """Run a cell that calls `assume`, and return its output or the error's text."""
        shown: list[str] = []

        def type_code(message: Any) -> None:
            self.asked.append((message["content"]["prompt"], message["content"]["password"]))
            self.client.input(code)

        def show(message: Any) -> None:
            content = message["content"]
            shown.append(content.get("text", "") + content.get("evalue", ""))

        self.client.execute_interactive(
            f"import invoke, os, tasks_aws\n{before}\n"
            f"c = invoke.Context(invoke.Config({{'aws': {self.aws!r}}}))\n"
            "tasks_aws.assume(c)\nprint(tasks_aws.credentials(c).account_id)",
            allow_stdin=code is not None,
            stdin_hook=type_code,
            output_hook=show,
            timeout=30,
        )
        return "".join(shown)


@pytest.fixture
def device(sts: StrictSts) -> Device:
    return sts.device()


@pytest.fixture
def guarded(project: Project, sts: StrictSts, user: Key, device: Device) -> Role:
    """A role that demands MFA, and settings that name the device."""
    role = sts.role("Guarded", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    return role


def test_the_code_is_asked_for_on_the_terminal_once(
    project: Project, sts: StrictSts, guarded: Role, device: Device
) -> None:
    terminal = project.terminal("assume", "whoami")
    terminal.expect_exact(PROMPT)
    terminal.sendline(f" {device.code()[:3]} {device.code()[3:]} ")
    assert "assumed-role/Guarded/alice" in project.finish(terminal)

    project.run("assume", "whoami")
    assert sts.count("AssumeRole") == 1


def test_the_prompt_reaches_the_terminal_when_stdout_is_captured(
    project: Project, guarded: Role, device: Device
) -> None:
    script = f'out=$({sys.executable} -m invoke assume env) && eval "$out" && echo is $AWS_REGION'
    terminal = project.terminal_running(["bash", "-c", script])
    terminal.expect_exact(PROMPT)
    terminal.sendline(device.code())

    assert "is eu-central-1" in project.finish(terminal)


def test_a_refused_code_is_asked_for_again(
    project: Project, sts: StrictSts, guarded: Role, device: Device
) -> None:
    wrong = "000000" if device.code() != "000000" else "000001"
    terminal = project.terminal("assume")
    for answer, says in (
        ("12345", "A code has six digits."),
        (wrong, "AWS refused that code."),
        (wrong, "That code was already used"),
    ):
        terminal.expect_exact(PROMPT)
        terminal.sendline(answer)
        terminal.expect_exact(says)
    terminal.expect_exact(PROMPT)
    terminal.sendline(device.code())

    project.finish(terminal)
    assert sts.count("AssumeRole") == 2  # neither the malformed nor the spent code was sent


def test_three_refused_codes_are_enough(project: Project, sts: StrictSts, guarded: Role) -> None:
    terminal = project.terminal("assume")
    for code in ("000001", "000002", "000003"):
        terminal.expect_exact(PROMPT)
        terminal.sendline(code)

    text = project.finish(terminal, code=1)

    assert "AWS refused the MFA code for arn:aws:iam::111111111111:mfa/alice." in text
    assert "fix: Wait for the next code" in text
    assert "Traceback" not in text
    assert sts.count("AssumeRole") == 3


@pytest.fixture
def bash(project: Project) -> Any:
    """A shell with job control, in a terminal."""
    project.environ |= {"TERM": "dumb", "PS1": "$ "}
    terminal = project.terminal_running(["bash", "--norc", "-i"])
    terminal.expect_exact("$ ")
    return terminal


def test_interrupting_the_prompt_ends_quietly(guarded: Role, bash: Any) -> None:
    bash.sendline(f"{sys.executable} -m invoke assume; echo code-$?")
    bash.expect_exact(PROMPT)
    bash.sendintr()

    bash.expect_exact("$ ")

    assert bash.before == "\r\ncode-130\r\n"
    bash.sendline("stty -a")
    bash.expect(r"[; ]echo[; ]")


def test_a_prompt_that_was_suspended_is_shown_again_and_shows_no_code(
    project: Project, sts: StrictSts, guarded: Role, device: Device, bash: Any
) -> None:
    bash.sendline(f"{sys.executable} -m invoke assume whoami")
    bash.expect_exact(PROMPT)
    bash.send("12")
    bash.sendcontrol("z")
    bash.expect_exact("Stopped")
    bash.expect_exact("$ ")
    bash.sendline("stty -a")
    bash.expect(r"[; ]echo[; ]")
    bash.expect_exact("$ ")
    bash.sendline("fg")
    bash.expect_exact(PROMPT)
    bash.sendline(code := device.code())
    bash.expect_exact("assumed-role/Guarded/alice")

    assert code not in bash.before
    assert sts.count("AssumeRole") == 1


def test_interrupting_python_is_an_ordinary_interrupt(project: Project, guarded: Role) -> None:
    program = "import invoke, tasks_aws\ntry:\n    tasks_aws.assume(invoke.Context())\n"
    aws = {
        "profile": "dev",
        "role_arn": guarded.arn,
        "mfa_serial": "arn:aws:iam::111111111111:mfa/alice",
    }
    config = f"invoke.Config({{'aws': {aws!r}}})"
    program = program.replace("Context()", f"Context({config})")
    terminal = project.python_in_terminal(
        f"{program}except KeyboardInterrupt: print('interrupted')\nprint('goes on')"
    )
    terminal.expect_exact(PROMPT)
    terminal.sendintr()

    assert project.finish(terminal) == "\r\ninterrupted\r\ngoes on\r\n"


def test_without_a_terminal_there_is_an_error_and_no_hang(
    project: Project, sts: StrictSts, guarded: Role
) -> None:
    result = project.run("assume", "noop", code=1)

    assert "nobody can be asked for it" in result.err
    assert "and there is no terminal." in result.err
    assert "--mfa-code" in result.err
    assert "aws.mfa_command" in result.err
    assert sts.calls == []


def test_the_code_may_be_an_option(project: Project, guarded: Role, device: Device) -> None:
    assert "noop ran" in project.run("assume", "--mfa-code", device.code(), "noop").out


@pytest.mark.parametrize("with_role", [True, False])
def test_a_code_that_no_session_takes_is_an_error(
    project: Project, sts: StrictSts, user: Key, with_role: bool
) -> None:
    role = {"role_arn": sts.role("Deployer").arn} if with_role else {}
    project.settings(profile="dev", **role)
    project.run("assume", "noop")  # a session from the cache is one without MFA
    calls = len(sts.calls)

    result = project.run("assume", "--mfa-code", "123456", "noop", code=1)

    subject = role.get("role_arn", "profile dev")
    assert re.search(rf"`--mfa-code` cannot be used: .*{subject} takes no MFA code", result.err)
    assert "fix: Set `aws.mfa_serial`, or leave out --mfa-code." in result.err
    assert "noop ran" not in result.out
    assert len(sts.calls) == calls


def test_nothing_is_said_of_a_code_that_a_cached_session_makes_needless(
    project: Project, sts: StrictSts, guarded: Role, device: Device
) -> None:
    project.run("assume", "--mfa-code", device.code())

    result = project.run("assume", "--mfa-code", "123456", "noop", "assume", "--mfa-code", "1")

    assert "mfa" not in result.err.lower()
    assert sts.count("AssumeRole") == 1


def test_debug_output_shows_no_code(project: Project, guarded: Role, device: Device) -> None:
    code = device.code()

    result = project.run("-d", "assume", "--mfa-code", f"{code[:3]} {code[3:]}", "noop")

    assert "******" in result.err
    assert f"{code[:3]} {code[3:]}" not in result.err


def test_the_code_may_come_from_a_command(
    project: Project, sts: StrictSts, user: Key, device: Device, tmp_path: Path
) -> None:
    role = sts.role("Guarded", mfa=True)
    project.settings(
        profile="dev",
        role_arn=role.arn,
        mfa_serial=device.serial,
        mfa_command=f"cat {tmp_path}/code",
    )
    (tmp_path / "code").write_text(code := device.code())
    TAINT.own(tmp_path / "code", code)

    assert "noop ran" in project.run("assume", "noop").out


def test_a_code_that_another_run_has_used_is_told_to_wait_for_the_next(
    project: Project, sts: StrictSts, guarded: Role, device: Device
) -> None:
    code = device.code()
    project.run("assume", "--mfa-code", code)
    words = ["assume", "--fresh", "--mfa-code", code, "noop"]

    message = project.run(*words, code=1).err

    assert f"AWS refused the MFA code for {device.serial}." in message
    assert "already used, perhaps by another run: each code works only once." in message
    assert "fix: Wait for the next code and run this again" in message
    assert "no terminal" not in message
    assert sts.count("AssumeRole") == 2

    terminal = project.terminal(*words)
    terminal.expect_exact("If another run has used it, wait for the next one.")
    terminal.expect_exact(PROMPT)
    terminal.sendline(device.code(1))
    assert "noop ran" in project.finish(terminal)


def test_a_command_that_prints_a_used_code_is_told_to_wait_for_the_next(
    project: Project, sts: StrictSts, guarded: Role, device: Device, tmp_path: Path
) -> None:
    (tmp_path / "code").write_text(code := device.code())
    TAINT.own(tmp_path / "code", code)
    project.run("assume", "--mfa-code", code)
    project.settings(
        profile="dev",
        role_arn=guarded.arn,
        mfa_serial=device.serial,
        mfa_command=f"cat {tmp_path}/code",
    )

    message = project.run("assume", "--fresh", "noop", code=1).err

    assert "That code was already used" in message
    assert "fix: Run this again when the device shows the next code." in message
    assert sts.count("AssumeRole") == 2


@pytest.mark.parametrize(
    ("given", "why", "fix"),
    [
        ("12345", "An MFA code has six digits.", "Pass the six digits"),
        (None, "That code was already used", "Run this again with the next code."),
    ],
)
def test_a_code_of_the_option_that_cannot_be_sent_is_told_without_a_terminal(
    project: Project, guarded: Role, device: Device, given: str | None, why: str, fix: str
) -> None:
    again = ["assume", "--fresh", "--mfa-code", given or device.code()]
    words = ["assume", "--mfa-code", device.code(), *again]

    message = project.run(*words, code=1).err

    assert f"The code of --mfa-code cannot be used for {device.serial}.\n  why: {why}" in message
    assert f"fix: {fix}" in message


@pytest.mark.parametrize(
    ("command", "says"),
    [("exit 3", "failed with exit code 3"), ("echo none", "printed no usable MFA code")],
)
def test_a_command_that_gives_no_code_is_an_error(
    project: Project, user: Key, sts: StrictSts, device: Device, command: str, says: str
) -> None:
    role = sts.role("Guarded", mfa=True)
    project.settings(
        profile="dev", role_arn=role.arn, mfa_serial=device.serial, mfa_command=command
    )

    assert says in project.run("assume", code=1).err


def test_the_serial_number_is_taken_from_the_profile(
    project: Project, sts: StrictSts, device: Device
) -> None:
    key, role = sts.user_key(), sts.role("Guarded", mfa=True)
    project.profile(
        "mfa",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        mfa_serial=device.serial,
        region="eu-central-1",
    )
    project.settings(profile="mfa", role_arn=role.arn)

    project.run("assume", "--mfa-code", device.code())

    assert sts.calls[-1][1]["SerialNumber"] == device.serial


def test_plain_keys_with_a_device_ask_once(
    project: Project, sts: StrictSts, device: Device
) -> None:
    key = sts.user_key()
    project.profile(
        "mfa",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        mfa_serial=device.serial,
        region="eu-central-1",
    )

    project.run("assume", "--profile", "mfa", "--mfa-code", device.code())
    project.run("assume", "--profile", "mfa", "noop")

    assert sts.count("GetSessionToken") == 1


def test_an_unknown_device_is_not_asked_for_again(
    project: Project, sts: StrictSts, user: Key
) -> None:
    role = sts.role("Guarded", mfa=True)
    serial = "arn:aws:iam::111111111111:user/alice"
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=serial)

    result = project.run("assume", "--mfa-code", "735190", code=1)

    assert f"AWS does not know the MFA device {serial}" in result.err
    assert sts.count("AssumeRole") == 1


def test_parallel_runs_prompt_once(
    project: Project, sts: StrictSts, guarded: Role, device: Device
) -> None:
    script = (
        f"{sys.executable} -m invoke assume noop & {sys.executable} -m invoke assume noop; wait"
    )
    terminal = project.terminal_running(["bash", "-c", script])
    awaited = [PROMPT, "waiting   for another process"]  # in whichever order
    awaited.pop(terminal.expect_exact(awaited))
    terminal.expect_exact(awaited)
    terminal.sendline(device.code())

    text = project.finish(terminal)
    assert text.count("noop ran") == 2
    assert sts.count("AssumeRole") == 1


def test_each_target_of_a_deploy_is_asked_for_in_turn(
    project: Project, sts: StrictSts, user: Key, device: Device
) -> None:
    roles = {name: sts.role(name, mfa=True).arn for name in ("First", "Second")}
    (project.folder / "app.py").write_text("def handler(event, context): pass\n")
    function = {"source": "app.py", "Handler": "app.handler", "Runtime": "python3.13"}
    project.settings(
        profile="dev",
        mfa_serial=device.serial,
        functions={"hello": {**function, "Role": roles["First"]}},
        targets={name.lower(): {"role_arn": arn} for name, arn in roles.items()},
    )
    terminal = project.terminal("plan", "--target", "first", "--target", "second")
    for step, arn in enumerate(roles.values()):
        terminal.expect_exact(PROMPT)
        terminal.sendline(device.code(step))
        terminal.expect_exact(f"assume    {arn}")

    project.finish(terminal, code=1)  # there is no Lambda here

    assert sts.count("AssumeRole") == 2


def test_targets_that_start_from_one_session_with_mfa_share_its_code(
    project: Project, sts: StrictSts, user: Key, device: Device
) -> None:
    roles = {name: sts.role(name, mfa=name == "own").arn for name in ("own", "one", "two")}
    targets: dict[str, Any] = {name: {"role_arn": arn} for name, arn in roles.items()}
    targets["own"]["mfa_session"] = False
    (project.folder / "app.py").write_text("def handler(event, context): pass\n")
    function = {"source": "app.py", "Handler": "app.handler", "Runtime": "python3.13"}
    project.settings(
        profile="dev",
        mfa_serial=device.serial,
        mfa_session=True,
        functions={"hello": {**function, "Role": roles["one"]}},
        targets=targets,
    )
    both = Barrier(2, timeout=20)
    with Proxy(sts.url) as proxy:
        proxy.rules.append(Rule("AssumeRole", lambda _: both.wait() < 0, times=2))
        project.environ["AWS_ENDPOINT_URL"] = proxy.url

        terminal = project.terminal("plan", *(f"--target={name}" for name in roles))
        for step in (0, 1):
            terminal.expect_exact(PROMPT)
            terminal.sendline(device.code(step))
        for name in roles:
            terminal.expect_exact(f"assume    {roles[name]}")
        project.finish(terminal, code=1)  # there is no Lambda here

    assert [action for action, _ in sts.calls] == [
        "GetSessionToken",
        "GetCallerIdentity",
        *["AssumeRole"] * 3,
    ]


@pytest.fixture
def notebook(project: Project, guarded: Role, device: Device) -> Iterator[Notebook]:
    """A kernel of Jupyter in the project."""
    manager, client = start_new_kernel(
        cwd=str(project.folder), env={**project.environ, "IPYTHONDIR": str(project.home)}
    )
    try:
        yield Notebook(
            client, {"profile": "dev", "role_arn": guarded.arn, "mfa_serial": device.serial}
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_notebook_is_asked_below_its_cell(notebook: Notebook, device: Device) -> None:
    shown = notebook.assume(code=device.code())

    assert notebook.asked == [(PROMPT, True)]
    assert "123456789012" in shown


def test_a_notebook_that_nobody_types_into_is_an_error(notebook: Notebook) -> None:
    assert "Cannot prompt: nobody is running this notebook interactively." in notebook.assume()


def test_a_notebook_in_ci_is_not_asked(notebook: Notebook) -> None:
    shown = notebook.assume(before="os.environ['CI'] = 'true'", code="000000")

    assert notebook.asked == []
    assert "nobody is prompted when CI is set" in shown


@pytest.fixture
def arrived(project: Project) -> Iterator[tuple[StrictSts, list[str]]]:
    """An STS, and the connections and requests that have arrived there, in order."""
    found: list[str] = []

    class Noting(Handler):
        def setup(self) -> None:
            found.append("connection")
            super().setup()

        def do_POST(self) -> None:  # noqa: N802
            found.append("request")
            super().do_POST()

    with StrictSts(Noting) as sts:
        project.environ["AWS_ENDPOINT_URL"] = sts.url
        yield sts, found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_connection_is_opened_while_the_code_is_typed(
    project: Project, arrived: tuple[StrictSts, list[str]]
) -> None:
    sts, found = arrived
    key, device = sts.user_key(), sts.device()
    keys = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    project.profile("dev", **keys, region="eu-central-1")
    role = sts.role("Guarded", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)

    terminal = project.terminal("assume")
    terminal.expect_exact(PROMPT)
    wait_for(lambda: found == ["connection"])
    terminal.sendline(device.code())
    project.finish(terminal)

    assert found == ["connection", "request"]


def test_a_connection_that_cannot_be_opened_is_an_error_after_the_code(
    project: Project, guarded: Role
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        project.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        terminal = project.terminal("assume")
        terminal.expect_exact(PROMPT)
        time.sleep(1.5)
        terminal.sendline("123456")
        text = project.finish(terminal, code=1)

    assert text.lstrip().startswith("error: AWS cannot be reached"), text
    assert "Traceback" not in text
