"""The recipes of the how-to guides, run."""

from __future__ import annotations

import base64
import json
import re
import runpy
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tasks_aws.packaging.python.installers import find_uv
from tests.aws_lambda.describe import describe, write_source
from tests.conftest import EmbeddedAws
from tests.documents import PAGES, blocks, code, section, text
from tests.npm_registry import serve_npm
from tests.packaging.python.test_declared_ships import local_project
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT
from tests.wheels import make_wheel, offline


def test_several_accounts(project: Project, sts: StrictSts, user: Key) -> None:
    sts.role("Deployer", account="210987654321")
    title = "Deploy to another account"
    (project.folder / "invoke.yaml").write_text(code(title, "yaml"))
    assert "`invoke assume --target prod deploy`" in section(title)

    result = project.run("assume", "--target", "prod", "whoami")

    assert "arn:aws:sts::210987654321:assumed-role/Deployer" in result.out


def test_boto3_in_a_task(project: Project, sts: StrictSts, role: Role) -> None:
    tasks = code("Use boto3 in a task", "python").replace(
        'print([bucket.name for bucket in session(c).resource("s3").buckets.all()])',
        'print(session(c).client("sts").get_caller_identity()["Arn"])',
    )
    project.tasks(tasks)

    assert "assumed-role/Deployer" in project.run("buckets").out


def test_work_that_outlives_a_session(project: Project, sts: StrictSts, role: Role) -> None:
    commands = re.findall(r"\$ invoke (.*)", code("Keep credentials fresh", "console"))
    words, _, program = commands[0].partition(" -- ")
    assert program.startswith("aws ")
    assert commands[1] == "assume --keep-fresh shell"
    caller = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"

    result = project.run(*words.split(), "--", sys.executable, "-c", caller)

    assert "assumed-role/Deployer" in result.out


def test_another_role_for_one_task(project: Project, sts: StrictSts, role: Role) -> None:
    audit = sts.role("Audit")
    project.settings(profile="dev", role_arn=role.arn, targets={"audit": {"role_arn": audit.arn}})
    project.tasks(code("Assume another role for one task", "python") + "from tasks_aws import *\n")

    out = project.run("report").out

    assert out.index("assumed-role/Audit") < out.index("assumed-role/Deployer")


def test_tags_and_policies(project: Project, sts: StrictSts, user: Key) -> None:
    sts.role("Deployer")
    (project.folder / "invoke.yaml").write_text(code("Restrict and label a session", "yaml"))

    project.run("assume")

    assert sts.calls[-1][1]["Tags.member.1.Value"] == "web"


@pytest.fixture
def wheels(project: Project, tmp_path: Path) -> Path:
    """A folder of wheels that is all that installers see."""
    make_wheel(tmp_path / "wheels", "pure", tag="py3-none-any", files={"pure/__init__.py": ""})
    project.environ.update(offline(tmp_path / "wheels"))
    return tmp_path / "wheels"


def shared_library(folder: Path) -> None:
    """Write the library of one's own."""
    for name, content in local_project("shared").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def packaged(project: Project, name: str) -> list[str]:
    """Return the names in an archive."""
    with zipfile.ZipFile(project.folder / ".tasks_aws" / name) as archive:
        return archive.namelist()


def test_workspaces(project: Project, wheels: Path) -> None:
    title = "Package the members of a uv workspace"
    [tree] = blocks("text", section(title))
    root = re.search(r"pyproject.toml +(\[.*?\]) (members.*)", tree)
    assert root
    (project.folder / "pyproject.toml").write_text(f"{root[1]}\n{root[2]}\n")
    app = project.folder / "functions" / "orders" / "src" / "app.py"
    app.parent.mkdir(parents=True)
    app.write_text("import shared\ndef handler(event, context): ...\n")
    (project.folder / "functions/orders/pyproject.toml").write_text(code(title, "toml"))
    shared_library(project.folder / "libs" / "shared")
    uv = str(find_uv(project.environ))
    subprocess.run([uv, "lock", "--quiet"], cwd=project.folder, env=project.environ, check=True)
    (project.folder / "invoke.yaml").write_text(code(title, "yaml"))

    project.run("package")

    assert {"app.py", "shared/__init__.py"} <= {*packaged(project, "orders.zip")}


