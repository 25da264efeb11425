"""What a release contains, and what keeps an unfinished one from being published."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke.context import MockContext
from invoke.runners import Result

from docs.long_description import link_to
from tasks_aws.packaging.python.installers import find_uv
from tests.documents import PAGES, README, ROOT, text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HUB = "https://example.com/tasks-aws"
QUICK_TESTS = ("tests/text", "tests/config", "tests/test_errors.py", "tests/test_docs.py")
READY = {
    "pyproject.toml": f'[project]\nname = "p"\nurls.Repository = "{HUB}"\n',
    "tasks_aws/version.py": '__version__ = "0.2.0"\n',
    "CHANGELOG.md": "## Unreleased\n\n## 0.2.0 - 2026-11-26\n\n- x\n\n## 0.1.0 - 2026-01-02\n",
}


def build(kind: str, folder: Path) -> Path:
    """Build a distribution with hatchling alone."""
    words = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        kind,
        "--directory",
        str(folder),
    ]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


def test_the_source_distribution_has_what_its_tests_need(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = ["SECURITY.md", "CHANGELOG.md", "LICENSE", "tasks.py", "docs/conf.py", ".ci/run"]
    wanted += ["tests/conftest.py", "sample_project/tasks.py", ".github/workflows/ci.yml"]
    assert set(wanted) <= names
    assert not [name for name in names if re.match(r"(build|dist|\.venv.*|\.git)/", name)]


def test_the_wheel_has_the_package_only_and_a_description_without_dead_links(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(build("wheel", tmp_path)) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    description = str(metadata.get_payload())

    assert tops == {"tasks_aws", name.partition("/")[0]}
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "`invoke assume whoami` shows who you are" in description
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description) == []


@pytest.mark.long
def test_the_tests_of_the_source_distribution_pass_where_it_is_unpacked(tmp_path: Path) -> None:
    """Where there is no repository, and nothing that Git ignores."""
    with tarfile.open(build("sdist", tmp_path / "dist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("tasks_aws-*")
    python = tmp_path / "venv" / "bin" / "python"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COVERAGE_"))}

    def run(*words: object) -> None:
        done = subprocess.run(
            [*map(str, words)], cwd=folder, env=clean, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    uv = find_uv(clean)
    run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, tmp_path / "venv")
    run(uv, "pip", "install", "--quiet", "--python", python, ".[dev]")
    run(python, "-m", "pytest", "--quiet", "--numprocesses=0", "--collect-only")
    run(python, "-m", "pytest", "--quiet", "--numprocesses=1", *QUICK_TESTS)


def test_links_of_the_description_lead_to_the_files_of_the_version() -> None:
    readme = link_to(HUB, "1.2.0", text(README))

    assert f"({HUB}/blob/v1.2.0/docs/how-to/credentials.md#use-boto3-in-a-task)" in readme
    assert f"({HUB}/raw/v1.2.0/tests/benchmarks/figures.svg)" in readme
    assert "(https://www.pyinvoke.org)" in readme
    assert re.findall(r"\]\((?!https?:)[^)]*\)", readme) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that is ready to be released, after a version 0.1.0."""
    for name, content in READY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    shutil.copy(ROOT / "tasks.py", tmp_path)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    git(tmp_path, "tag", "v0.1.0")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Release 0.2.0")
    return tmp_path


def git(folder: Path, *words: str) -> None:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *words], cwd=folder, env=environ, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def release(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-B", "-m", "invoke", "release", *options]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def check(folder: Path) -> str:
    """Return what keeps a version from being released."""
    done = release(folder, "--check")
    assert done.returncode == bool(done.stderr), done.stdout
    return done.stderr


def test_what_is_ready_can_be_released(repository: Path) -> None:
    assert check(repository) == ""

    git(repository, "tag", "v0.2.0")  # as the workflow finds it
    git(repository, "tag", "v0-old", "HEAD~")
    assert check(repository) == ""


def test_a_release_that_cannot_be_tried_on_every_python_is_not_ready(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    chores = text(ROOT / "tasks.py")
    made_up = re.sub(r"^PYTHONS = .*$", 'PYTHONS = ("3.98", "3.99")', chores, flags=re.MULTILINE)
    (repository / "tasks.py").write_text(made_up)
    commit(repository)

    untried, unknown = (release(repository, "--skip", each) for each in ("3.98", "3.97"))

    assert untried.returncode == unknown.returncode == 1
    assert "cannot be tried on Python 3.99: install it, or --skip 3.99." in untried.stderr
    assert "--skip 3.97: there are 3.98, 3.99." in unknown.stderr
    assert not (repository / "dist").exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("pyproject.toml", "[project]\n", "no `urls.Repository`"),
        ("pyproject.toml", 'urls.Repository = "https://github.com/…"\n', "no `urls.Repository`"),
        ("pyproject.toml", 'urls.Repository = ""\n', "no `urls.Repository`"),
        ("CHANGELOG.md", "## Unreleased\n\n- x\n\n## 0.2.0 - 2026-01-01\n", "under Unreleased"),
        ("CHANGELOG.md", "## Unreleased\n\n## 0.1.0 - 2026-01-01\n", "CHANGELOG.md is 0.1.0"),
        ("CHANGELOG.md", "## 0.2.0\n", "CHANGELOG.md is 0.2.0."),
        ("tasks_aws/version.py", '__version__ = "0.1.0"\n', "v0.1.0 exists"),
    ],
)
def test_what_is_unfinished_cannot_be_released(
    repository: Path, name: str, content: str, why: str
) -> None:
    (repository / name).write_text(content)
    assert "The working tree is not clean" in check(repository)

    commit(repository)

    found = check(repository)
    assert why in found
    assert "not clean" not in found


