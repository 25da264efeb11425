"""A few of the worst examples, with nothing simulated: whole processes, as users start them."""

from __future__ import annotations

import json

import pytest

from tests.properties.test_settings import FUNCTION, ROLE
from tests.support import Project

SESSION = {
    "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret-secret",
    "AWS_SESSION_TOKEN": "token-token",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",  # where nobody listens
}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["invoke", "--payload", "[" * 100_000], "`--payload` is not JSON."),
        (["invoke", "--payload", "@" + "x" * 5000], "of `--payload` cannot be read"),
        (["logs", "--since", "9" * 5000], "`--since` must be a duration"),
        (["assume", "--role-arn", b"\xff\xfe"], "`--role-arn` must be a role ARN"),
        (["assume", "--session-name", "new\nline"], "`--session-name` must be a role session name"),
        (["package", "--function", "\x1b[2J"], "There is no function"),
        (["exec", "--", "x" * 5000], "AWS cannot be reached"),
    ],
)
def test_odd_words(project: Project, words: list[str], says: str) -> None:
    (project.folder / "src").mkdir()
    project.settings(functions={"f": FUNCTION})

    result = project.run(*words, code=1, environ=SESSION)

    assert says in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", ["config", "credentials", "cli/cache/x.json"])
@pytest.mark.parametrize("content", [b"\xff\xfe[", b"[profile a\nx", b"[" * 100_000, b"[a]\n[a]\n"])
def test_odd_files(project: Project, name: str, content: bytes) -> None:
    path = project.home / ".aws" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    project.settings(role_arn=ROLE)

    result = project.run("sessions", "assume", code=1, environ=SESSION)

    assert "Traceback" not in result.err
    assert json.dumps(str(path))[1:-1] in result.err or "AWS cannot be reached" in result.err
    path.unlink()