def test_libraries_of_ones_own(project: Project, wheels: Path) -> None:
    folder = project.folder / "functions" / "orders"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("import shared\ndef handler(event, context): ...\n")
    (folder / "requirements.txt").write_text(code("Share a library with requirements.txt", "text"))
    shared_library(project.folder / "libs" / "shared")
    orders = {"source": "functions/orders", "Handler": "app.handler", "Runtime": "python3.13"}
    project.settings(functions={"orders": orders})

    project.run("package")

    assert {"app.py", "shared/__init__.py"} <= {*packaged(project, "orders.zip")}


def test_layers_of_dependencies(project: Project, wheels: Path) -> None:
    title = "Put large dependencies into a layer"
    (project.folder / "invoke.yaml").write_text(code(title, "yaml"))
    (project.folder / "science.txt").write_text("pure\n")
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("import pure\ndef handler(e, c): ...\n")

    project.run("package")

    assert "python/pure/__init__.py" in packaged(project, "science.layer.zip")
    assert packaged(project, "report.zip") == ["app.py"]


def test_layers(project: Project) -> None:
    (project.folder / "invoke.yaml").write_text(code("Share code in a layer", "yaml"))
    for name in ("src/app.py", "common/shared.py"):
        (project.folder / name).parent.mkdir()
        (project.folder / name).write_text("def handler(event, context): ...\n")

    project.run("package")

    with zipfile.ZipFile(project.folder / ".tasks_aws" / "common.layer.zip") as archive:
        assert archive.namelist() == ["python/shared.py"]


def test_a_layer_of_somebody_else(project: Project) -> None:
    (project.folder / "invoke.yaml").write_text(code("Use a layer of somebody else", "yaml"))
    for name, module in {
        "src/app.py": "import aws_lambda_powertools\ndef handler(event, context): ...\n",
        "common/shared.py": "",
    }.items():
        (project.folder / name).parent.mkdir()
        (project.folder / name).write_text(module)

    said = project.run("package").err

    assert re.search(r"warning .*aws_lambda_powertools", said)


def test_one_code_for_many_roles(project: Project, sts: StrictSts, user: Key) -> None:
    device = sts.device()
    for account in ("123456789012", "210987654321"):
        sts.role("Deployer", account=account)
    (project.folder / "invoke.yaml").write_text(code("Use one MFA code for many roles", "yaml"))

    terminal = project.terminal("assume", "--target", "dev", "assume", "--target", "prod", "whoami")
    terminal.expect("MFA code for .*: ")
    terminal.sendline(device.code())

    assert "arn:aws:sts::210987654321:assumed-role/Deployer" in project.finish(terminal)


@pytest.mark.parametrize(
    ("title", "setting"),
    [
        ("Type a code", ("mfa_serial", "arn:aws:iam::111111111111:mfa/alice")),
        ("Sign in to IAM Identity Center", ("region", "eu-central-1")),
    ],
)
def test_profiles_of_the_pages_are_read(
    project: Project, title: str, setting: tuple[str, str]
) -> None:
    (project.home / ".aws").mkdir()
    (project.home / ".aws" / "config").write_text(code(title, "ini"))
    project.settings(profile="dev")

    printed = json.loads(project.run("settings", "--json").out)

    found = {each["setting"]: (each["value"], each["origin"]) for each in printed}
    assert found[setting[0]] == (setting[1], "profile")


def test_the_archive_is_what_runs(project: Project, aws: EmbeddedAws, docker: Path) -> None:
    if not (shutil.which("jq") and shutil.which("openssl")):
        pytest.skip("jq or openssl is not installed")
    write_source(project)
    describe(project)
    project.run("deploy")
    script = code("What it is good for", "console").replace("$ ", "")

    (here, there) = run_in_bash(project, script).splitlines()
    assert here == there


