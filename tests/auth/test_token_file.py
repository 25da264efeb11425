"""A file without a web identity token is an error that names it, before STS is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.strict_sts import StrictSts
from tests.support import Project


def missing(file: Path) -> None:
    assert not file.exists()


BROKEN: dict[str, Callable[[Path], object]] = {
    "is empty": Path.touch,
    "holds no token": lambda file: file.write_text("a token"),
    "is not a text file": lambda file: file.write_bytes(b"\xff" * 40),
    "cannot be read: ": Path.mkdir,
    "does not exist": missing,
}


@pytest.mark.parametrize("problem", BROKEN)
@pytest.mark.parametrize("by", ["variable", "profile"])
def test_a_file_without_a_token_is_named_before_sts_is_asked(
    project: Project, sts: StrictSts, by: str, problem: str
) -> None:
    file, role = project.home / "token", sts.role("Ci").arn
    BROKEN[problem](file)
    named_by = "AWS_WEB_IDENTITY_TOKEN_FILE"
    if by == "variable":
        environ = {named_by: str(file), "AWS_ROLE_ARN": role}
    else:
        project.profile("ci", role_arn=role, web_identity_token_file=str(file))
        environ, named_by = {"AWS_PROFILE": "ci"}, "[profile ci] web_identity_token_file"

    result = project.run("assume", code=1, environ={**environ, "AWS_REGION": "eu-central-1"})

    assert f"The web identity token file {file} {problem}" in result.err
    assert f"why: {named_by} names it." in result.err
    assert "`id_tokens`" in result.err
    assert sts.calls == []
