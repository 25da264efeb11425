"""`cache: none`: sessions in the memory of one process."""

from __future__ import annotations

from tests.strict_sts import Role, StrictSts
from tests.support import Project


def test_sessions_last_as_long_as_the_process(project: Project, sts: StrictSts, role: Role) -> None:
    project.settings(profile="dev", role_arn=role.arn, cache="none")
    other = sts.role("Other")

    result = project.run(
        "assume", "assume", "--role-arn", other.arn, "sessions", "assume", "--role-arn", role.arn
    )
    project.run("assume")

    assert role.arn in result.out
    assert other.arn in result.out
    assert sts.count("AssumeRole") == 3
    assert project.cache_files() == []
