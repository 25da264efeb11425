"""Every way to import the package works alike, shows no secret, and loads fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tasks_aws
from tests.strict_sts import Role, StrictSts
from tests.support import Project

SHOW = """
@task
def show(c):
    import os
    print("key", os.environ["AWS_ACCESS_KEY_ID"][:4], c.run("echo $AWS_REGION", hide=True).stdout)
"""
PACKAGE = Path(tasks_aws.__file__).parent
PUBLIC: list[str] = vars(tasks_aws)["__all__"]  # made at run time; type checkers do not see it
RESULTS: list[str] = vars(tasks_aws)["_RESULTS"]
NAMES = "from invoke import Collection, call, task\n"

# How a user writes tasks.py, and the command line that goes with it.
IMPORTS = {
    "names": (f"{NAMES}from tasks_aws import assume, deploy\n{SHOW}", ["assume", "show"]),
    "star": (f"{NAMES}from tasks_aws import *\n{SHOW}", ["assume", "show"]),
    "collection": (
        f"{NAMES}import tasks_aws\n{SHOW}\nns = Collection(show, tasks_aws)\n",
        ["aws.assume", "show"],
    ),
    "renamed": (
        f"{NAMES}import tasks_aws\n{SHOW}\nns = Collection(show)\n"
        'ns.add_collection(tasks_aws, name="cloud")\n',
        ["cloud.assume", "show"],
    ),
    "configured": (
        f"{NAMES}import tasks_aws\n{SHOW}\nns = Collection(show, tasks_aws)\n"
        'ns.configure({"aws": {"min_ttl_seconds": 60}})\n',
        ["aws.assume", "show"],
    ),
    "pre": (
        f"{NAMES}from tasks_aws import assume\n{SHOW.replace('@task', '@task(pre=[assume])')}",
        ["show"],
    ),
    "call": (
        f"{NAMES}from tasks_aws import assume\n"
        + SHOW.replace("@task", '@task(pre=[call(assume, target="other")])'),
        ["show"],
    ),
    "python": (
        f"{NAMES}from tasks_aws import assume\n"
        + SHOW.replace("import os", 'import os; assume(c, target="other")'),
        ["show"],
    ),
}


@pytest.mark.parametrize("flags", [[], ["-d"], ["-e"], ["-d", "-e"]], ids=" ".join)
@pytest.mark.parametrize("way", IMPORTS)
def test_every_import_hands_credentials_on_and_shows_none(
    project: Project, sts: StrictSts, role: Role, way: str, flags: list[str]
) -> None:
    text, words = IMPORTS[way]
    project.tasks(text)
    project.settings(profile="dev", role_arn=role.arn, targets={"other": {"region": "us-west-2"}})

    result = project.run(*flags, *words)

    region = "us-west-2" if way in ("call", "python") else "eu-central-1"
    assert f"key ASIA {region}" in result.out
    assert sts.count("AssumeRole") == 1


def test_botocores_own_debug_log_shows_no_secret(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
        "from invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef calls(c):\n"
        "    import boto3\n"
        "    boto3.client('sts').get_caller_identity()\n"
        "    session(c).client('sts').get_caller_identity()\n"
    )

    assert "invoke.config" in project.run("-d", "assume", "calls").err


def test_what_holds_credentials_never_shows_them(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "import pickle, pprint\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef leak(c):\n"
        "    from rich import print as rich_print\n"
        "    from rich.console import Console\n"
        "    state = c.config['tasks-aws']\n"
        "    holders = [credentials(c), c.config, state, state.active]\n"
        "    for holder in holders:\n"
        "        print(repr(holder), f'{holder}'); pprint.pprint(holder); rich_print(holder)\n"
        "        try: pickle.dumps(holder)\n"
        "        except Exception as error: print('refused', type(error).__name__)\n"
        "    try:\n"
        "        secret = credentials(c).secret_access_key\n"
        "        raise ValueError('x')\n"
        "    except ValueError: Console().print_exception(show_locals=True)\n"
    )

    result = project.run("assume", "leak")

    assert result.out.count("refused TypeError") >= 2
    assert "secret_access_key='***'" in result.out


def test_listing_tasks_loads_neither_boto3_nor_rich(project: Project) -> None:
    (project.folder / "probe.py").write_text(
        "import sys, tasks\n"
        "late = ('boto3', 'botocore', 'rich', 'filelock', 'tasks_aws.results')\n"
        "print([m for m in late if m in sys.modules])\n"
    )

    process = subprocess.run(
        [sys.executable, "probe.py"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout == "[]\n"


def test_every_public_name_exists_and_the_namespace_is_not_among_them() -> None:
    assert all(hasattr(tasks_aws, name) for name in PUBLIC)
    assert sorted(PUBLIC) == PUBLIC
    assert all(isinstance(getattr(tasks_aws, name), type) for name in RESULTS)
    assert not hasattr(tasks_aws, "Deploymnt")
    assert not {"ns", "namespace", "invoke"} & set(PUBLIC)


@pytest.mark.parametrize(
    "package",
    [path.parent for path in sorted(PACKAGE.rglob("__init__.py"))],
    ids=lambda path: path.name,
)
def test_no_public_name_is_that_of_a_submodule(package: Path) -> None:
    # The late import of a submodule replaces the attribute of its package.
    modules = {path.stem for path in package.glob("*.py")}
    modules |= {path.parent.name for path in package.glob("*/__init__.py")}

    names = names_bound_in(package / "__init__.py")
    if package == PACKAGE:
        names |= {*PUBLIC, "ns", "invoke", "exec"}

    assert not names & modules


def names_bound_in(path: Path) -> set[str]:
    """Return the names that a module defines or imports, but for modules of its own package."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return names


def test_the_default_session_of_before_is_forgotten(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "import boto3\nfrom invoke import task\nfrom tasks_aws import *\n"
        "boto3.setup_default_session(aws_access_key_id='AKIAOLD', aws_secret_access_key='x')\n"
        "@task\ndef who(c): print(boto3.client('sts').get_caller_identity()['Arn'])\n"
    )

    result = project.run("assume", "who", "assume", "--fresh")

    assert "assumed-role/Deployer" in result.out
    assert result.err.count("warning   boto3 was used before `assume`") == 1
