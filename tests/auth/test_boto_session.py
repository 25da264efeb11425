"""`session(c)` outlives one session of STS, asking for a code where it must."""

from __future__ import annotations

import pytest

from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

TASKS = """
import time
from invoke import task
from tasks_aws import *

@task
def long(c):
    client = session(c).client("sts")
    for _ in range(3):
        print(client.get_caller_identity()["Arn"], flush=True)
        time.sleep(2.2)
"""

FORKING = """
import os, threading, time
from invoke import task
from tasks_aws import *

@task
def forking(c):
    client = session(c).client("sts")
    ask = lambda: print(client.get_caller_identity()["Arn"], flush=True)
    time.sleep(6)
    renewing = threading.Thread(target=ask)
    renewing.start()
    while not os.path.exists("asked"):
        time.sleep(0.05)
    child = os.fork()
    if child == 0:
        client = session(c).client("sts") if OWN else client
        ask()
        os._exit(0)
    os.waitpid(child, 0)
    renewing.join()
"""


def test_a_long_task_renews_its_session(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(TASKS)
    sts.lifetime = 3

    result = project.run("assume", "long")

    assert result.out.count("assumed-role/Deployer/alice") == 3
    assert sts.count("AssumeRole") >= 3


def test_a_renewal_asks_for_a_code_on_the_terminal(
    project: Project, sts: StrictSts, user: Key
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.tasks(TASKS.replace("range(3)", "range(2)"))
    project.settings(
        profile="dev",
        role_arn=role.arn,
        mfa_serial=device.serial,
    )
    sts.lifetime = 3

    terminal = project.terminal("assume", "long")
    for code in (device.code(), device.code(1)):
        terminal.expect_exact(f"MFA code for {device.serial}: ")
        terminal.sendline(code)
        terminal.expect_exact("assumed-role/Guarded/alice")

    assert "RefreshWithMFAUnsupportedError" not in project.finish(terminal)


def test_a_renewal_without_a_terminal_is_a_clear_error(
    project: Project, sts: StrictSts, user: Key
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.tasks(TASKS)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    sts.lifetime = 3

    result = project.run("assume", "--mfa-code", device.code(), "long", code=1)

    assert "assumed-role/Guarded/alice" in result.out
    assert "nobody can be asked for it" in result.err
    assert "Traceback" not in result.err


def test_a_web_identity_is_renewed_with_the_token_of_then(project: Project, sts: StrictSts) -> None:
    token = project.home / ".aws" / "token"
    token.parent.mkdir()
    token.write_text(sts.web_identity_token)
    project.tasks(TASKS)
    project.environ |= {
        "AWS_ROLE_ARN": sts.role("Ci").arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": "eu-central-1",
    }
    sts.lifetime, sts.token_file = 3, token

    result = project.run("assume", "long")

    used = [params["WebIdentityToken"] for name, params in sts.calls if "WebIdentity" in name]
    assert result.out.count("assumed-role/Ci") == 3
    assert len(used) >= 3
    assert len(set(used)) == len(used)


def test_a_short_session_is_not_renewed_at_every_use(
    project: Project, sts: StrictSts, role: Role
) -> None:
    sts.lifetime = 100  # below min_ttl_seconds from the start

    project.run("assume", "whoami", "whoami", "assume", "whoami")
    project.run("assume")

    assert sts.count("AssumeRole") == 1


def test_a_session_keeps_its_role_whatever_comes_later(
    project: Project, sts: StrictSts, role: Role
) -> None:
    other = sts.role("Other")
    project.tasks(
        "from invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef two(c):\n"
        "    first = session(c)\n"
        f"    assume(c, role_arn={other.arn!r})\n"
        "    for each in (first, session(c)):\n"
        "        print(each.client('sts').get_caller_identity()['Arn'].split('/')[1])\n"
    )

    assert project.run("assume", "two").out.split() == ["Deployer", "Other"]


@pytest.mark.parametrize(
    ("client", "keep_fresh"),
    [("of its own", False), ("of its own", True), ("of its parent", False)],
)
def test_a_fork_during_a_renewal_uses_the_same_code(
    project: Project, sts: StrictSts, user: Key, client: str, keep_fresh: bool
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.settings(
        profile="dev", role_arn=role.arn, mfa_serial=device.serial, keep_fresh=keep_fresh
    )
    project.tasks(FORKING.replace("OWN", str(client == "of its own")))
    sts.lifetime = 6

    terminal = project.terminal("assume", "forking")
    terminal.expect_exact(f"MFA code for {device.serial}: ")
    terminal.sendline(device.code())
    terminal.expect_exact(f"MFA code for {device.serial}: ")
    sts.lifetime = None
    (project.folder / "asked").touch()
    terminal.expect_exact("waiting")
    terminal.sendline(device.code(1))
    text = project.finish(terminal)

    assert text.count("assumed-role/Guarded/alice") == 2
    assert "MFA code" not in text
    assert sts.count("AssumeRole") == 2
