"""Our reading of profiles is botocore's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tasks_aws.auth.aws_config import read_config, sts_endpoint
from tasks_aws.auth.identity import StsSession
from tasks_aws.auth.resolve import GITHUB_TOKEN, resolve
from tasks_aws.auth.sts_calls import WEB_IDENTITY
from tasks_aws.config.settings import Settings
from tasks_aws.errors import SettingsError

CONFIG = """
[default]
region = us-east-1
[profile dev]
region = eu-central-1
s3 =
    addressing_style = path
[profile "with blank"]
role_arn = arn:aws:iam::123456789012:role/%literal%
source_profile = dev
mfa_serial = arn:aws:iam::111111111111:mfa/alice
duration_seconds = 7200
external_id = literal@x
[profile self]
role_arn = arn:aws:iam::123456789012:role/Self
source_profile = self
aws_access_key_id = AKIASELF
aws_secret_access_key = s
[profile both]
role_arn = arn:aws:iam::123456789012:role/Both
source_profile = self
[profile local]
services = local
[services local]
sts =
    endpoint_url = http://127.0.0.1:9/
[sso-session corp]
sso_region = us-east-1
[preview]
cloudfront = true
"""
KEYS = """
[dev]
aws_access_key_id = AKIADEV
aws_secret_access_key = s3cret
region = eu-west-1
[only-keys]
aws_access_key_id = AKIAONLY
aws_secret_access_key = s3cret
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    config, keys = tmp_path / "config", tmp_path / "keys"
    config.write_text(CONFIG)
    keys.write_text(KEYS)
    found = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
    for name, text in found.items():
        monkeypatch.setenv(name, text)
    return found


def settings(**values: Any) -> Settings:
    return Settings(project=Path(), **values)


def test_profiles_are_read_as_botocore_reads_them(environ: dict[str, str]) -> None:
    ours = read_config(environ)
    theirs = botocore.session.Session().full_config

    assert list(ours.profiles) == list(theirs["profiles"])
    for name, section in theirs["profiles"].items():
        flat = {key: text for key, text in section.items() if isinstance(text, str)}
        assert {key: ours.profiles[name][key] for key in flat} == flat


def test_a_profiles_role_has_the_arguments_of_botocore(environ: dict[str, str]) -> None:
    found = resolve(
        settings(profile="with blank"), read_config(environ), environ, region="eu-west-1"
    )

    assert isinstance(found, StsSession)
    assert found.arguments == {
        "RoleArn": "arn:aws:iam::123456789012:role/%literal%",
        "SerialNumber": "arn:aws:iam::111111111111:mfa/alice",
        "DurationSeconds": 7200,
        "ExternalId": "literal@x",
    }


@pytest.mark.parametrize("name", ["self", "both"])
def test_a_profile_may_be_its_own_source_when_it_has_keys(
    environ: dict[str, str], name: str
) -> None:
    found = resolve(settings(profile=name), read_config(environ), environ, region="eu-west-1")

    assert isinstance(found, StsSession)
    assert not isinstance(found.source, StsSession)
    assert dict(found.source.identity)["aws_access_key_id"] == "AKIASELF"


def test_a_circle_of_profiles_is_an_error(environ: dict[str, str]) -> None:
    with Path(environ["AWS_CONFIG_FILE"]).open("a") as file:
        for one, other in (("a", "b"), ("b", "a")):
            role = f"arn:aws:iam::123456789012:role/{one}"
            file.write(f"[profile {one}]\nrole_arn = {role}\nsource_profile = {other}\n")

    with pytest.raises(SettingsError, match="a -> b -> a form a circle"):
        resolve(settings(profile="a"), read_config(environ), environ, region="eu-west-1")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("role_arn", "notanarn"),
        ("role_arn", ""),
        ("role_session_name", "a b"),
        ("external_id", "x"),
        ("mfa_serial", "123"),
        ("duration_seconds", "60"),
        ("duration_seconds", "86400"),
    ],
)
def test_what_sts_would_refuse_in_a_profile_is_an_error_that_names_it(
    environ: dict[str, str], key: str, text: str
) -> None:
    role = {"role_arn": "arn:aws:iam::123456789012:role/a", "source_profile": "dev", key: text}
    with Path(environ["AWS_CONFIG_FILE"]).open("a") as file:
        file.write("\n".join(["[profile a]", *(f"{name} = {role[name]}" for name in role), ""]))

    with pytest.raises(SettingsError, match=rf"`\[profile a\] {key}` (must be|is empty)"):
        resolve(settings(profile="a"), read_config(environ), environ, region="eu-west-1")


