"""Settings that nothing reads are an error, before anything is done without them.

What of this existing projects have is tested in `tests/test_existing_tasks.py`.
"""

from __future__ import annotations

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_file_that_is_named_and_missing_is_refused(
    project: Project, sts: StrictSts, role: Role, by: str
) -> None:
    words = ["-f", "ovr.yaml"] if by == "option" else []
    environ = {"INVOKE_RUNTIME_CONFIG": "ovr.yaml"} if by == "variable" else {}

    for task in (["assume"], ["settings", "--check"]):
        refused = project.run(*words, *task, code=1, environ=environ).err

        assert "The file ovr.yaml of `-f` does not exist." in refused
    assert sts.calls == []


@pytest.mark.parametrize("file", ["invoke.yaml", "over.yaml"])
def test_settings_of_ours_under_a_misspelt_key_are_refused(
    project: Project, sts: StrictSts, role: Role, file: str
) -> None:
    (project.folder / file).write_text("awss: {account_id: '123456789012'}\n")

    refused = project.run("-f", file, "assume", code=1).err

    assert f"{file} has settings of tasks-aws under the key `awss`, which is not read." in refused
    assert "Did you mean `aws`?" in refused
    assert sts.calls == []


def test_a_key_of_their_own_that_is_called_almost_alike_is_theirs(
    project: Project, role: Role
) -> None:
    (project.folder / "over.yaml").write_text("aws2: {stack_name: web}\nrun: {echo: true}\n")

    project.run("-f", "over.yaml", "assume")
