"""What the old page did by hand: assume a role, and deploy with gulp and node-aws-lambda.

The package knows no variable for the endpoint, so the project's lambda-config.js sets that; the
credentials come from the exported variables and from nowhere else.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import EmbeddedAws
from tests.documents import code
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project, of_registries
from tests.taint import TAINT

pytestmark = pytest.mark.registry

PACKAGES = ("gulp@4", "gulp-install@1", "gulp-zip@5", "del@6", "node-aws-lambda@0.1.8")
ROLE = "arn:aws:iam::000000000000:role"
GULPFILE = """
const gulp = require("gulp");
const del = require("del"), install = require("gulp-install"), zip = require("gulp-zip");
const lambda = require("node-aws-lambda");

const clean = () => del(["dist", "dist.zip"]);
const js = () => gulp.src("index.js").pipe(gulp.dest("dist"));
const mods = () =>
  gulp.src("package.json").pipe(gulp.dest("dist")).pipe(install({production: true}));
const pack = () =>
  gulp.src(["dist/**/*", "!dist/package*.json"]).pipe(zip("dist.zip")).pipe(gulp.dest("."));
const upload = (done) => lambda.deploy("dist.zip", require("./lambda-config.js"), done);

exports.deploy = gulp.series(clean, gulp.parallel(js, mods), pack, upload);
"""
CONFIG = """
require("aws-sdk").config.update({endpoint: process.env.AWS_ENDPOINT_URL});
module.exports = {
  region: process.env.AWS_REGION,
  functionName: "hello",
  handler: "index.handler",
  runtime: "nodejs20.x",
  role: "arn:aws:iam::000000000000:role/hello",
  timeout: 10,
  memorySize: 128,
};
"""
INDEX = """
const ms = require("ms");
exports.handler = async (event) => ({greeting: `Hello, ${event.name}!`, hour: ms("1h")});
"""
TASKS = "from tasks_aws import deploy, env\n" + code("Deploy with gulp or another tool", "python")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder node_modules with what gulpfile.js needs: that of NODE_PATH, or a new one."""
    for given in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if given and (Path(given) / "node-aws-lambda").is_dir():
            return Path(given)
    folder = tmp_path_factory.mktemp("node")
    environ = {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir}
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
    subprocess.run([*install, *PACKAGES], env=environ, check=True, timeout=300)
    return Path(folder / "node_modules")


@pytest.fixture
def old_page(project: Project, aws: EmbeddedAws, packages: Path) -> Project:
    """A project as that page describes it; its AWS files hold a user who may assume a role."""
    (project.folder / "node_modules").symlink_to(packages)
    for name, text in {"gulpfile.js": GULPFILE, "lambda-config.js": CONFIG}.items():
        (project.folder / name).write_text(text)
    (project.folder / "index.js").write_text(INDEX)
    (project.folder / "package.json").write_text(
        json.dumps({"name": "hello", "private": True, "dependencies": {"ms": "2.1.3"}})
    )
    project.tasks(TASKS)
    project.settings(
        profile="developer",
        role_arn=f"{ROLE}/deployer",
        region="us-east-1",
        functions={
            "hello": {
                "source": ["dist/index.js", {"dist/node_modules": "node_modules"}],
                "requirements": "none",
                "Handler": "index.handler",
                "Runtime": "nodejs20.x",
                "Role": f"{ROLE}/hello",
                "MemorySize": 256,
            }
        },
    )
    TAINT.installs_itself("gulp has the session, and runs `npm install`")
    home = pwd.getpwuid(os.getuid()).pw_dir
    project.environ |= {**of_registries(os.environ), "npm_config_userconfig": f"{home}/.npmrc"}
    return project


def greeting(aws: EmbeddedAws) -> object:
    answer = aws.functions().invoke(FunctionName="hello", Payload=b'{"name": "you"}')
    return json.loads(answer["Payload"].read())


def change(project: Project) -> None:
    """Let the function say something else, with more memory."""
    (project.folder / "index.js").write_text(INDEX.replace("Hello", "Good morning"))
    (project.folder / "lambda-config.js").write_text(CONFIG.replace("128", "256"))


def memory(aws: EmbeddedAws) -> int:
    return aws.functions().get_function_configuration(FunctionName="hello")["MemorySize"]


def refuse_changes_while_one_is_under_way(proxy: Proxy) -> None:
    """Answer as Lambda does, and MiniStack does not, until somebody has seen that it is over."""
    under_way = False

    def on_change(handler: Handler) -> bool:
        nonlocal under_way
        if under_way:
            text = "The operation cannot be performed at this time. An update is in progress"
            kind = {"x-amzn-ErrorType": "ResourceConflictException"}
            handler.send(409, kind, json.dumps({"message": text}).encode())
        under_way, refused = True, under_way
        return refused

    def on_look(handler: Handler) -> bool:
        nonlocal under_way
        status, headers, body = handler.forwarded()
        found = json.loads(body)
        if found.get("Configuration", found).get("LastUpdateStatus") == "Successful":
            under_way = False
        handler.send(status, headers, body)
        return True

    every = float("inf")
    proxy.rules.append(Rule("PUT .*/functions/hello/(code|configuration)", on_change, every))
    proxy.rules.append(Rule("GET .*/functions/hello(/configuration)?$", on_look, every))


def test_assume_and_a_task_that_calls_gulp(old_page: Project, aws: EmbeddedAws) -> None:
    old_page.run("assume", "gulp-deploy")
    created = greeting(aws)
    change(old_page)
    old_page.run("assume", "gulp-deploy")

    assert created == {"greeting": "Hello, you!", "hour": 3_600_000}
    assert greeting(aws) == {"greeting": "Good morning, you!", "hour": 3_600_000}
    assert memory(aws) == 256


def test_without_assume_gulp_has_no_credentials(old_page: Project, aws: EmbeddedAws) -> None:
    old_page.tasks(TASKS.replace("(pre=[assume])", ""))

    assert "Check your AWS credentials" in old_page.run("gulp-deploy", code=1).out
    assert aws.functions().list_functions()["Functions"] == []


def test_credentials_in_a_shell_and_gulp_there(old_page: Project, aws: EmbeddedAws) -> None:
    invoke = f"{sys.executable} -m invoke"
    for version in ("Hello", "Good morning"):
        script = f'creds=$({invoke} assume env) && eval "$creds" && node_modules/.bin/gulp deploy'
        subprocess.run(
            ["bash", "-c", script],
            cwd=old_page.folder,
            env=old_page.environ,
            check=True,
            timeout=120,
        )
        assert greeting(aws) == {"greeting": f"{version}, you!", "hour": 3_600_000}
        change(old_page)


def test_where_gulp_fails_because_it_does_not_wait_deploy_succeeds(
    old_page: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    refuse_changes_while_one_is_under_way(proxy)
    old_page.run("assume", "gulp-deploy")
    change(old_page)

    failed = old_page.run("assume", "gulp-deploy", code=1)
    left = memory(aws)
    old_page.run("assume", "deploy")

    assert "Update function configuration failed" in failed.out
    assert "ResourceConflictException" in failed.out + failed.err
    assert left == 128
    assert memory(aws) == 256
    assert greeting(aws) == {"greeting": "Good morning, you!", "hour": 3_600_000}
