"""`cache: keyring`: sessions in the operating system's keyring, and in no file of ours."""

from __future__ import annotations

import pytest

from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT


@pytest.fixture(autouse=True)
def _keyring(project: Project, user: Key, role: Role) -> None:
    project.settings(profile="dev", role_arn=role.arn, cache="keyring")
    # A keyring in a file, which is kept where a secret may be.
    project.environ |= {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(project.home / ".aws"),
    }


def test_it_keeps_a_session_and_no_file(project: Project, sts: StrictSts) -> None:
    first = project.exported(project.run("assume", "child"))
    second = project.exported(project.run("assume", "child"))

    assert first["AWS_ACCESS_KEY_ID"] == second["AWS_ACCESS_KEY_ID"]
    assert sts.count("AssumeRole") == 1
    assert project.cache_files() == []
    kept = project.home / ".aws" / "python_keyring" / "keyring_pass.cfg"
    TAINT.own(kept, *sts.session_secrets())


def test_it_is_listed_and_forgotten(project: Project, sts: StrictSts, role: Role) -> None:
    listed = project.run("assume", "sessions").out
    project.run("forget")

    assert role.arn in listed
    assert "none" in project.run("sessions").err


def test_a_keyring_that_refuses_is_an_error(project: Project) -> None:
    environ = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}

    message = project.run("assume", code=1, environ=environ).err

    assert "The keyring is not available." in message
    assert "Traceback" not in message


def test_a_session_that_the_keyring_does_not_delete_is_an_error(
    project: Project, sts: StrictSts
) -> None:
    project.run("assume")
    project.tasks(
        "import keyring, keyring.errors\nfrom invoke import task\nfrom tasks_aws import *\n"
        "def refuse(*names): raise keyring.errors.PasswordDeleteError('It is locked.')\n"
        "keyring.delete_password = refuse\n"
    )

    result = project.run("forget", code=1)

    assert "The keyring is not available." in result.err
    assert "why: It is locked." in result.err
    assert "1 h left" in project.run("sessions").out
    kept = project.home / ".aws" / "python_keyring" / "keyring_pass.cfg"
    TAINT.own(kept, *sts.session_secrets())
