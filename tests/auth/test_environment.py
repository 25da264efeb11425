"""Which programs see the session, and which see the environment as it was before `assume`.

While credentials are obtained or renewed, nothing that starts meanwhile is anybody else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.auth.test_sources import serving
from tests.packaging.support import FUNCTION
from tests.strict_sts import USER_ARN, Key, Role, StrictSts
from tests.support import Project, nosy_repository
from tests.taint import TAINT


@pytest.fixture
def seen(project: Project, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Programs `uv`, `npm` and `look`, which only write down what they see.

    That is their environment, and their arguments as `words`.
    """
    (programs := tmp_path / "programs").mkdir()
    for name in ("uv", "npm", "look"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nenv words="$*" > "{tmp_path}/{name}.env"\n')
        program.chmod(0o755)
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"

    def seen_by(name: str) -> dict[str, str]:
        lines = (tmp_path / f"{name}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    return seen_by


def write_source(project: Project, files: dict[str, str]) -> None:
    (project.folder / "src").mkdir()
    for name, text in files.items():
        (project.folder / "src" / name).write_text(text)


@pytest.mark.parametrize("task", ["build", "package"])
@pytest.mark.parametrize("program", ["uv", "npm", "look"])
def test_builds_and_installers_see_the_environment_of_before(
    project: Project,
    role: Role,
    seen: Callable[[str], dict[str, str]],
    program: str,
    task: str,
) -> None:
    python = {"app.py": "def handler(event, context): ...", "requirements.txt": "x==1"}
    node = {"app.js": "exports.handler = 1", "package-lock.json": "{}"}
    node["package.json"] = '{"optionalDependencies": {"x": "1"}}'
    write_source(project, node if program == "npm" else python)
    changes: dict[str, dict[str, object]] = {
        "uv": {},
        "npm": {"Runtime": "nodejs22.x"},
        "look": {"requirements": "none", "build": ["look"]},
    }
    function = {**FUNCTION, **changes[program]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    result = project.run("assume", task, "child", environ={"AWS_PROFILE": "dev"})

    environ = seen(program)
    assert environ["AWS_PROFILE"] == "dev"
    assert not [name for name in environ if name.startswith("AWS_S")]  # secret or session
    assert project.exported(result)["AWS_SESSION_TOKEN"]  # it is back for what follows


def test_builds_see_what_you_have_exported_yourself(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    write_source(project, {"app.py": "def handler(event, context): ..."})
    function = {**FUNCTION, "build": ["look"]}
    project.settings(role_arn=role.arn, region="eu-central-1", functions={"hello": function})
    environ = {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "your-own"}
    sts.keys["AKIAOWN"] = Key(id="AKIAOWN", secret="your-own", arn=USER_ARN)

    project.run("assume", "package", environ=environ)

    assert seen("look")["AWS_SECRET_ACCESS_KEY"] == "your-own"


def test_deploy_builds_without_the_session(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    write_source(project, {"app.py": "def handler(event, context): ..."})
    function = {**FUNCTION, "Role": role.arn, "build": ["look"]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    project.run("assume", "deploy", code=1)  # there is no Lambda here

    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_programs_that_git_runs_do_not_see_the_session(
    project: Project, role: Role, tmp_path: Path
) -> None:
    write_source(project, {"app.py": "def handler(event, context): ..."})
    function = {**FUNCTION, "Description": "${git:sha} ${env:AWS_REGION:-unset}"}
    project.settings(
        profile="dev", role_arn=role.arn, functions={"hello": function}, targets={"other": {}}
    )
    nosy_repository(project.folder, tmp_path / "seen")

    project.run("assume", "assume", "--target", "other", environ={"KEPT": "1"})

    seen = (tmp_path / "seen").read_text()
    assert seen.count("KEPT=1\n") >= 2
    assert "AWS_SESSION_TOKEN" not in seen
    assert "AWS_REGION" not in seen


BESIDE = """
import os, subprocess, threading
from invoke import task
from tasks_aws import *

@task
def beside(c):
    own, children = [], []
    packaging = threading.Thread(target=package, args=(c,))
    packaging.start()
    child = ["sh", "-c", 'test -n "$AWS_SESSION_TOKEN" -a -z "$AWS_PROFILE"']
    while packaging.is_alive():
        children.append(subprocess.run(child).returncode)
        own.append("AWS_SESSION_TOKEN" in os.environ and "AWS_PROFILE" not in os.environ)
    print(len(children) > 9, set(children), set(own))
"""


def test_other_threads_and_their_children_keep_the_session_while_a_build_runs(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    for name in ("uv", "look"):  # slow ones
        with (tmp_path / "programs" / name).open("a") as program:
            program.write("sleep 1\n")
    write_source(project, {"app.py": "def handler(event, context): ...", "requirements.txt": "x"})
    project.tasks(BESIDE)
    function = {**FUNCTION, "build": ["look"]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    result = project.run("assume", "beside", environ={"AWS_PROFILE": "dev"})

    assert result.out == "True {0} {True}\n"
    for name in ("uv", "look"):
        assert "AWS_SESSION_TOKEN" not in seen(name)
        assert seen(name)["AWS_PROFILE"] == "dev"


def test_a_credential_process_does_not_see_the_role_of_before(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    project.profile("process", credential_process="look", region="eu-central-1")

    project.run("assume", "assume", "--profile", "process", code=1)

    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_a_command_for_codes_does_not_see_the_role_of_before(
    project: Project, sts: StrictSts, user: Key, seen: Callable[[str], dict[str, str]]
) -> None:
    first, second = sts.role("First"), sts.role("Second", mfa=True)
    guarded = {"role_arn": second.arn, "mfa_serial": sts.device().serial, "mfa_command": "look"}
    project.settings(profile="dev", role_arn=first.arn, targets={"guarded": guarded})

    project.run("assume", "assume", "--target", "guarded", code=1)

    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_a_browser_has_the_url_and_not_the_session(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    with serving(lambda path, headers: {"SigninToken": "x"}) as url:
        environ = {"AWS_ENDPOINT_URL_SIGNIN": url, "BROWSER": "look"}
        result = project.run("assume", "console", "--open", environ=environ)

    assert result.out == ""
    assert f"{url}/federation?Action=login" in seen("look")["words"]
    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_what_exec_runs_has_the_session(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    program = "import os; print(len(os.environ['AWS_SESSION_TOKEN']), end=' ')\n"
    program += "print(oct(os.stat('/proc/self/environ').st_mode & 0o777))"

    out = project.run("assume", "exec", "--", sys.executable, "-c", program).out

    _, token = sts.session_secrets()
    assert out == f"{len(token)} 0o400\n"


TASKS = """
SAMPLES = 500  # of each kind
import contextlib, json, os, subprocess, sys, threading, time
import botocore.session
from invoke import task
from tasks_aws import *

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE")
samples = {"children": [], "variables": [], "clients": []}

def sample_children():
    script = "echo " + " ".join(f'"${name}"' for name in NAMES)
    while True:
        said = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True).stdout
        samples["children"].append(said.split())

def sample_variables():
    while True:
        samples["variables"].append([os.environ.get(name, "") for name in NAMES])
        time.sleep(0.002)

def sample_clients():
    while True:
        with contextlib.suppress(RuntimeError):  # botocore, of a session that has just ended
            found = botocore.session.Session().get_credentials()
            samples["clients"].append([found.get_frozen_credentials().access_key])
        time.sleep(0.01)

@task
def sample(c):
    for each in (sample_children, sample_variables, sample_clients):
        threading.Thread(target=each, daemon=True).start()

@task
def renew(c):
    client = session(c).client("sts")
    for _ in range(3):
        client.get_caller_identity()
        time.sleep(2.2)

@task
def look(c):
    for _ in range(3):
        c.run("sh -c 'echo $AWS_ACCESS_KEY_ID' >> looked")
        time.sleep(1.5)

@task
def report(c):
    def enough():
        asked = len(open("ASKED").readlines())
        sampled = min(len(samples["children"]), len(samples["variables"]))
        return asked >= NEEDED and sampled >= SAMPLES
    deadline = time.monotonic() + 90
    while not enough() and time.monotonic() < deadline:
        time.sleep(0.1)
    counts = {kind: len(each) for kind, each in samples.items()}
    seen = {kind: sorted(set(map(tuple, each))) for kind, each in samples.items()}
    print(json.dumps([counts, seen]))
"""
SLOW = """
import sys, time
with open(sys.argv[1], "a") as log:
    log.write("asked\\n")
time.sleep(1.5)
print(open(sys.argv[2]).read())
"""


@pytest.fixture
def admin(project: Project, sts: StrictSts) -> Key:
    """Keys of another account, exported in the shell."""
    key = sts.user_key("arn:aws:iam::999999999999:user/admin")
    project.environ |= {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_PROFILE": "admin",
        "AWS_REGION": "eu-central-1",
    }
    project.profile("admin", aws_access_key_id=key.id, aws_secret_access_key=key.secret)
    return key


@pytest.fixture
def asked(project: Project, sts: StrictSts, tmp_path: Path) -> Path:
    """A profile `slow` whose credential_process takes seconds; a file has a line for each run."""
    key = sts.user_key()
    answer, log, program = (tmp_path / name for name in ("answer", "log", "slow.py"))
    answer.write_text(
        json.dumps({"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret})
    )
    TAINT.own(answer, key.secret)
    program.write_text(SLOW)
    project.profile(
        "slow", credential_process=f"{sys.executable} {program} {log} {answer}", region="eu-west-1"
    )
    return log


COMMANDS = {
    "renewal": ["assume", "sample", "renew", "report"],
    "renewal for children": ["assume", "--keep-fresh", "sample", "look", "report"],
    "second role": ["assume", "sample", "assume", "--target", "other", "report"],
    "targets": ["assume", "sample", "caught", "report"],
    "build": ["assume", "sample", "package", "report"],
}
FAN_OUT = """
@task
def caught(c):
    try:
        plan(c, target=["one", "two"])
    except TasksAwsError as error:  # there is no Lambda
        print(error, file=sys.stderr)
"""


@pytest.mark.parametrize("work", COMMANDS)
def test_nobody_is_ever_the_user_while_a_source_is_loaded(
    project: Project, sts: StrictSts, admin: Key, asked: Path, work: str
) -> None:
    first, second = sts.role("First"), sts.role("Second")
    sts.lifetime = 3 if "renewal" in work else None
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): ...")
    function = {**FUNCTION, "Role": first.arn, "build": ["sleep 2"], "requirements": "none"}
    needed = 1 if work == "build" else 2
    tasks = (TASKS + FAN_OUT).replace("ASKED", str(asked)).replace("NEEDED", str(needed))
    project.tasks(tasks)
    project.settings(
        profile="slow",
        role_arn=first.arn,
        account_id="123456789012",
        functions={"hello": function},
        targets={name: {"role_arn": second.arn} for name in ("other", "one", "two")},
    )

    result = project.run(*COMMANDS[work], timeout=120)

    counts, samples = json.loads(result.out.splitlines()[-1])
    users = {"", admin.id, *(key.id for key in sts.keys.values() if not key.token)}
    if work == "renewal for children":
        users.remove("")  # children have no keys, but files of ours
        configs = [config for _, _, config in samples["variables"]]
        assert all(each.startswith(project.environ["TMPDIR"]) for each in configs)
    assert not {sample[0] for each in samples.values() for sample in each} & users
    assert not [sample for each in samples.values() for sample in each if "admin" in sample]
    assert len(asked.read_text().splitlines()) >= needed
    assert min(counts["children"], counts["variables"]) >= 500
    assert counts["clients"]
