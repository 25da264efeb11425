"""`forget` removes what it is asked to, or says what it has not removed, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project

# Whoever runs the tests may be root, whom no permission stops.
REFUSING = """
import errno, os, pathlib
from invoke import task
from tasks_aws import *

@task
def refuse(c, names, what):
    real = getattr(pathlib.Path, what)
    def refusing(path, *args, **options):
        if path.name in names.split(","):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *args, **options)
    setattr(pathlib.Path, what, refusing)
"""


@pytest.fixture
def two(project: Project, sts: StrictSts, role: Role) -> tuple[Role, Role]:
    """Two roles, each with a cached session of ours."""
    other = sts.role("Other")
    project.run("assume", "assume", "--role-arn", other.arn)
    assert len(project.cache_files()) == 2
    return role, other


def test_a_session_that_cannot_be_removed_is_an_error_and_the_others_are_removed(
    project: Project, two: tuple[Role, Role]
) -> None:
    project.tasks(REFUSING)
    first, _ = project.cache_files()

    result = project.run("refuse", first.name, "unlink", "forget", code=1)

    assert f"Cannot remove {first}." in result.err
    assert "why: Permission denied." in result.err
    assert "Traceback" not in result.err
    assert project.cache_files() == [first]


def test_several_that_cannot_be_removed_are_all_named(
    project: Project, two: tuple[Role, Role]
) -> None:
    project.tasks(REFUSING)
    files = project.cache_files()
    names = ",".join(each.name for each in files)

    result = project.run("refuse", names, "unlink", "forget", code=1)

    assert all(f"the role {role.arn}: Cannot remove" in result.err for role in two)
    assert "2 of 2 sessions could not be removed." in result.err
    assert project.cache_files() == files


@pytest.mark.parametrize("task", ["sessions", "forget"])
def test_a_folder_that_cannot_be_listed_is_an_error(
    project: Project, two: tuple[Role, Role], task: str
) -> None:
    project.tasks(REFUSING)
    folder = project.cache_files()[0].parent

    result = project.run("refuse", folder.name, "iterdir", task, code=1)

    assert f"Cannot list the sessions in {folder}." in result.err
    assert "why: Permission denied." in result.err
    assert "Traceback" not in result.err


def test_a_file_where_the_folder_should_be_is_an_error(project: Project) -> None:
    (project.home / ".aws").mkdir()
    (project.home / ".aws" / "cli").write_text("a file")

    assert "why: Not a directory." in project.run("sessions", code=1).err
    assert "why: Not a directory." in project.run("forget", code=1).err


def test_a_role_without_a_session_is_an_error_that_names_a_near_one(
    project: Project, two: tuple[Role, Role]
) -> None:
    near = project.run("forget", "--role-arn", f"{two[0].arn}s", code=1)
    far = project.run("forget", "--role-arn", "admin", code=1)

    assert f"There is no cached session of {two[0].arn}s." in near.err
    assert f"Did you mean `{two[0].arn}`?" in near.err
    assert "There is no cached session of admin." in far.err
    assert "`sessions` lists all" in far.err
    assert len(project.cache_files()) == 2


def test_nothing_to_forget_is_said(project: Project, two: tuple[Role, Role]) -> None:
    first = project.run("forget")
    again = project.run("forget")

    assert "nothing" not in first.err
    assert again.err == "forget    nothing to remove\n"
    assert again.out == ""


def test_under_dry_nothing_is_removed(project: Project, two: tuple[Role, Role]) -> None:
    result = project.run("--dry", "forget", "--role-arn", two[1].arn)

    assert result.err == f"forget    would remove the role {two[1].arn}\n"
    assert len(project.cache_files()) == 2


def test_a_session_that_cannot_be_read_is_a_warning(
    project: Project, two: tuple[Role, Role], tmp_path: Path
) -> None:
    project.tasks(
        "import errno, os\nfrom invoke import task\nfrom tasks_aws import *\n"
        "real = os.open\n"
        "@task\ndef refuse(c, name):\n"
        "    def refusing(path, *args, **options):\n"
        "        if str(path).endswith(name):\n"
        "            raise PermissionError(errno.EACCES, 'Permission denied')\n"
        "        return real(path, *args, **options)\n"
        "    os.open = refusing\n"
    )
    first = project.cache_files()[0]

    result = project.run("refuse", first.name, "sessions")

    assert f"warning   Cannot read {first}: Permission denied." in result.err
    assert result.out.count("left") == 1
