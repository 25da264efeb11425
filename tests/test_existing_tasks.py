"""Projects as they are: `docs/how-to/existing-tasks.md` has a way for each, and it works."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.documents import blocks, code, section
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

HEAD = "from invoke import Collection, Task, call, task\n"
SHOW = "@task\ndef show(c):\n    c.run('echo key ${AWS_ACCESS_KEY_ID:0:4}')\n"


def own(name: str) -> str:
    return f"@task\ndef {name}(c):\n    print('own {name}')\n"


def run(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_namespace_takes_the_module(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(code("… a namespace", "python").replace("pytest", "echo $AWS_ACCESS_KEY_ID"))

    assert project.run("aws.assume", "test").out.startswith("ASIA")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("ns = Collection(show, tasks_aws.assume, tasks_aws.deploy)", ["assume", "show"]),
        (
            "namespace = Collection(show)\nnamespace.add_collection(tasks_aws.ns, name='cloud')",
            ["cloud.assume", "show"],
        ),
        (
            "@task(pre=[tasks_aws.assume])\ndef both(c):\n    show(c)\nns = Collection(both)",
            ["both"],
        ),
        (
            "import sys\nns = Collection.from_module(sys.modules[__name__])\n"
            "ns.add_collection(tasks_aws.ns)",
            ["aws.assume", "show"],
        ),
    ],
)
def test_so_do_the_other_ways_of_a_namespace(
    project: Project, sts: StrictSts, role: Role, made: str, words: list[str]
) -> None:
    project.tasks(f"{HEAD}import tasks_aws\n{SHOW}{made}\n")

    assert "key" in project.run(*words).out
    assert sts.count("AssumeRole") == 1


def test_a_namespace_that_is_imported_into_has_nothing_of_it(project: Project) -> None:
    project.tasks(f"{HEAD}from tasks_aws import *\n{own('deploy')}ns = Collection(deploy)\n")

    assert "No idea what 'assume' is" in project.run("assume", code=1).err
    assert project.run("deploy").out == "own deploy\n"


def test_the_root_may_configure_the_settings(project: Project, sts: StrictSts, user: Key) -> None:
    (project.folder / "invoke.yaml").unlink(missing_ok=True)
    configure = 'ns.configure({"aws": {"profile": "dev"}})'
    assert configure in section("… `ns.configure`")
    project.tasks(f"{HEAD}import tasks_aws\n{SHOW}ns = Collection(show, tasks_aws)\n{configure}\n")

    assert "profile dev" in project.run("aws.assume", "show").err


def test_a_folder_of_tasks_has_its_settings_beside_it(
    project: Project, sts: StrictSts, role: Role
) -> None:
    (project.folder / "tasks.py").unlink()
    (folder := project.folder / "tasks").mkdir()
    (folder / "release.py").write_text(HEAD + SHOW)
    (folder / "__init__.py").write_text(
        f"{HEAD}import tasks_aws\nfrom . import release\nns = Collection(release, tasks_aws)\n"
    )

    assert "key" in project.run("aws.assume", "release.show").out
    assert sts.count("AssumeRole") == 1

    (project.folder / "invoke.yaml").rename(folder / "invoke.yaml")
    (folder / "__init__.py").write_text(
        f"from tasks_aws import *\n{HEAD}from .release import show\n"
    )

    err = project.run("deploy", code=1).err
    assert "tasks/invoke.yaml has settings for tasks-aws and is not read: move them to" in err
    assert str(project.folder / "invoke.yaml") in err


@pytest.fixture
def functions(project: Project) -> Project:
    """A project with a function, of which `package` needs no AWS."""
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): ...\n")
    hello = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}
    project.settings(functions={"hello": hello})
    return project


def test_a_collection_keeps_both_tasks_of_a_name(functions: Project) -> None:
    title = "… tasks named `deploy`, `plan` or `build`"
    functions.tasks(code(title, "python") + own("build") + "ns.add_task(build)\n")

    assert functions.run("deploy").out == "site\n"
    result = functions.run("aws.build", "build")
    assert result.out == "own build\n"
    assert "hello" in result.err
    assert "warning" not in result.err


BELOW = "from tasks_aws import *\n"
REPLACED = {
    "star": f"{HEAD}{own('build')}{BELOW}",
    "name": f"{HEAD}{own('build')}from tasks_aws import build\n",
    "as": f"{HEAD}{own('build')}from tasks_aws import build as build_functions\n",
    "of another module": f"{HEAD}from own import *\n{BELOW}",
    "in a collection": f"{HEAD}{own('build')}{BELOW}ns = Collection(build, assume)\n",
    "under another name": f"{HEAD}{BELOW}ours = build\n@task\ndef build(c): ours(c)\n",
    "called": f"{HEAD}import invoke\n@invoke.task(help={{}})\ndef build(c): ...\n{BELOW}",
}
INTENDED = {
    "only ours": f"{HEAD}{BELOW}",
    "helper": f"{HEAD}def build(c): ...\n{BELOW}",
    "two names": f"{HEAD}{own('build')}site = build\n{BELOW}ns = Collection(build, site=site)\n",
    "collected before": f"{HEAD}{own('build')}mine = Collection('mine', build)\n{BELOW}"
    "ns = Collection(mine, build)\n",
    "in collections of their own": f"{HEAD}import tasks_aws\n{own('build')}"
    "ns = Collection(build)\nns.add_collection(tasks_aws.ns)\n",
    "ours is called by theirs": f"{HEAD}import tasks_aws\n"
    "@task\ndef build(c): tasks_aws.build(c)\n",
    "imported inside": f"{HEAD}@task\ndef build(c):\n"
    "    from tasks_aws import build\n    build(c)\n",
    "another def": f"{HEAD}{BELOW}class Site:\n    def build(c): ...\n",
}


@pytest.mark.parametrize("way", REPLACED)
def test_a_task_that_an_import_replaces_is_named(functions: Project, way: str) -> None:
    (functions.folder / "own.py").write_text(HEAD + own("build"))
    functions.tasks(REPLACED[way])

    err = functions.run("build", "build").err

    assert "hello" in err
    assert err.count("warning   This `build` is the task of tasks-aws: an import") == 1
    lines = REPLACED[way].splitlines()
    (line,) = (lines.index(each) + 1 for each in lines if re.match("@|from own", each))
    assert f"of tasks.py line {line}." in err


@pytest.mark.parametrize("way", INTENDED)
def test_what_is_intended_is_no_replacement(functions: Project, way: str) -> None:
    functions.tasks(INTENDED[way])
    name = "aws.build" if way == "in collections of their own" else "build"

    err = functions.run(name).err

    assert "hello" in err
    assert "warning" not in err


def test_ones_own_task_below_the_import_gives_way_to_nothing(
    functions: Project, sts: StrictSts, user: Key
) -> None:
    functions.tasks(f"{HEAD}{BELOW}{own('build')}")

    result = functions.run("build", "package")

    assert result.out == "own build\n"
    assert "warning" not in result.err


def test_an_import_renames_nothing(functions: Project) -> None:
    functions.tasks(f"{HEAD}from tasks_aws import build as build_functions\n")

    assert "No idea" in functions.run("build-functions", code=1).err
    assert "hello" in functions.run("build").err


def test_a_collection_gives_a_task_another_name(functions: Project) -> None:
    functions.tasks(
        f"{HEAD}import tasks_aws\n{own('build')}ns = Collection(build)\n"
        "ns.add_task(tasks_aws.build, name='build-functions')\n"
    )

    assert "hello" in functions.run("build-functions", "build").err


def test_a_collection_aws_stays(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(code("… a collection `aws`", "python"))

    result = project.run("cloud.assume", "aws.bill")

    assert result.out == "42\n"
    assert sts.count("AssumeRole") == 1
    assert "Name conflict" in section("… a collection `aws`")
    project.tasks(f"{HEAD}import tasks_aws\n{own('aws')}ns = Collection(aws, tasks_aws)\n")
    assert "Name conflict" in project.run("aws", code=1).err


READ = "@task\ndef stack(c):\n    print(c.aws.stack_name)\n"


def test_a_key_aws_of_their_own_is_left_alone(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Deployer")
    project.tasks(f"from tasks_aws import *\n{HEAD}{READ}")
    settings = code("… an `aws` key", "yaml")
    (project.folder / "invoke.yaml").write_text(f"aws: {{stack_name: web}}\n{settings}")
    environ = {"INVOKE_AWS_STACK_NAME": "shop", "INVOKE_TASKS_AWS_ROLE_ARN": role.arn}

    result = project.run("assume", "stack", environ=environ)

    assert result.out == "shop\n"
    assert sts.count("AssumeRole") == 1
    rows = {each["setting"]: each for each in json.loads(project.run("settings", "--json").out)}
    assert rows["profile"]["key"] == "tasks_aws.profile"
    assert rows["profile"]["name"] == "invoke.yaml"


def test_variables_need_no_file_with_the_key(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Deployer")
    project.tasks(f"from tasks_aws import *\n{HEAD}{READ}")
    (project.folder / "invoke.yaml").write_text("aws: {stack_name: web}\n")
    project.environ |= {"INVOKE_TASKS_AWS_PROFILE": "dev", "INVOKE_TASKS_AWS_ROLE_ARN": role.arn}

    assert project.run("assume", "stack").out == "web\n"
    assert sts.count("AssumeRole") == 1

    guard = {"INVOKE_AWS_ACCOUNT_ID": "999999999999"}
    err = project.run("assume", code=1, environ=guard).err
    assert "The variable INVOKE_AWS_ACCOUNT_ID sets nothing." in err
    assert "fix: Call it INVOKE_TASKS_AWS_ACCOUNT_ID." in err


@pytest.mark.parametrize(
    ("beside", "environ"),
    [("tasks_aws:\n", {}), ("", {"INVOKE_TASKS_AWS_REGION": "eu-west-1"})],
)
def test_settings_under_aws_are_not_dropped_for_an_empty_key(
    project: Project, sts: StrictSts, user: Key, beside: str, environ: dict[str, str]
) -> None:
    (project.folder / "invoke.yaml").write_text(f"aws: {{profile: dev}}\n{beside}")

    err = project.run("assume", code=1, environ=environ).err

    assert "`aws` has settings of tasks-aws, and is not read." in err
    assert sts.count("GetCallerIdentity") == 0


def test_messages_name_the_key_of_ours_as_it_is_written(project: Project) -> None:
    project.tasks(f"from tasks_aws import *\n{HEAD}{READ}")
    (project.folder / "invoke.json").write_text(
        json.dumps({"aws": {"stack_name": "web"}, "tasks_aws": {"regoin": "x", "cache": "y"}})
    )

    err = project.run("assume", code=1).err
    assert "Unknown setting `tasks_aws.regoin`" in err
    assert "`tasks_aws.cache` must be" in err

    (project.folder / "invoke.json").write_text('{"aws": {"stack_name": "web"}, "tasks_aws": {}}')
    err = project.run("deploy", code=1).err
    assert "Add one under `tasks_aws.functions` in invoke.json." in err

    (project.folder / "invoke.json").write_text('{"aws": {"stack_name": "web"}}')
    err = project.run("assume", code=1).err
    assert "write the settings of tasks-aws under `tasks_aws`" in err


@pytest.mark.parametrize("suffix", ["yml", "json", "py"])
def test_other_files_hold_the_settings_and_one_that_hides_them_is_named(
    project: Project, sts: StrictSts, user: Key, suffix: str
) -> None:
    page = section("… `invoke.yml`, `invoke.json` or `invoke.py`")
    assert 'aws = {"profile": "dev"}' in page
    written = {
        "yml": "aws: {profile: dev}\n",
        "json": blocks("json", page)[0],
        "py": 'aws = {"profile": "dev"}\n',
    }
    file = project.folder / f"invoke.{suffix}"
    file.write_text(written[suffix])
    (script := project.home / "script.py").write_text("from invoke.main import *\nprogram.run()\n")
    # `python -m invoke` would run invoke.py.
    assert "profile dev" in run(project, str(script), "assume").stderr

    (project.folder / "invoke.yaml").write_text("run: {echo: false}\n")
    project.environ["AWS_REGION"] = "eu-central-1"
    failed = run(project, str(script), "deploy").stderr
    reason = f"invoke.{suffix} has settings for tasks-aws and is not read: move them to "
    assert f"No functions are configured.\n  why: {reason}{project.folder}/invoke.yaml." in failed
    assert failed.count(reason) == 1
    assert run(project, str(script), "settings").stderr.count(f"warning   {reason}") == 1

    project.settings(profile="dev")
    err = run(project, str(script), "assume", "assume").stderr
    assert (
        err.count(f"warning   invoke.{suffix} beside {project.folder}/invoke.yaml is ignored") == 1
    )


def test_what_a_user_has_written_stays_as_it_is(functions: Project) -> None:
    functions.tasks(f"{HEAD}import tasks_aws\nns = Collection(tasks_aws)\n")
    aws = yaml.safe_load((functions.folder / "invoke.yaml").read_text())["aws"]
    (functions.folder / "invoke.yaml").unlink()
    file = functions.folder / "invoke.yml"

    def refusal(*words: str, profile: str | None = None, **hello: str) -> str:
        changed = {**aws, "profile": profile, "functions": {"hello": {**hello_as_is, **hello}}}
        file.write_text(yaml.safe_dump({"tasks_aws": changed}))
        return functions.run(*words, code=None).err

    hello_as_is = aws["functions"]["hello"]
    build = "echo see invoke clean, to invoke.yaml `aws.region` /usr/bin/invoke deploy"
    assert f"{build}\n" in refusal("-e", "aws.package", build=build)
    build = "invoke clean to invoke.yaml && false"
    assert f"`{build}`" in refusal("aws.package", build=build)
    assert f"`{(build := 'aws.region.sh x && false')}`" in refusal("aws.package", build=build)
    assert "aws.prod" in (err := refusal("aws.assume", profile="aws.prod"))
    assert "tasks_aws.prod" not in err
    assert "`tasks_aws.functions.hello.regoin`" in refusal("aws.package", regoin="x")


def test_files_that_have_nothing_of_ours_are_not_named(
    project: Project, sts: StrictSts, user: Key
) -> None:
    (project.folder / "invoke.json").write_text('{"run": {"echo": false}}')
    (project.folder / "invoke.yaml").write_text("run: {echo: false}\n")
    (project.folder / "fabric.yaml").write_text("user: root\n")
    project.environ["AWS_PROFILE"] = "dev"

    assert "warning" not in project.run("assume").err


OWN = {
    "fabric.yaml": "aws: {stack_name: web}\n",
    "fabric.json": '{"aws": {"site": {"region": "x"}}, "run": {"tasks_aws": 1}}',
    "fabric.py": "aws = {'site': {'region': 'x'}}\nregion = {'region': 1}\n",
    "fabric.yml": "aws: web\n",
    "invoke.json": "aws",
}


@pytest.mark.parametrize("name", OWN)
def test_a_key_aws_of_their_own_in_another_file_is_not_ours(project: Project, name: str) -> None:
    (project.folder / "invoke.yaml").write_text("run: {echo: false}\n")
    (project.folder / name).write_text(OWN[name])

    assert "has settings for tasks-aws" not in project.run("deploy", code=1).err


def test_the_file_of_another_project_is_not_ours(project: Project) -> None:
    project.settings(region="eu-central-1")
    other = project.folder / "other"
    other.mkdir()
    (other / "tasks.py").write_text("from tasks_aws import *\n")

    err = project.run("--search-root", "other", "deploy", code=1).err
    assert "No functions are configured" in err
    assert "has settings for tasks-aws" not in err


def test_ours_are_among_tasks_that_are_collected_by_their_type(
    project: Project, sts: StrictSts, role: Role
) -> None:
    for asked in ("type(v) == Task", "Task == type(v)", "isinstance(v, Task)", "type(v) in [Task]"):
        made = f"ns = Collection(*[v for v in globals().values() if {asked}])\n"
        project.tasks(f"{HEAD}from tasks_aws import *\n{SHOW}{made}")

        assert "key" in project.run("assume", "show").out


def test_a_monorepo_has_settings_beside_each_tasks_file(
    project: Project, sts: StrictSts, role: Role
) -> None:
    root = project.folder
    words = re.search(
        r"`invoke (--search-root \S+)", section("… a `tasks.py` for each part of a monorepo")
    )
    assert words
    folder = root / words[1].split()[1]
    folder.mkdir(parents=True)
    for name in ("tasks.py", "invoke.yaml"):
        (root / name).rename(folder / name)

    result = project.run(*words[1].split(), "assume", "settings", "--json")

    names = {each["setting"]: each["name"] for each in json.loads(result.out)}
    assert names["role_arn"] == "invoke.yaml"
    assert "warning" not in result.err

    (folder / "tasks.py").rename(root / "tasks.py")
    project.folder = folder
    err = project.run("deploy", code=1).err
    assert f"{words[1].split()[1]}/invoke.yaml has settings for tasks-aws and is not read" in err


@pytest.mark.skipif(
    not importlib.util.find_spec("invoke_toolkit"), reason="invoke-toolkit is not installed"
)
def test_invoke_toolkit_has_our_collection(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(f"{HEAD}{SHOW}")
    (script := project.home / "intk").write_text(
        "from invoke_toolkit.program.main import program\nprogram.run()\n"
    )
    assert "`intk aws.assume`" in section("… invoke-toolkit")

    assert "key" in run(project, str(script), "aws.assume", "show").stdout
    assert sts.count("AssumeRole") == 1
    project.settings()
    assert "run `intk aws.assume" in " ".join(
        run(project, str(script), "aws.assume").stderr.split()
    )


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        (["-m", "invoke"], "invoke"),
        (
            [
                "-c",
                "import sys; sys.argv[0] = 'inv'; from invoke.main import program; program.run()",
            ],
            "inv",
        ),
    ],
)
def test_messages_name_commands_as_they_are_typed(
    project: Project, program: list[str], typed: str
) -> None:
    project.tasks(f"{HEAD}import tasks_aws\nns = Collection(tasks_aws)\n")

    process = run(project, *program, "aws.assume")

    assert process.returncode == 1
    assert f"or run `{typed} aws.assume --region REGION --profile PROFILE`" in process.stderr
