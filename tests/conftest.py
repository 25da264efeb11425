"""Fixtures: a clean environment, a project, a strict STS and the embedded AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from mypy_boto3_lambda import LambdaClient
from trustme import CA

from tests import local_aws, moto_server, taint
from tests.oidc import IdentityCenter
from tests.proxy import Proxy
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project, clean_environment
from tests.taint import TAINT
from tests.warm import Warm

REGION = "eu-central-1"

# Not on Windows: they send signals, or hold locks in the way of Unix.
OF_UNIX = [
    "auth/refresh/test_private_files.py",
    "auth/test_child_process.py",
    "downstream",
    "faults/test_kill.py",
    "packaging/test_build.py",
    "test_gulp.py",
    "test_real_projects.py",
    "test_sample_project.py",
]
collect_ignore = OF_UNIX if sys.platform == "win32" else []

# How many examples the property-based tests try. `ci` has the same ones at each run; neither keeps
# a database. A hang is found by an alarm of their own, which is not misled by a busy machine.
for profile, count in (("ci", 25), ("long", 2500)):
    hypothesis_settings.register_profile(
        profile,
        max_examples=count,
        derandomize=profile == "ci",
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs tests on another emulator of AWS."""
    parser.addoption("--emulator", choices=("ministack", "moto"), default="ministack")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, on moto's server, what it cannot do."""
    if config.getoption("emulator") == "moto":
        left_out = [each for each in items if moto_server.why_left_out(each.nodeid)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [each for each in items if each not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, and how many examples of bad input there were."""
    recorded: list[tuple[str, Any]] = [
        each
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for each in report.user_properties
    ]
    lines = sorted(text for name, text in recorded if name == "figures")
    if counts := [count for name, count in recorded if name == "examples"]:
        lines.append(f"bad input: {sum(counts)} examples in {len(counts)} tests")
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(lines))


@pytest.fixture(scope="session", autouse=True)
def _no_developer_around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep fixtures that serve many tests away from the developer's files, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("nobody")))
        taint.watch(tmp_path_factory.mktemp("secrets") / "ledger", patch)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin to collect the secrets of a test."""
    TAINT.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look for the secrets of a test when it has ended, and its fixtures have not."""
    report = yield
    if report.when == "call":
        folder = item.funcargs.get("tmp_path")
        taint.check(report, folder if isinstance(folder, Path) else None)
    return report


@pytest.fixture(autouse=True)
def _no_aws_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in this process lead to a real account or to the developer's files."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "INVOKE_")) or name == "CI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose tasks are ours, `noop` and `child`."""
    folder, home, temporary = (tmp_path / name for name in ("project", "home", "temporary"))
    for each in (folder, home, temporary):
        each.mkdir()
    made = Project(folder, home, {**clean_environment(home), "TMPDIR": str(temporary)})
    made.tasks()
    return made


@pytest.fixture
def sts(project: Project) -> Iterator[StrictSts]:
    """A strict STS that the project's environment points at."""
    with StrictSts() as server:
        project.environ["AWS_ENDPOINT_URL"] = server.url
        yield server


@pytest.fixture
def center(project: Project, sts: StrictSts) -> Iterator[IdentityCenter]:
    """An IAM Identity Center, and the profile `sso` that gets its credentials there."""
    (project.home / ".aws").mkdir(exist_ok=True)
    with IdentityCenter(sts) as server:
        server.serve(project)
        yield server


@pytest.fixture
def user(project: Project, sts: StrictSts) -> Key:
    """Long-lived keys in the profile `dev`."""
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )
    return key


@pytest.fixture
def role(project: Project, sts: StrictSts, user: Key) -> Role:
    """A role that `invoke assume` assumes from the profile `dev`."""
    made = sts.role("Deployer")
    project.settings(profile="dev", role_arn=made.arn)
    return made


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process that has everything imported."""
    with Warm() as server:
        yield server


@dataclass(frozen=True)
class Company:
    """A CA that only one company knows."""

    authority: CA
    bundle: str  # the file of its certificate


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """A company whose servers have certificates of its own."""
    made = Company(CA(), str(tmp_path / "company.pem"))
    made.authority.cert_pem.write_to_path(made.bundle)
    return made


@dataclass(frozen=True)
class EmbeddedAws:
    """MiniStack, with the sample project's users and roles in it."""

    endpoint: str
    key: str
    secret: str

    def functions(self, region: str = local_aws.REGION) -> LambdaClient:
        """Return a client that may do everything."""
        client: LambdaClient = self.client("lambda", region)
        return client

    def client(self, service: str, region: str = local_aws.REGION) -> Any:
        """Return a client of any service that may do everything."""
        return local_aws.root_client(self.endpoint, service, region)

    def serve(self, project: Project, url: str | None = None) -> None:
        """Let a project's commands find it, at a proxy's URL if one is given, and its user."""
        project.environ["AWS_ENDPOINT_URL"] = url or self.endpoint
        local_aws.write_config(project.home, self.key, self.secret)
        TAINT.collect(self.secret)
        TAINT.own(project.home / ".aws" / "credentials", self.secret)


@pytest.fixture(scope="session")
def endpoint(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of one emulator for each process that runs tests."""
    if pytestconfig.getoption("emulator") == "moto":
        with moto_server.moto_server() as url:
            yield url
        return
    with pytest.MonkeyPatch.context() as patch:
        for name, text in taint.recording().items():
            patch.setenv(name, text)
        aws = local_aws.start()
    try:
        yield aws.url
    finally:
        aws.stop()


def populate(endpoint: str) -> EmbeddedAws:
    """Make the sample project's users and roles in a MiniStack that has none."""
    aws = EmbeddedAws(endpoint, *local_aws.seed(endpoint))
    make_role_for_everything(aws)
    return aws


def make_role_for_everything(aws: EmbeddedAws) -> None:
    """Make a role for tests whose subject is not which permissions are needed."""
    iam, account = aws.client("iam"), local_aws.ACCOUNT
    user = f"arn:aws:iam::{account}:user/developer"
    trust = local_aws.policy({"Action": "sts:AssumeRole", "Principal": {"AWS": user}})
    iam.create_role(RoleName="everything", AssumeRolePolicyDocument=trust)
    everything = local_aws.policy({"Action": "*", "Resource": "*"})
    iam.put_role_policy(RoleName="everything", PolicyName="all", PolicyDocument=everything)
    role = f"arn:aws:iam::{account}:role/everything"
    may_assume = local_aws.policy({"Action": "sts:AssumeRole", "Resource": role})
    iam.put_user_policy(
        UserName="developer", PolicyName="assume-everything", PolicyDocument=may_assume
    )


@pytest.fixture
def proxy(project: Project, aws: EmbeddedAws) -> Iterator[Proxy]:
    """A proxy between the project and the embedded AWS."""
    with Proxy(aws.endpoint) as server:
        project.environ["AWS_ENDPOINT_URL"] = server.url
        yield server


@pytest.fixture
def aws(project: Project, endpoint: str, pytestconfig: pytest.Config) -> EmbeddedAws:
    """The embedded AWS, with nothing of other tests in it, and a project that points at it."""
    on_moto = pytestconfig.getoption("emulator") == "moto"
    path = moto_server.RESET if on_moto else "/_ministack/reset"
    urlopen(Request(f"{endpoint}{path}", method="POST")).close()
    populated = populate(endpoint)
    populated.serve(project)
    return populated
