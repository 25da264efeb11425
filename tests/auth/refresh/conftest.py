"""Credentials of somebody else in HOME, as most developers have some, which nothing may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.strict_sts import StrictSts
from tests.support import Project
from tests.taint import TAINT

INTRUDER = "arn:aws:iam::999999999999:user/intruder"


@pytest.fixture(autouse=True)
def _nobody_is_the_intruder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have keys of another identity in `[default]`, and fail if anything was signed with them."""
    if "sts" not in request.fixturenames:
        yield
        return
    project: Project = request.getfixturevalue("project")
    sts: StrictSts = request.getfixturevalue("sts")
    key = sts.user_key(INTRUDER)
    file = project.home / ".aws" / "credentials"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
    )
    TAINT.own(file, key.secret)
    yield
    assert INTRUDER not in sts.callers
