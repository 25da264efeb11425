"""A pytest plugin for tests of your own tasks: `pytest -p tasks_aws.testing`.

The project is pytest's rootdir, with its invoke.yaml. None of the user's AWS files is read or
written, and the environment is put back after each test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from .auth.active import read_settings, use
from .auth.environment import environment_without_aws, put_back, replace_aws, snapshot
from .auth.request import prepare
from .auth.values import Credentials
from .config.load import root_key
from .local.description import ACCOUNT, REGION, Place
from .local.emulator import Emulator, start
from .local.rehearsal import describe_settings, use_emulator
from .secret import Secret

__all__ = ["LocalAws", "aws_context", "aws_local"]

_STUB = "testing"


@dataclass(frozen=True)
class LocalAws:
    """The embedded AWS of one test, which has what the project's settings name."""

    endpoint: str
    """The URL of the emulator."""
    _client: Callable[[str, str, str], Any] = field(repr=False)

    def client(self, service: str, region: str = REGION, account_id: str = ACCOUNT) -> Any:
        """Return a client of boto3's kind that may do everything in an account."""
        return self._client(service, region, account_id)


@pytest.fixture(scope="session")
def _tasks_aws_emulator() -> Iterator[Emulator]:
    """One emulator for each process that runs tests."""
    emulator = start(environment_without_aws())
    yield emulator
    emulator.stop()


@pytest.fixture
def _tasks_aws_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The environment without anything that leads to AWS, and a HOME of its own."""
    before = snapshot()
    home = tmp_path_factory.mktemp("home")
    replace_aws({"HOME": str(home), "USERPROFILE": str(home), "AWS_EC2_METADATA_DISABLED": "true"})
    yield home
    put_back(before)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def aws_local(
    _tasks_aws_environment: Path, _tasks_aws_emulator: Emulator, pytestconfig: pytest.Config
) -> LocalAws:
    """An embedded AWS with what the project's settings name, and nothing of other tests."""
    _tasks_aws_emulator.reset()
    description = describe_settings(_make_context(pytestconfig.rootpath))
    folder = _tasks_aws_environment / ".aws"
    client = use_emulator(_tasks_aws_emulator, folder, description)
    return LocalAws(
        _tasks_aws_emulator.url,
        lambda service, region, account: client(service, Place(account, region)),
    )


@pytest.fixture
def aws_context(
    request: pytest.FixtureRequest, _tasks_aws_environment: Path, pytestconfig: pytest.Config
) -> Context:
    """An invoke context with the project's settings, in which nothing is cached.

    With `aws_local` in the same test it works there. Otherwise it has stub credentials, for moto
    and the like.
    """
    if "aws_local" in request.fixturenames:
        request.getfixturevalue("aws_local")
        return _make_context(pytestconfig.rootpath)
    c = _make_context(pytestconfig.rootpath)
    _activate_stub(c, _tasks_aws_environment / ".aws")
    return c


def _make_context(project: Path) -> Context:
    config = Config(project_location=project)
    config.load_project()
    config.load_overrides({root_key(config): {"cache": "none"}})
    config.load_shell_env()
    return Context(config)


def _activate_stub(c: Context, folder: Path) -> None:
    """Make credentials that nobody has the active ones."""
    settings = read_settings(c)
    folder.mkdir()
    names = dict.fromkeys(("default", settings.profile or "default"))
    text = "".join(
        f"[{name}]\nregion = {REGION}\naws_access_key_id = {_STUB}\n"
        f"aws_secret_access_key = {_STUB}\n"
        for name in names
    )
    (folder / "credentials").write_text(text)
    use(
        c,
        prepare(settings),
        Credentials(
            access_key_id=_STUB,
            secret_access_key=Secret(_STUB),
            session_token=Secret(_STUB),
            expiration=None,
            account_id=settings.account_id or ACCOUNT,
        ),
    )
