"""A misspelt region is an error before anything is sent, wherever it comes from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tasks_aws.auth.aws_config import AwsConfig
from tasks_aws.auth.region import region_of
from tasks_aws.config.settings import Settings
from tasks_aws.errors import SettingsError
from tests.conftest import REGION
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

ENDPOINT = {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9/"}


def found(region: str | None, *, profile: str | None = None, **environ: str) -> str:
    """Return the region in force, with a setting, a profile's region and variables."""
    dev = {"region": profile} if profile else {}
    config = AwsConfig({"dev": dev}, {}, {}, ("config", "keys"), ((), ()))
    return region_of(
        Settings(project=Path(), region=region),
        config,
        environ,
        profile="dev",
    )


def test_every_region_that_botocore_knows_is_taken_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = botocore.session.Session()
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("lambda", partition)
    }

    assert {found(region) for region in regions} == regions
    assert len(regions) > 30
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("eu-centrl-1", REGION),
        ("eu-cental-1", REGION),
        ("us-esat-1", "us-east-1"),
        ("ue-central-1", REGION),
        ("EU-CENTRAL-1", REGION),
        ("eu-central1", REGION),
        ("us-east-1a", "us-east-1"),  # a zone
        ("us-gov-wst-1", "us-gov-west-1"),
    ],
)
@pytest.mark.parametrize("environ", [{}, ENDPOINT])
def test_a_misspelt_region_is_an_error(region: str, meant: str, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        found(region, **environ)

    assert caught.value.what == f"There is no AWS region `{region}`."
    assert caught.value.fix == f"Did you mean `{meant}`?"


@pytest.mark.parametrize(
    "region", ["eu-central-9", "ap-south-71", "ap-southwest-1", "nz-north-1", "moon-1"]
)
def test_a_region_that_may_be_new_is_a_warning(
    region: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(region) == region
    assert capsys.readouterr().err == (
        f"warning   `aws.region` names the region {region}, which is not known to the installed "
        "botocore.\n"
    )

    assert found(region, **ENDPOINT) == region
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("`aws.region`", {"region": "eu-centrl-1", "profile": REGION}),
        ("The variable AWS_REGION", {"AWS_REGION": "eu-centrl-1", "AWS_DEFAULT_REGION": REGION}),
        ("The variable AWS_DEFAULT_REGION", {"AWS_DEFAULT_REGION": "eu-centrl-1"}),
        ("The AWS profile `dev`", {"profile": "eu-centrl-1"}),
    ],
)
def test_the_message_names_where_the_region_comes_from(source: str, values: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        found(**{"region": None, **values})

    assert caught.value.why == f"{source} names it."


def test_a_misspelt_region_is_found_before_a_prompt_and_with_a_cached_session(
    project: Project, sts: StrictSts, role: Role
) -> None:
    device = {"profile": "dev", "role_arn": role.arn, "mfa_serial": sts.device().serial}
    project.settings(**device)
    assert "Did you mean" in project.run("assume", "--region", "eu-centrl-1", code=1).err
    assert sts.calls == []

    function = {"source": "app.py", "Handler": "app.handler", "Runtime": "python3.13"}
    (project.folder / "app.py").write_text("def handler(event, context): pass\n")
    functions = {"hello": {**function, "Role": role.arn}}
    project.settings(profile="dev", role_arn=role.arn, functions=functions)
    project.run("assume")
    environ = {"AWS_REGION": "eu-centrl-1"}
    for task in ("assume", "status", "deploy"):
        assert "Did you mean" in project.run(task, "noop", code=1, environ=environ).err
    assert sts.count("AssumeRole") == 1


def test_the_regions_are_read_without_importing_botocore(user: Key, project: Project) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from tasks_aws.auth.obtain import prepare\n"
        "from tasks_aws.config.settings import Settings\n"
        "prepare(Settings(project=Path(), profile='dev', region='eu-central-99'))\n"
        "print([each for each in sys.modules if each.startswith('boto')])"
    )
    environ = {name: text for name, text in project.environ.items() if "ENDPOINT" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
    assert "eu-central-99, which is not known" in done.stderr


@pytest.mark.parametrize("role", [[], ["--role-arn", "arn:aws:iam::123456789012:role/R"]])
def test_an_empty_project_is_asked_for_a_region_and_credentials_at_once(
    project: Project, sts: StrictSts, role: list[str]
) -> None:
    message = project.run("assume", *role, "noop", code=1).err

    assert "Neither an AWS region nor AWS credentials are set." in message
    assert "fix: Set `aws.region` and `aws.profile` in invoke.yaml" in message


def test_a_missing_region_alone_is_named_alone(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        found(None, AWS_ACCESS_KEY_ID="AKIAEXAMPLE")

    assert caught.value.what == "No AWS region is set."
    assert "`invoke assume --region REGION`" in caught.value.fix


def test_a_pseudo_region_for_fips_is_no_misspelling(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(None, AWS_REGION="fips-us-gov-west-1") == "fips-us-gov-west-1"
    assert capsys.readouterr().err == ""
