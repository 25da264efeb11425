"""Every place that credentials may start from, each run for real."""

from __future__ import annotations

import hashlib
import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from trustme import LeafCert

from tests.strict_sts import Key, StrictSts
from tests.support import Project
from tests.taint import TAINT

REGION = "eu-central-1"
ARN = "arn:aws:sts::123456789012:assumed-role/Source/x"


@contextmanager
def serving(
    answer: Callable[[str, dict[str, str]], object], certificate: LeafCert | None = None
) -> Iterator[str]:
    """Serve JSON, texts and bytes on a port of the loopback interface.

    None is 401, and a number a status. With a certificate it speaks TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answer(self.path, {name.lower(): v for name, v in self.headers.items()})
            status = 401 if found is None else found if isinstance(found, int) else 200
            self.send_response(status)
            self.end_headers()
            text = found if isinstance(found, str | bytes) else json.dumps(found)
            self.wfile.write(text if isinstance(text, bytes) else text.encode())

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def soon() -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_container(key: Key) -> dict[str, str]:
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": str(key.token),
        "Expiration": soon(),
    }


@pytest.fixture
def temporary(sts: StrictSts) -> Key:
    """Temporary keys that a source hands out."""
    return sts.issue(ARN, 3600)


def test_a_chain_of_three_profiles(project: Project, sts: StrictSts, user: Key) -> None:
    names = ["one", "two", "three"]
    for name, source in zip(names, ["dev", "one", "two"], strict=True):
        arn = sts.role(name).arn
        project.profile(name, role_arn=arn, source_profile=source, region=REGION)

    out = project.run("assume", "--profile", "three", "whoami").out

    assert "assumed-role/three/alice" in out
    assert [call["RoleArn"].split("/")[1] for name, call in sts.calls if "Role" in name] == names


def test_credential_source_environment(project: Project, sts: StrictSts) -> None:
    key, role = sts.user_key(), sts.role("Env")
    project.profile("p", role_arn=role.arn, credential_source="Environment", region=REGION)
    environ = {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}

    result = project.run("assume", "--profile", "p", "whoami", "assume", "--fresh", environ=environ)

    assert "assumed-role/Env/alice" in result.out
    assert sts.count("AssumeRole") == 2  # the second from the keys, too, and not from the role


def test_credential_source_container(project: Project, sts: StrictSts, temporary: Key) -> None:
    role = sts.role("Ecs")
    project.profile("p", role_arn=role.arn, credential_source="EcsContainer", region=REGION)

    with serving(lambda path, headers: as_container(temporary)) as url:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/x"}
        result = project.run("assume", "--profile", "p", "whoami", environ=environ)

    assert "assumed-role/Ecs/alice" in result.out


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"credential_source": "Enviroment"}, "Did you mean `Environment`?"),
        (
            {"credential_source": "Environment", "source_profile": "p"},
            "has a role_arn, and both source_profile and credential_source.",
        ),
        ({}, "has a role_arn, but neither source_profile nor credential_source."),
        ({"credential_source": "Environment"}, "The credential source Environment provides no"),
    ],
)
def test_a_wrong_credential_source(
    project: Project, sts: StrictSts, values: dict[str, str], says: str
) -> None:
    project.profile("p", role_arn=sts.role("R").arn, region=REGION, **values)

    assert says in project.run("assume", "--profile", "p", code=1).err


def test_the_container_endpoint(project: Project, sts: StrictSts, temporary: Key) -> None:
    def answer(path: str, headers: dict[str, str]) -> object:
        return as_container(temporary) if headers.get("authorization") == "let-me-in" else None

    with serving(answer) as url:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let-me-in",
            "AWS_REGION": REGION,
        }
        found = project.exported(project.run("assume", "child", environ=environ))

    assert found["AWS_ACCESS_KEY_ID"] == temporary.id
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in found
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" not in found


def test_single_sign_on_with_a_cached_token(
    project: Project, sts: StrictSts, temporary: Key
) -> None:
    token = "sso-token-that-nobody-may-see"
    folder = project.home / ".aws" / "sso" / "cache"
    folder.mkdir(parents=True)
    cached = {
        "accessToken": token,
        "expiresAt": soon(),
        "region": REGION,
        "startUrl": "https://corp.awsapps.com/start",
    }
    kept = folder / f"{hashlib.sha1(b'corp').hexdigest()}.json"
    kept.write_text(json.dumps(cached))
    TAINT.collect(token)
    TAINT.own(kept, token)
    with (project.home / ".aws" / "config").open("a") as file:
        file.write("[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\n")
        file.write(f"sso_region = {REGION}\n")
    project.profile(
        "sso",
        sso_session="corp",
        sso_account_id="123456789012",
        sso_role_name="Dev",
        region=REGION,
    )

    def answer(path: str, headers: dict[str, str]) -> object:
        if headers.get("x-amz-sso_bearer_token") != token:
            return None
        return {
            "roleCredentials": {
                "accessKeyId": temporary.id,
                "secretAccessKey": temporary.secret,
                "sessionToken": temporary.token,
                "expiration": int(temporary.expires or 0) * 1000,
            }
        }

    role = sts.role("BehindSso")
    with serving(answer) as url:
        environ = {"AWS_ENDPOINT_URL_SSO": url}
        passed = project.run("assume", "--profile", "sso", "child", environ=environ)
        assumed = project.run(
            "assume", "--profile", "sso", "--role-arn", role.arn, "whoami", environ=environ
        )

    assert project.exported(passed)["AWS_ACCESS_KEY_ID"] == temporary.id
    assert "assumed-role/BehindSso" in assumed.out


def test_an_sso_token_that_has_ended_says_what_to_do(project: Project, sts: StrictSts) -> None:
    project.profile(
        "sso",
        sso_start_url="https://corp.awsapps.com/start",
        sso_region=REGION,
        sso_account_id="123456789012",
        sso_role_name="Dev",
        region=REGION,
    )

    message = project.run("assume", "--profile", "sso", code=1).err

    assert "aws sso login --profile sso" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("by", ["profile", "variables"])
def test_web_identity_from_a_token_file(project: Project, sts: StrictSts, by: str) -> None:
    role, file = sts.role("Ci"), project.home / "token"
    file.write_text(sts.web_identity_token)
    TAINT.own(file, sts.web_identity_token)
    environ = {"AWS_REGION": REGION}
    if by == "profile":
        project.profile("ci", role_arn=role.arn, web_identity_token_file=str(file))
        environ["AWS_PROFILE"] = "ci"
    else:
        environ |= {"AWS_ROLE_ARN": role.arn, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}

    result = project.run("assume", "whoami", "child", environ=environ)

    assert "assumed-role/Ci/" in result.out
    assert not {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & set(project.exported(result))


def test_web_identity_wins_over_keys_of_the_default_profile(
    project: Project, sts: StrictSts
) -> None:
    role, file, key = sts.role("Ci"), project.home / ".aws" / "token", sts.user_key()
    project.profile(
        "default", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )
    file.write_text(sts.web_identity_token)
    TAINT.own(file, sts.web_identity_token)
    environ = {"AWS_ROLE_ARN": role.arn, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}

    out = project.run("assume", "whoami", environ={**environ, "AWS_REGION": REGION}).out

    assert "assumed-role/Ci/" in out


@pytest.mark.parametrize("kind", ["temporary", "plain"])
def test_credential_process(project: Project, sts: StrictSts, temporary: Key, kind: str) -> None:
    key = temporary if kind == "temporary" else sts.user_key()
    answer = {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret}
    if key.token:
        answer |= {"SessionToken": key.token, "Expiration": soon()}
    program = project.home / ".aws" / "process.py"
    project.profile("process", credential_process=f"{sys.executable} {program}", region=REGION)
    program.write_text(f"print({json.dumps(answer)!r})")
    TAINT.own(program, key.secret, key.token or "")

    found = project.exported(project.run("assume", "--profile", "process", "child"))

    assert (found["AWS_ACCESS_KEY_ID"] == key.id) is (kind == "temporary")
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def give(project: Project, **answer: object) -> None:
    """Let the profile `process` get this from a program."""
    program = project.home / ".aws" / "process.py"
    project.profile("process", credential_process=f"{sys.executable} {program}", region=REGION)
    program.write_text(f"print({json.dumps({'Version': 1, **answer})!r})")
    TAINT.own(program, *(str(text) for name, text in answer.items() if "Se" in name))


def without_a_zone(key: Key) -> str:
    return f"{datetime.fromtimestamp(key.expires or 0, timezone.utc):%Y-%m-%dT%H:%M:%S}"


def test_an_expiry_of_a_program_without_a_time_zone_is_in_utc(
    project: Project, sts: StrictSts
) -> None:
    key = sts.issue(ARN, 600)  # so little that botocore runs the program again
    expiry = without_a_zone(key)
    keys = {"AccessKeyId": key.id, "SecretAccessKey": key.secret, "SessionToken": key.token}
    give(project, **keys, Expiration=expiry)

    # The second one is loaded in a child process.
    words = ["assume", "--profile", "process", "assume", "--fresh", "child"]
    result = project.run(*words, environ={"TZ": "Asia/Tokyo"})

    assert result.err.count("10 min left") == 2
    assert project.exported(result)["AWS_CREDENTIAL_EXPIRATION"] == f"{expiry}Z"


def test_an_expiry_of_variables_without_a_time_zone_is_in_utc(
    project: Project, sts: StrictSts, temporary: Key
) -> None:
    expiry = without_a_zone(temporary)
    environ = {
        "AWS_ACCESS_KEY_ID": temporary.id,
        "AWS_SECRET_ACCESS_KEY": temporary.secret,
        "AWS_SESSION_TOKEN": str(temporary.token),
        "AWS_CREDENTIAL_EXPIRATION": expiry,
        "AWS_REGION": REGION,
        "TZ": "Asia/Tokyo",
    }

    result = project.run("assume", "assume", "--fresh", "child", environ=environ)

    assert result.err.count("1 h left") == 2
    assert project.exported(result)["AWS_CREDENTIAL_EXPIRATION"] == f"{expiry}Z"


@pytest.mark.parametrize(
    "expiry", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01T00:00:00+09:00"]
)
def test_credentials_of_a_program_that_have_expired(
    project: Project, sts: StrictSts, temporary: Key, expiry: str
) -> None:
    keys = {"AccessKeyId": temporary.id, "SecretAccessKey": temporary.secret}
    give(project, **keys, SessionToken=temporary.token, Expiration=expiry)

    result = project.run("assume", "--profile", "process", "noop", code=1)

    assert "The source credentials for profile process have expired." in result.err
    assert "clock" in result.err
    assert "noop ran" not in result.out


@pytest.mark.parametrize(
    "changes",
    [
        {"Expiration": 1},
        {"Expiration": "9" * 30},
        {"Expiration": "0001-01-01T00:00:00+23:59"},
        {"AccessKeyId": None},
        {"SecretAccessKey": 5},
        {"SessionToken": ["x"]},
        {"SessionToken": "x\n"},  # Python's HTTP client shows such a header in its error
        {"SecretAccessKey": "x y"},
    ],
)
def test_an_answer_of_a_program_that_cannot_be_used(
    project: Project, sts: StrictSts, temporary: Key, changes: dict[str, object]
) -> None:
    keys = {"AccessKeyId": "ASIAX", "SecretAccessKey": "secret-x", "SessionToken": "token-x"}
    give(project, **{**keys, "Expiration": soon(), **changes})

    message = project.run("assume", "--profile", "process", "noop", code=1).err

    assert "profile process" in message
    assert message.count("  fix: ") == 1
    assert "Traceback" not in message
    assert sts.calls == []


def test_an_answer_of_a_container_without_keys(project: Project, sts: StrictSts) -> None:
    with serving(lambda path, headers: {"AccessKeyId": "x"}) as url:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/x", "AWS_REGION": REGION}
        message = project.run("assume", code=1, environ=environ).err

    assert "Credentials could not be obtained for the default credential chain." in message
    assert "Traceback" not in message


def test_one_code_opens_a_session_for_many_roles(
    project: Project, sts: StrictSts, user: Key
) -> None:
    device, one, two = sts.device(), sts.role("One"), sts.role("Two")
    project.settings(profile="dev", mfa_serial=device.serial, mfa_session=True)
    words = ["assume", "--role-arn", one.arn, "--mfa-code", device.code()]

    project.run(*words, "assume", "--role-arn", two.arn, "noop")

    assert [name for name, _ in sts.calls] == [
        "GetSessionToken",
        "GetCallerIdentity",
        "AssumeRole",
        "AssumeRole",
    ]
