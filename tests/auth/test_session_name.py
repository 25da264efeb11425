"""The session of a role tells who opened it, whatever their login name."""

from __future__ import annotations

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project


@pytest.mark.parametrize(
    ("login", "name"),
    [
        ("alice", "alice"),
        ("CORP\\alice", "CORP-alice"),
        ("Müller", "Muller-a7842989"),
        ("alice b/ü", "alice-b-u-ca845716"),
        ("Ωμέγα", "tasks-aws-59b35e54"),
        ("李", "tasks-aws-c16667ca"),
        ("x", "x-2d711642"),
        ("a" * 70, f"{'a' * 55}-6bd5e503"),
    ],
)
def test_the_session_name_tells_one_login_name_from_another(
    project: Project, sts: StrictSts, role: Role, login: str, name: str
) -> None:
    project.run("assume", environ={"LOGNAME": login})

    assert sts.calls[-1][1]["RoleSessionName"] == name
