"""The recipes of the how-to guides, run."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks_aws.packaging.python.installers import find_uv
from tests.documents import PAGES, blocks, code, section, text
from tests.npm_registry import serve_npm
from tests.packaging.python.test_declared_ships import local_project
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT
from tests.wheels import make_wheel, offline


def test_several_accounts(project: Project, sts: StrictSts, user: Key) -> None:
    sts.role("Deployer", account="210987654321")
    (project.folder / "invoke.yaml").write_text(code("Work with several accounts", "yaml"))
    assert "`invoke assume --target prod deploy`" in section("Work with several accounts")

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


def test_redshift(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Loader", maximum=3 * 3600)
    project.settings(profile="dev", role_arn=role.arn)
    printing = "    print([statement], statement.count('=ASIA'))\n"
    tasks = code("Load data into Redshift", "python")
    assert tasks.count('"""Run a statement') == 1
    tasks = re.sub(r' +"""Run a statement.*\n', printing, tasks)
    project.tasks(f"from tasks_aws import assume, env\n{tasks}")
    found = re.search(r"`invoke (.*?) load`", section("Require enough time for a job"))
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