def test_settings_from_the_environment(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("FromVariables")
    environ = {
        "INVOKE_AWS_PROFILE": "dev",
        "INVOKE_AWS_ROLE_ARN": role.arn,
        "INVOKE_AWS_REGION": "eu-west-3",
    }

    out = project.run("assume", "whoami", environ=environ).out

    assert "assumed-role/FromVariables" in out
    assert "eu-west-3" in out


# Takes the place of esbuild: it finds the same files, and writes what Node.js can run.
ESBUILD = """#!/usr/bin/env node
const fs = require("fs")
const options = process.argv.slice(2)
const [source] = options.filter((option) => !option.startsWith("--"))
const output = options.find((option) => option.startsWith("--outfile=")).split("=")[1]
if (!fs.readFileSync(source, "utf8").includes("handler")) process.exit(1)
fs.writeFileSync(output, 'exports.handler = async (event) => require("ms")(event.duration)')
if (options.includes("--sourcemap")) fs.writeFileSync(output + ".map", "{}")
"""
# Takes the place of the compiler, and knows one mistake.
TSC = """#!/usr/bin/env node
const fs = require("fs")
const [check, option, project] = process.argv.slice(2)
if (check !== "--noEmit" || option !== "--project") process.exit(2)
JSON.parse(fs.readFileSync(project + "/tsconfig.json"))
if (!fs.readFileSync(project + "/src/app.ts", "utf8").includes("WRONG")) process.exit(0)
console.log("error TS2322: Type 'string' is not assignable to type 'number'.")
process.exit(1)
"""


def test_typescript(project: Project) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    with serve_npm() as registry:
        wanted = json.loads(code("Build TypeScript with esbuild", "json"))
        versions = wanted["dependencies"] | wanted["devDependencies"]
        registry.publish("ms", versions["ms"], code="module.exports = () => 7200000")
        registry.publish("@types/ms", versions["@types/ms"])
        command = {"esbuild": "index.js"}
        registry.publish("esbuild", versions["esbuild"], code=ESBUILD, bin=command)
        registry.publish("typescript", versions["typescript"], code=TSC, bin={"tsc": "index.js"})
        project.environ.update(registry.environ)

        check_typescript(project)


def check_typescript(project: Project) -> None:
    """Run the recipe for TypeScript, and then the function."""
    recipe = "Build TypeScript with esbuild"
    (project.folder / "src").mkdir()
    for path, language in (("package.json", "json"), ("invoke.yaml", "yaml"), ("src/app.ts", "ts")):
        (project.folder / path).write_text(code(recipe, language))
    assert code(recipe, "console") == "$ npm install\n$ invoke package\n"
    words = ["npm", "install"]
    subprocess.run(words, cwd=project.folder, env=project.environ, check=True, capture_output=True)

    project.run("package")

    place = project.folder / "unpacked"
    with zipfile.ZipFile(project.folder / ".tasks_aws" / "hello.zip") as archive:
        archive.extractall(place)
    packages = sorted(path.name for path in (place / "node_modules").iterdir())
    assert sorted(path.name for path in place.iterdir()) == ["app.js", "node_modules"]
    assert packages == ["ms"]
    call = "require('./app').handler({duration: '2h'}).then(console.log)"
    process = subprocess.run(["node", "-e", call], cwd=place, check=True, capture_output=True)
    assert process.stdout == b"7200000\n"

    recipe = "Check types, and map stack traces"
    for path, language in (("tsconfig.json", "json"), ("invoke.yaml", "yaml")):
        (project.folder / path).write_text(code(recipe, language))

    project.run("package")
    assert "app.js.map" in packaged(project, "hello.zip")

    with (project.folder / "src" / "app.ts").open("a") as file:
        file.write('\nexport const WRONG: number = "no number"\n')
    assert "error TS2322: Type 'string' is not" in project.run("package", code=1).err


def run_in_bash(project: Project, script: str) -> str:
    """Return what a script prints."""
    process = subprocess.run(
        ["bash", "-euc", script],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


SHELLS = ["bash", "zsh", "fish", "xonsh"]


def run_recipe(project: Project, shell: str, after: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe of a shell, and then a command."""
    table = section("Export the credentials to your shell")
    row = re.search(rf"^\| [^|]*\b{shell}\b[^|]* \| `(.*?)` \|$", table, re.MULTILINE)
    assert row
    invoke = f"{sys.executable} -m invoke"
    script = row[1].replace("\\|", "|").replace("invoke assume", f"{invoke} assume")
    command = [sys.executable, "-m", "xonsh", "--no-rc"] if shell == "xonsh" else [shell]
    if not shutil.which(command[0]):
        pytest.skip(f"{shell} is not installed")
    return subprocess.run(
        [*command, "-c", f"{script}{after}"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_credentials_in_your_own_shell(
    project: Project, sts: StrictSts, role: Role, shell: str
) -> None:
    show = f"{sys.executable} -c 'import os; print(os.environ[\"AWS_ACCESS_KEY_ID\"])'"

    process = run_recipe(project, shell, f"\n{show}")

    ids = [key.id for key in sts.keys.values() if key.token]
    assert process.returncode == 0, process.stderr
    assert ids[0] in process.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_told_that_there_are_no_credentials(
    project: Project, sts: StrictSts, shell: str
) -> None:
    project.settings(profile="nobody")

    process = run_recipe(project, shell, "")

    assert process.returncode == 1
    assert "There is no AWS profile `nobody`" in process.stderr
    assert process.stdout == ""


# Takes the place of Docker: what it runs has only the variables that it is told to pass on.
DOCKER = """#!{python}
import os, subprocess, sys
from pathlib import Path
command, *words = sys.argv[1:]
options = [(each, words[at + 1]) for at, each in enumerate(words[:-1])]
if command == "login":
    assert sys.stdin.read() == "password\\n"
with Path("docker.log").open("a") as log:
    print(command, *words, file=log)
if command == "run":
    environ = {{name: os.environ[name] for each, name in options if each in ("-e", "--env")}}
    for each, name in options:
        if each == "--env-file":
            environ |= dict(line.split("=", 1) for line in Path(name).read_text().splitlines())
    caller = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    environ = {{**environ, "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"]}}
    sys.exit(subprocess.run([sys.executable, "-c", caller], env=environ).returncode)
"""


@pytest.fixture
def docker(project: Project) -> Path:
    """A program that is called like Docker, and the file with what it was told."""
    programs = project.home / "bin"
    programs.mkdir()
    for name, program in {
        "docker": DOCKER.format(python=sys.executable),
        "aws": '#!/bin/sh\ntest "$*" = "ecr get-login-password" && echo password\n',
        "invoke": f'#!/bin/sh\nexec "{sys.executable}" -m invoke "$@"\n',
    }.items():
        (programs / name).write_text(program)
        (programs / name).chmod(0o755)
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"
    return project.folder / "docker.log"


def test_credentials_in_a_container(
    project: Project, sts: StrictSts, role: Role, docker: Path
) -> None:
    title = "Give a container the credentials"
    project.tasks(code(title, "python") + "from tasks_aws import env, exec\n")
    one_line, three_lines = (block.replace("$ ", "") for block in blocks("console", section(title)))
    scripts = [one_line, three_lines.replace("--for 3h", "--for 30m")]

    printed = [project.run("report").out, *(run_in_bash(project, each) for each in scripts)]

    assert all(
        text.startswith("arn:aws:sts::123456789012:assumed-role/Deployer") for text in printed
    )
    assert "ASIA" not in docker.read_text()  # no key is on the command line
    assert not (project.folder / "session.env").exists()


def test_a_function_as_a_container_image(project: Project, docker: Path) -> None:
    title = "Deploy a function as a container image"
    (project.folder / "invoke.yaml").write_text(code(title, "yaml"))
    tasks = code(title, "python")
    project.tasks(f"from tasks_aws import *\nfrom tasks_aws.local import local\n{tasks}")
    assert code(title, "console") == "$ invoke assume push deploy\n"

    result = project.run("local", "assume", "push", "deploy")

    assert "create    hello" in result.err
    assert [line.split()[0] for line in docker.read_text().splitlines()] == [
        "build",
        "login",
        "push",
    ]


def test_tests_of_tasks(project: Project) -> None:
    titles = (
        "Test a deploy on an emulator",
        "Test a task with what it needs on AWS",
        "Test a task without an emulator",
    )
    for number, title in enumerate(titles):
        (project.folder / f"test_{number}.py").write_text(code(title, "python"))
    (project.folder / "pytest.ini").write_text("[pytest]\n")
    (project.folder / "app.py").write_text("def handler(event, context): ...\n")
    hello = {"source": "app.py", "Handler": "app.handler", "Runtime": "python3.13"}
    project.settings(
        profile="dev",
        role_arn="arn:aws:iam::123456789012:role/Deployer",
        region="eu-central-1",
        functions={"hello": {**hello, "Role": "arn:aws:iam::123456789012:role/hello"}},
    )

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


def test_a_database_that_asks_for_credentials_of_iam(
    project: Project, sts: StrictSts, role: Role
) -> None:
    (project.folder / "redshift_connector.py").write_text(
        "import boto3\nfrom unittest.mock import MagicMock\n"
        "def connect(**options):\n"
        "    print(boto3.client('sts').get_caller_identity()['Arn'], options['iam'])\n"
        "    return MagicMock()\n"
    )
    project.tasks(code("Sign in to the cluster with IAM", "python"))

    assert re.search(r"assumed-role/Deployer/\w+ True\n", project.run("count").out)


def stub(project: Project, *names: str) -> None:
    """Let programs print how they are called, whose key they have, and a password if any."""
    programs = project.home / "bin"
    programs.mkdir(exist_ok=True)
    said = 'echo "${0##*/} $*: $AWS_ACCESS_KEY_ID ${PGPASSWORD%%&X-Amz-Security*}"'
    for name in names:
        (programs / name).write_text(f"#!/bin/sh\n{said}\n")
        (programs / name).chmod(0o755)
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"


def test_tools_that_need_nothing_but_a_task(project: Project, sts: StrictSts, role: Role) -> None:
    calls = re.findall(r"`(c\.run\(.*?\))` \|$", section("Run infrastructure tools"), re.MULTILINE)
    commands = [call.split('"')[1] for call in calls]
    stub(project, *(command.split()[0] for command in commands), "kubectl")
    body = "".join(f"    {call}\n" for call in calls)
    rollout = code("Use a Kubernetes cluster of EKS", "python")
    project.tasks(f"{rollout}\n\n@task(pre=[assume])\ndef all(c):\n{body}")

    out = project.run("all", "rollout").out

    assert len(commands) > 7
    for command in (*commands, "kubectl rollout restart deployment/shop"):
        assert re.search(rf"^{re.escape(command)}: ASIA", out, re.MULTILINE), command


def test_a_database_that_takes_tokens(project: Project, sts: StrictSts, role: Role) -> None:
    stub(project, "alembic")
    project.tasks(code("Migrate a database that takes IAM tokens", "python"))

    out = project.run("migrate").out

    (key,) = (key for key in sts.keys.values() if key.token)
    assert re.search(rf"^alembic upgrade head: .*X-Amz-Credential={key.id}%2F", out)


def test_a_signed_url_lasts_as_long_as_its_session(
    project: Project, sts: StrictSts, role: Role
) -> None:
    command = code("Sign URLs that outlive the task", "console").removeprefix("$ invoke ").split()
    long = sts.role("Long", maximum=4 * 3600)
    project.settings(profile="dev", role_arn=long.arn)
    stub(project, "aws")

    out = project.run(*command).out

    (key,) = (key for key in sts.keys.values() if key.token)
    assert out.startswith(f"aws s3 presign s3://reports/today.pdf --expires-in 10800: {key.id}")
    assert (key.expires or 0) - time.time() > 3 * 3600 - 60


SIGNED_BY_THE_AWS_CLI = """
aws s3 presign s3://reports/today.pdf
aws rds generate-db-auth-token --hostname shop --port 5432 --username app
aws eks get-token --cluster-name shop
"""


@pytest.mark.parametrize("way", [(), ("--keep-fresh",)], ids=["assume", "keep-fresh"])
def test_what_the_aws_cli_signs_without_a_call_is_signed_with_the_session(
    project: Project, sts: StrictSts, role: Role, way: tuple[str, ...]
) -> None:
    if not shutil.which("aws"):
        pytest.skip("the AWS CLI is not installed")
    words = ("exec", "--", "sh", "-euc", SIGNED_BY_THE_AWS_CLI)

    with TAINT.prints_secrets("a signed URL has the token of the session"):
        url, password, token = project.run("assume", *way, *words).out.strip().split("\n", 2)

    (key,) = (key for key in sts.keys.values() if key.token)
    encoded = json.loads(token)["status"]["token"].removeprefix("k8s-aws-v1.")
    signed = [url, password, base64.urlsafe_b64decode(encoded + "==").decode()]
    assert [f"Credential={key.id}%2F" in each for each in signed] == [True, True, True]


def test_tests_run_before_there_are_credentials(
    project: Project, sts: StrictSts, role: Role
) -> None:
    stub(project, "pytest")
    tasks = code("Keep tests away from AWS", "python")
    project.tasks(tasks.replace("import deploy", "import whoami as deploy"))

    out = project.run("release").out

    assert re.match(r"pytest : *\n.*assumed-role/Deployer", out, re.DOTALL)


def test_several_accounts_at_once(project: Project, sts: StrictSts, user: Key) -> None:
    accounts = {"dev": "111111111111", "prod": "222222222222"}
    roles = {name: sts.role(name, account=number) for name, number in accounts.items()}
    project.settings(
        profile="dev", targets={name: {"role_arn": each.arn} for name, each in roles.items()}
    )
    project.tasks(
        "from invoke import task\nfrom tasks_aws import assume, whoami\n"
        "@task\ndef report(c): whoami(c)\n"
    )
    script = code("Work in parallel", "console").removeprefix("$ ")
    script = script.replace("invoke ", f"{sys.executable} -m invoke ")

    printed = run_in_bash(project, script)

    for name, number in accounts.items():
        assert f"arn:aws:sts::{number}:assumed-role/{name}/" in printed


def test_redshift(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Loader", maximum=3 * 3600)
    project.settings(profile="dev", role_arn=role.arn)
    printing = "    print([statement], statement.count('=ASIA'))\n"
    tasks = code("Load data into Redshift", "python")
    assert tasks.count('"""Run a statement') == 1
    tasks = re.sub(r' +"""Run a statement.*\n', printing, tasks)
    project.tasks(f"from tasks_aws import assume, env\n{tasks}")
    found = re.search(
        r"`invoke (.*?) env --format redshift`", section("Give the string to another program")
    )
    assert found

    assert project.run("load").out == "['***'] 1\n"
    with TAINT.prints_secrets("`env` does"):
        printed = project.run(*found[1].split(), "env", "--format", "redshift").out
    assert re.match("aws_access_key_id=ASIA.*;aws_secret_access_key=.*;token=", printed)


def test_a_whole_environment(project: Project, sts: StrictSts, role: Role) -> None:
    tasks = code("Pass a complete environment", "python")
    project.tasks(tasks.replace('"env"', '"echo id=$AWS_ACCESS_KEY_ID"'))

    assert "id=ASIA" in project.run("clean-child").out


def test_all_examples_are_complete_programs(tmp_path: Path) -> None:
    for page in PAGES:
        for index, block in enumerate(blocks("python", text(page))):
            program = tmp_path / f"{page.stem}_{index}.py"
            program.write_text(block)
            runpy.run_path(str(program))
