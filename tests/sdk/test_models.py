"""What botocore needs before its first request is read once, and by those who need it only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.packaging.support import function
from tests.strict_sts import Role, StrictSts
from tests.support import Project, sts_model, write_sts_model

ROLE = "arn:aws:iam::123456789012:role/hello"
TASKS = """
import atexit, gc, json
import botocore.client, botocore.loaders, botocore.session
from invoke import task
from tasks_aws import *
from tasks_aws.auth.active import read_settings
from tasks_aws.commands.accounts import get_accounts

done = []

def note(kind, name, what):
    original = getattr(kind, name)
    def noted(self, *args, **options):
        done.append(what(*args, **options))
        return original(self, *args, **options)
    setattr(kind, name, noted)

note(botocore.loaders.JSONFileLoader, "load_file", str)
note(botocore.session.Session, "__init__", lambda *_, include_builtin_handlers=True, **__:
    "session" if include_builtin_handlers else "small session")
note(botocore.client.ClientCreator, "create_client",
    lambda service_name, **_: service_name + " client")
atexit.register(lambda: print("done" + json.dumps([each for each in done if each])))

@task
def accounts(c):
    settings = [read_settings(c, target=target) for target in ("one", "two", "three")]
    for account in get_accounts(c, settings):
        account.client("sts").get_caller_identity()
    print("searched for garbage:", gc.isenabled())
"""


def counts(project: Project, *words: str) -> Counter[str]:
    """Return how often what has been done."""
    project.tasks(TASKS)
    out = project.run(*words).out
    assert "searched for garbage: False" not in out
    return Counter(json.loads(out.rpartition("done")[2]))


def test_what_sessions_need_is_read_once(project: Project, sts: StrictSts, role: Role) -> None:
    targets = {name: {"role_arn": sts.role(name).arn} for name in ("one", "two", "three")}
    project.settings(profile="dev", role_arn=role.arn, targets=targets)

    found = counts(project, "assume", "accounts")

    # Files that botocore does not have are looked for again.
    read = [
        name for name in found if any(Path(f"{name}.json{end}").exists() for end in ("", ".gz"))
    ]
    assert any("endpoints" in name for name in read)
    assert [name for name in read if found[name] > 1] == []


def test_roles_of_many_targets_are_assumed_by_one_client(
    project: Project, sts: StrictSts, role: Role
) -> None:
    targets = {name: {"role_arn": sts.role(name).arn} for name in ("one", "two", "three")}
    project.settings(profile="dev", targets=targets)

    found = counts(project, "accounts")

    assert sts.count("AssumeRole") == 3
    assert found["sts client"] == 1 + len(targets)


def test_a_package_needs_neither_sessions_nor_clients_nor_endpoints(project: Project) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): pass\n")
    function(project)

    found = counts(project, "package")

    assert any("/lambda/" in name for name in found)
    assert not [name for name in found if name == "session" or "client" in name]
    assert not [name for name in found if "endpoints" in name]


@pytest.mark.parametrize("named_by", ["data_path", "AWS_DATA_PATH"])
def test_models_are_looked_for_where_the_user_says(
    project: Project, sts: StrictSts, role: Role, named_by: str
) -> None:
    folder, model = project.folder.with_name("models"), sts_model()
    model["shapes"]["roleSessionNameType"]["max"] = 4
    write_sts_model(folder, model)
    project.settings(profile="dev", role_arn=role.arn)
    if named_by == "data_path":
        config = project.home / ".aws" / "config"
        config.write_text(config.read_text().rstrip() + f"\ndata_path = {folder}\n")
    else:
        project.environ[named_by] = str(folder)

    result = project.run("assume", code=1)

    assert "takes at most 4" in result.err


@pytest.mark.parametrize(
    ("config", "variable", "why"),
    [
        ("[a]\n[a]\n", "", "The section [a] is there twice."),
        ("no section\n", "", "config"),
        ("", "missing", "AWS_PROFILE"),
    ],
)
def test_a_mistake_in_the_aws_config_file_is_told_by_what_needs_the_file(
    project: Project, config: str, variable: str, why: str
) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): ...\n")
    hello = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}
    project.settings(region="eu-west-1", functions={"hello": hello})
    (project.home / ".aws").mkdir(exist_ok=True)
    (project.home / ".aws" / "config").write_text(config)
    environ = {"AWS_PROFILE": variable} if variable else {}

    project.run("package", environ=environ)
    told = project.run("deploy", environ=environ, code=1).err

    assert why in told
    assert "Traceback" not in told
