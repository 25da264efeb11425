"""What the profile says about the way to AWS holds for children, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from tasks_aws.auth.aws_config import read_config
from tasks_aws.auth.profile_variables import VARIABLES, profile_variables
from tests.conftest import REGION
from tests.strict_sts import StrictSts
from tests.support import Project

# Variables that are about the credentials, or that stay as they are: not about the way.
_ELSEWHERE = ("AWS_DEFAULT_REGION", "AWS_DATA_PATH", "AWS_METADATA_", "AWS_EC2_", "AWS_IMDS_")
_INTERNAL = ("AWS_CSM_",)


def test_every_setting_of_a_profile_that_botocore_has_a_variable_for_is_known() -> None:
    theirs = {
        setting: variable
        for setting, variable, *_ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
        if isinstance(setting, str) and isinstance(variable, str)
    }
    about_the_way = {
        setting: variable
        for setting, variable in theirs.items()
        if not variable.startswith((*_ELSEWHERE, *_INTERNAL))
    }

    assert about_the_way.items() <= VARIABLES.items()


def say(project: Project, sts: StrictSts, *, services: bool = False) -> None:
    """Let the profile `own` say everything about the way."""
    key = sts.user_key()
    project.profile(
        "own",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        region=REGION,
        ca_bundle="/ca.pem",
        use_fips_endpoint="true",
        use_dualstack_endpoint="true",
        sts_regional_endpoints="legacy",
        endpoint_url="http://127.0.0.1:9",
        **({"services": "corp"} if services else {}),
    )
    with (project.home / ".aws" / "config").open("a") as file:
        file.write(
            "[services corp]\n"
            f"sts =\n  endpoint_url = {sts.url}\n"
            "elastic_beanstalk =\n  endpoint_url = http://127.0.0.1:8\n"
        )


@pytest.mark.parametrize("options", [[], ["--keep-fresh"]])
def test_children_have_what_the_profile_says(
    project: Project, sts: StrictSts, options: list[str]
) -> None:
    say(project, sts, services=True)
    del project.environ["AWS_ENDPOINT_URL"]

    found = project.exported(project.run("assume", "--profile", "own", *options, "child"))

    expected = {
        "AWS_CA_BUNDLE": "/ca.pem",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_STS": sts.url,
        "AWS_ENDPOINT_URL_ELASTIC_BEANSTALK": "http://127.0.0.1:8",
    }
    assert {name: found.get(name) for name in expected} == expected


def test_the_users_own_variables_come_first(project: Project, sts: StrictSts) -> None:
    say(project, sts, services=True)

    found = project.exported(
        project.run(
            "assume", "--profile", "own", "child", environ={"AWS_USE_FIPS_ENDPOINT": "false"}
        )
    )

    assert found["AWS_USE_FIPS_ENDPOINT"] == "false"
    assert found["AWS_ENDPOINT_URL"] == sts.url
    assert not [name for name in found if name.startswith("AWS_ENDPOINT_URL_")]


def test_another_role_starts_without_them(project: Project, sts: StrictSts) -> None:
    say(project, sts)
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )

    found = project.exported(
        project.run("assume", "--profile", "own", "assume", "--profile", "dev", "child")
    )

    assert "AWS_CA_BUNDLE" not in found
    assert "AWS_STS_REGIONAL_ENDPOINTS" not in found


def test_the_endpoints_of_a_profile_are_those_of_botocore(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile own]\nservices = corp\n[services corp]\ns3 =\n  endpoint_url = http://s3\n"
        "  addressing_style = path\nsqs =\n  region = x\n"
    )
    environ = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    config = read_config(environ)

    assert profile_variables(config, config.profiles["own"], environ) == {
        "AWS_ENDPOINT_URL_S3": "http://s3"
    }