def actions(workflow: Path) -> list[str]:
    return re.findall(r"uses: (?!\./)(.*)", text(workflow))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned_by_digest_and_gets_no_right_that_it_does_not_need(
    workflow: Path,
) -> None:
    described: Any = yaml.safe_load(text(workflow))

    assert actions(workflow)
    for each in actions(workflow):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each
    assert described["permissions"] == {}
    for job in described["jobs"].values():
        writes = {name for name, right in job.get("permissions", {}).items() if right == "write"}
        assert writes <= {"id-token", "attestations"}


def uses(job: Any, folder: str) -> str:
    """Return the actions of a job that are given a folder."""
    steps = [each for each in job.get("steps", []) if each.get("with", {}).get("path") == folder]
    return " ".join(step["uses"] for step in steps)


def test_what_is_published_is_built_by_pinned_tools_and_touched_by_nothing_else() -> None:
    jobs = yaml.safe_load(text(ROOT / ".github" / "workflows" / "release.yml"))["jobs"]
    (steps,) = (job["steps"] for job in jobs.values() if "upload" in uses(job, "dist/"))
    commands = [step["run"] for step in steps if "run" in step]
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", text(ROOT / ".ci" / "build.txt"), re.MULTILINE))

    assert commands == [
        "python -m pip install --quiet --require-hashes --requirement .ci/build.txt",
        "python -m build --no-isolation",
    ]
    assert {"build", "hatchling"} <= {*pins}


def test_nothing_is_published_before_the_tests_and_the_checks_of_its_tag_have_passed() -> None:
    jobs = yaml.safe_load(text(ROOT / ".github" / "workflows" / "release.yml"))["jobs"]
    before, waits = set[str](), ["publish"]
    while waits:
        needs = jobs[waits.pop()].get("needs", [])
        names = [needs] if isinstance(needs, str) else needs
        waits += names
        before |= {*names}
    checkout, *steps = jobs["check"]["steps"]
    commands = " ".join(step.get("run", "") for step in steps)

    assert before == {*jobs} - {"publish"}
    assert jobs["tests"]["uses"] == "./.github/workflows/ci.yml"
    assert checkout["with"]["fetch-depth"] == 0  # or there are no tags to compare with
    assert 'git merge-base --is-ancestor "$GITHUB_SHA" origin/main' in commands
    assert "invoke release --check" in commands


@pytest.mark.parametrize(("chore", "runs"), [("dist", 4), ("workflows", 1)])
def test_a_check_is_the_same_tomorrow(chore: str, runs: int) -> None:
    c = MockContext(run=Result(), repeat=True)
    options = {"check": True} if chore == "dist" else {}

    runpy.run_path(str(ROOT / "tasks.py"))[chore].body(c, **options)

    commands = [str(call.args[0]) for call in c.run.mock_calls]  # type: ignore[attr-defined]
    tools = [command for command in commands if command.startswith("uv tool run")]
    assert len(tools) == runs
    assert [tool for tool in tools if not re.search(r"--from '[^=' ]+==[\d.]+'", tool)] == []


def test_no_python_is_promised_that_is_not_tried() -> None:
    promised = [
        each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: Python :: 3." in each
    ]
    jobs = yaml.safe_load(text(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    systems = {*matrix["system"], *(each["system"] for each in matrix["include"])}

    tried = runpy.run_path(str(ROOT / "tasks.py"))["PYTHONS"]
    assert f">={promised[0]}" == PROJECT["requires-python"]
    assert promised == [each for each in tried if each in promised]
    assert {*promised} <= {*matrix["python"]} <= {*tried}
    assert {matrix["python"][0], matrix["python"][-1]} == {tried[0], tried[-1]}
    assert {each.partition("-")[0] for each in systems} == {"ubuntu", "windows", "macos"}


def test_an_action_has_one_version_in_all_workflows_and_examples() -> None:
    paths = [*WORKFLOWS, *(ROOT / "sample_project").rglob(".github/**/*.yml"), *PAGES]
    used = {
        each for path in paths for each in re.findall(r"[\w-]+/[\w-]+@[0-9a-f]{40}.*", text(path))
    }

    actions = [each.partition("@")[0] for each in used]
    assert sorted(actions) == sorted({*actions})