@pytest.mark.parametrize("serial_of", ["keys", "the source of a role"])
def test_an_mfa_serial_beside_keys_is_checked_too(environ: dict[str, str], serial_of: str) -> None:
    with Path(environ["AWS_SHARED_CREDENTIALS_FILE"]).open("a") as file:
        file.write("[mine]\naws_access_key_id = AKIA\naws_secret_access_key = s\nmfa_serial = 1\n")
    role = {} if serial_of == "keys" else {"role_arn": "arn:aws:iam::123456789012:role/a"}
    asked = settings(profile="mine", **role)

    with pytest.raises(SettingsError, match=r"`\[profile mine\] mfa_serial` must be"):
        resolve(asked, read_config(environ), environ, region="eu-west-1")


@pytest.mark.parametrize("tokens", [("AWS_WEB_IDENTITY_TOKEN_FILE",), GITHUB_TOKEN])
@pytest.mark.parametrize("name", ["AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"])
def test_a_variable_of_a_web_identity_that_sts_would_refuse_is_named(
    environ: dict[str, str], tokens: tuple[str, ...], name: str
) -> None:
    role = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/a"}
    environ |= {**role, **dict.fromkeys(tokens, "x"), name: "a/b"}

    with pytest.raises(SettingsError, match=f"`{name}` must be"):
        resolve(settings(), read_config(environ), environ, region="eu-west-1")


@pytest.mark.parametrize("by", ["setting", "variable", "both"])
def test_the_role_of_a_token_file_is_named_by_a_variable_or_the_setting(
    environ: dict[str, str], by: str
) -> None:
    role = "arn:aws:iam::123456789012:role/a"
    environ["AWS_WEB_IDENTITY_TOKEN_FILE"] = "token"
    if by != "setting":
        environ["AWS_ROLE_ARN"] = role
    asked = settings() if by == "variable" else settings(role_arn=role)

    found = resolve(asked, read_config(environ), environ, region="eu-west-1")

    assert isinstance(found, StsSession)
    assert (found.operation, found.arguments) == (WEB_IDENTITY, {"RoleArn": role})


def test_the_endpoint_follows_botocores_order(environ: dict[str, str]) -> None:
    config = read_config(environ)
    local = config.profiles["local"]
    services, general, own = "http://127.0.0.1:9/", "http://general/", "http://sts/"

    assert sts_endpoint(config, {}, {}) == ""
    assert sts_endpoint(config, local, {}) == services
    assert sts_endpoint(config, local, {"AWS_ENDPOINT_URL": general}) == general
    variables = {"AWS_ENDPOINT_URL": general, "AWS_ENDPOINT_URL_STS": own}
    assert sts_endpoint(config, local, variables) == own
    variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    assert sts_endpoint(config, local, variables) == ""


def test_a_broken_config_file_is_named_without_its_text(environ: dict[str, str]) -> None:
    path = Path(environ["AWS_SHARED_CREDENTIALS_FILE"])
    path.write_text("[dev]\naws_access_key_id = A\nhunter2 without a key\n")

    with pytest.raises(SettingsError) as caught:
        read_config(environ)

    assert f"{path}, line 3" in str(caught.value)
    assert "hunter2" not in str(caught.value)
