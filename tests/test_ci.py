"""The recipes for CI systems, run as their runners run them."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks_aws.packaging.python.installers import find_uv
from tests.auth.test_sources import ARN, as_container, serving
from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.conftest import EmbeddedAws
from tests.documents import PAGES, ROOT, blocks, code, section, text
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT
from tests.wheels import make_wheel, offline

TASKS = """
import time
from invoke import task
from tasks_aws import assume, env, package, prune, session, whoami

@task
def deploy(c, times=1):
    client = session(c).client("sts")
    for _ in range(times):
        print(client.get_caller_identity()["Arn"], flush=True)
        time.sleep(2.2 if times > 1 else 0)
"""
IN_PYTHON = {"Handler": "app.handler", "Runtime": "python3.13"}
TOKEN_SECONDS = 3  # less than the task takes
PINNED = "install --require-hashes -r deploy.txt"
NOISE = ("\x1b", "\r", "MFA code", "?")  # colours, moving lines, questions


@dataclass
class Runner:
    """Runs steps one after the other, each in a shell of its own; what they leave running ends."""

    project: Project
    environ: dict[str, str]
    groups: list[int] = field(default_factory=list)

    def run(self, command: list[str], environ: Mapping[str, str]) -> tuple[str, str]:
        """Return what a step printed on stdout and on stderr."""
        out, err = (self.project.home / ".aws" / name for name in ("out", "err"))
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                command,
                cwd=self.project.folder,
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            self.groups.append(process.pid)
            code = process.wait(60)
        printed = out.read_text(), err.read_text()
        assert code == 0, printed
        assert [sign for sign in NOISE for text in printed if sign in text] == []
        return printed


@pytest.fixture
def runner(project: Project) -> Iterator[Runner]:
    """A runner that has our package, and sets CI."""
    programs = project.home / ".aws" / "bin"
    programs.mkdir(parents=True)
    for name, line in {
        "invoke": f'exec "{sys.executable}" -m invoke "$@"',
        "pip": f'test "$*" = "{PINNED}" && "{sys.executable}" -c "import tasks_aws"',
        "aws": f'"{sys.executable}" "{programs}/caller.py"',
        "apk": 'test "$*" = "add jq"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    (programs / "caller.py").write_text(
        "import boto3\nprint(boto3.client('sts').get_caller_identity()['Arn'])\n"
    )
    path = f"{programs}:{os.environ['PATH']}"
    made = Runner(project, {**project.environ, "CI": "true", "PATH": path})
    yield made
    for group in made.groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def test_github_actions_with_tokens_that_end_before_the_task(
    project: Project, sts: StrictSts, runner: Runner
) -> None:
    project.tasks(TASKS)
    sts.role("Deployer")
    job: Any = yaml.safe_load(code("Deploy from GitHub Actions", "yaml"))["jobs"]["deploy"]
    steps = [step["run"] for step in job["steps"] if "run" in step]

    def give_token(path: str, headers: dict[str, str]) -> object:
        if (
            path != "/token?v=2&audience=sts.amazonaws.com"
            or headers["authorization"] != "Bearer x"
        ):
            return None
        token = secrets.token_urlsafe(40)
        sts.web_identity_tokens[token] = time.time() + TOKEN_SECONDS
        TAINT.collect(token)
        return {"value": token}

    variables = project.home / ".aws" / "github_env"  # where secrets may be
    variables.touch()
    printed, ended = [], 0.0
    with serving(give_token) as url:
        context = {
            **job["env"],
            "GITHUB_ENV": str(variables),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?v=2",
        }
        for step in steps:
            is_task = "invoke assume deploy" in step
            sts.lifetime = 3 if is_task else None
            text = step + (" -t4" if is_task else "")
            handed = dict(line.split("=", 1) for line in variables.read_text().splitlines())
            out, _ = runner.run(["bash", "-e", "-c", text], {**context, **handed})
            printed.append(out)
            ended = time.time() if is_task else ended

    used = [params["WebIdentityToken"] for name, params in sts.calls if "WebIdentity" in name]
    tasks, masks, other = printed[-3:]
    assert tasks.count("assumed-role/Deployer/") == 4
    assert sts.web_identity_tokens[used[0]] < ended  # the task outlived the first, and its session
    assert len(set(used)) > 1
    handed = dict(line.split("=", 1) for line in variables.read_text().splitlines())
    key = sts.keys[handed["AWS_ACCESS_KEY_ID"]]
    TAINT.own(variables, key.secret, str(key.token))
    assert masks.splitlines() == [f"::add-mask::{key.secret}", f"::add-mask::{key.token}"]
    assert "assumed-role/Deployer/" in other


def test_gitlab(project: Project, sts: StrictSts, runner: Runner) -> None:
    project.tasks(TASKS)
    sts.role("Deployer")
    job: Any = yaml.safe_load(code("Deploy from GitLab", "yaml"))["deploy"]
    file = project.home / ".aws" / "token"
    (name,) = job["id_tokens"]
    context = {**job["variables"], name: sts.web_identity_token}
    context["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(file)

    out, err = runner.run(["sh", "-ec", "\n".join(job["script"])], context)
    TAINT.own(file, sts.web_identity_token)

    assert "assumed-role/Deployer/" in out
    assert err.count("\n") == 1  # one line for one event
    assert file.stat().st_mode & 0o077 == 0


def on_github(jobs: Any, runner: Runner) -> list[str]:
    """Run the jobs of the matrix, and return the command of the one that reports."""
    deploy, report = jobs["jobs"]["deploy"], jobs["jobs"]["report"]
    shards = deploy["strategy"]["matrix"]["shard"]
    for shard in shards:
        for step in (step["run"] for step in deploy["steps"] if "run" in step):
            text = step.replace("${{ matrix.shard }}", str(shard))
            text = text.replace("${{ strategy.job-total }}", str(len(shards)))
            runner.run(["bash", "-e", "-c", text], {})
    assert deploy["steps"][-1]["with"]["path"] == "shard-*.json"
    return ["bash", "-e", "-c", report["steps"][-1]["run"]]


def on_gitlab(jobs: Any, runner: Runner) -> list[str]:
    deploy, report = jobs["deploy"], jobs["report"]
    token = runner.project.home / ".aws" / "token"
    for index in range(deploy["parallel"]):
        context = {
            "OIDC_TOKEN": "not used",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "CI_NODE_INDEX": str(index + 1),
            "CI_NODE_TOTAL": str(deploy["parallel"]),
        }
        runner.run(["sh", "-ec", "\n".join(deploy["script"])], context)
    assert deploy["artifacts"]["paths"] == ["shard-*.json"]
    return ["sh", "-ec", "\n".join(report["script"])]


@pytest.mark.parametrize(
    ("title", "system"),
    [("Deploy with a matrix of jobs", on_github), ("Deploy with parallel jobs", on_gitlab)],
)
def test_the_jobs_of_a_matrix_deploy_all_functions_and_report_them_in_one_table(
    project: Project,
    aws: EmbeddedAws,
    runner: Runner,
    title: str,
    system: Callable[[Any, Runner], list[str]],
) -> None:
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    write_source(project)
    names = ["five", "four", "one", "six", "three", "two"]
    function = {**HELLO, "alias": "live"}
    describe(project, role="everything", aws={"functions": dict.fromkeys(names, function)})

    report = system(yaml.safe_load(code(title, "yaml")), runner)
    table, _ = runner.run(report, {})

    lines = [line.split("\t") for line in table.splitlines()]
    assert lines == [[name, "-", "created", "1", ""] for name in names]
    found = aws.functions().list_functions()["Functions"]
    assert sorted(each["FunctionName"] for each in found) == names
    for path in project.folder.glob("shard-*.json"):  # as when no role can be assumed
        path.write_text("")
    assert runner.run(report, {})[0] == ""


def test_a_branch_may_plan_with_the_permissions_that_policy_prints(
    project: Project, aws: EmbeddedAws, runner: Runner
) -> None:
    write_source(project)
    describe(project, role="everything")
    title = "Show on a branch what would change"
    job: Any = yaml.safe_load(code(title, "yaml"))["jobs"]["plan"]
    (command,) = re.findall(r"^\$ invoke (.*) > planner.json$", section(title), re.MULTILINE)

    printed = json.loads(project.run(*command.split()).out)
    for step in (step["run"] for step in job["steps"] if "run" in step):
        _, said = runner.run(["bash", "-e", "-c", step], {})

    assert "repo:OWNER/REPO:ref:refs/heads/*" in str(printed["AssumeRolePolicyDocument"])
    assert "lambda:CreateFunction" not in str(printed["PolicyDocuments"])
    assert "plan      hello  create" in said


@pytest.mark.parametrize("system", ["github:OWNER/REPO:main", "gitlab:GROUP/PROJECT:main"])
def test_the_tokens_of_the_jobs_are_those_that_the_role_trusts(
    project: Project, system: str
) -> None:
    write_source(project)
    describe(project)
    project.profile("developer", region="eu-central-1")
    (page,) = (each for each in PAGES if f"--trust {system} --format cloudformation" in text(each))
    audiences = re.findall(r'aud: "(.*?)"', text(page)) or ["sts.amazonaws.com"]

    template = project.run("policy", "--trust", system, "--format", "cloudformation").out

    assert set(audiences) == set(re.findall(r":aud\W+([\w.:/-]+)", template))


def test_a_profile_of_ones_own_is_not_in_the_project(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.settings(role_arn=sts.role("Deployer").arn)
    own = code("Keep your profile out of the project", "yaml")
    (project.home / ".invoke.yaml").write_text(own)

    here = project.run("assume", "whoami").out
    (project.home / ".invoke.yaml").unlink()
    in_variable = project.run("assume", "whoami", environ={"AWS_PROFILE": "dev"}).out

    assert here == in_variable
    assert "assumed-role/Deployer/" in here


def test_no_example_installs_what_is_not_pinned() -> None:
    examples = {page: "".join(blocks("yaml", text(page))) for page in PAGES}
    examples |= {path: text(path) for path in (ROOT / "sample_project").rglob(".github/**/*.yml")}
    assert any(path.name == "ci.yml" for path in examples)
    for example in examples.values():
        installed = re.findall(r"^.*pip install .*$", example, re.M)
        assert [line for line in installed if not line.endswith(f"pip {PINNED}")] == []
        for action, version in re.findall(r"uses: (\S+)@(\S+)", example):
            assert re.fullmatch("[0-9a-f]{40}", version), action


def test_our_own_workflows_install_nothing_from_outside_that_is_not_pinned() -> None:
    said = "".join(text(path) for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    installed = [shlex.split(line) for line in re.findall(r"pip install (.*)$", said, re.M)]

    assert installed
    for words in installed:
        if "--require-hashes" not in words:
            names = [word for word in words if not word.startswith(("-", ".", "dist/", "build/"))]
            assert [name for name in names if "==" not in name] == []


def test_a_file_that_is_not_the_pinned_one_is_refused(project: Project, tmp_path: Path) -> None:
    uv = find_uv(project.environ)
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "tasks_aws", tag="py3-none-any", files={"tasks_aws/__init__.py": ""})
    environ = {**project.environ, **offline(wheels)}
    pins = section("Pin what CI installs")
    (project.folder / "deploy.in").write_text(code("Pin what CI installs", "text"))
    compiling = blocks("console", pins)[0].removeprefix("$ ").split()
    assert compiling.pop(0) == "uv"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=project.folder, env=environ, capture_output=True, text=True
        )

    compiled = run(str(uv), *compiling)
    assert compiled.returncode == 0, compiled.stderr
    pip = (sys.executable, "-m", "pip", *PINNED.split(), "--quiet", "--target", "installed")
    accepted = run(*pip)
    make_wheel(wheels, "tasks_aws", tag="py3-none-any", files={"tasks_aws/__init__.py": "evil"})
    refused = run(*pip, "--upgrade", "--no-cache-dir")

    assert "tasks-aws==1.0 \\\n    --hash=sha256:" in (project.folder / "deploy.txt").read_text()
    assert accepted.returncode == 0, accepted.stderr
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr


@pytest.mark.parametrize("kind", ["container", "instance"])
def test_a_runner_with_a_role_of_its_own(
    project: Project, sts: StrictSts, runner: Runner, kind: str
) -> None:
    project.tasks(TASKS)
    key, role = sts.issue(ARN, 3600), sts.role("Deployer")
    metadata: dict[str, object] = {
        "/latest/api/token": "metadata-token",
        "/latest/meta-data/iam/security-credentials/": "Source",
        "/latest/meta-data/iam/security-credentials/Source": {
            **as_container(key),
            "Code": "Success",
        },
        "/credentials": as_container(key),
    }
    with serving(lambda path, headers: metadata.get(path)) as url:
        context = {
            "AWS_REGION": "eu-central-1",
            **(
                {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials"}
                if kind == "container"
                else {
                    "AWS_EC2_METADATA_DISABLED": "false",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": url,
                }
            ),
        }
        words = ["assume", "deploy", "assume", "--role-arn", role.arn, "whoami"]
        out, _ = runner.run(["invoke", *words], context)

    assert out.startswith(f"{ARN}\n")
    assert "assumed-role/Deployer/" in out


def test_a_terminal_of_a_ci_system_is_asked_nothing_and_shown_nothing_that_moves(
    project: Project, sts: StrictSts, role: Role
) -> None:
    device, guarded = sts.device(), sts.role("Guarded", mfa=True)
    project.environ["CI"] = "true"
    (project.folder / "app.py").write_text("handler = 1")
    project.settings(
        profile="dev",
        role_arn=guarded.arn,
        mfa_serial=device.serial,
        functions={"hello": {"source": "app.py", **IN_PYTHON}},
    )

    refused = project.finish(project.terminal("assume"), code=1)
    packaged = project.finish(project.terminal("package"))
    asked = project.finish(project.terminal("prune"), code=1)

    assert "nobody is prompted when CI is set." in refused
    assert "zip " in packaged
    assert "\x1b" not in packaged + refused + asked
    assert "Pass --yes" in asked
