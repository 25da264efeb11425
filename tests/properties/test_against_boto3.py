"""Whose credentials, which region and which endpoint: boto3 answers the same on the same files.

The cases cover all pairs of values over nine dimensions. Each difference from boto3 is
one of `EXPLAINED`, and stands in ``docs/reference/sessions.md``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
import pytest
from allpairspy import AllPairs  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session

from tasks_aws.auth import environment
from tasks_aws.auth.active import Active
from tasks_aws.auth.obtain import Resources, obtain, sts_of
from tasks_aws.auth.request import Request, prepare
from tasks_aws.auth.values import Credentials
from tasks_aws.config.load import load
from tasks_aws.errors import TasksAwsError
from tests.documents import ROOT
from tests.strict_sts import StrictSts
from tests.support import clean_environment, sts_model, write_sts_model
from tests.taint import TAINT

DIMENSIONS = {
    "source": [
        "keys", "session", "role", "chain", "self", "from environment", "web identity", "process",
        "nothing",
    ],
    "profile named by": [
        "nobody", "setting", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "two variables", "misspelt",
    ],
    "region": ["profile", "AWS_DEFAULT_REGION", "AWS_REGION", "setting", "default", "nowhere"],
    "endpoint": [
        "AWS", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "profile", "services", "ignored",
    ],
    "STS endpoints": ["", "legacy in the profile", "legacy in a variable", "FIPS"],
    "session": ["", "duration_seconds", "role_session_name", "policy", "source_identity"],
    "variables": ["", "keys", "session", "half", "web identity"],
    "file form": ["both", "config", "credentials", "quoted"],
    "nesting": ["plain", "inside an assume"],
}  # fmt: skip
# Each pair of values is there three times, among different others.
CASES = [
    dict(zip(DIMENSIONS, found, strict=True))
    for turn in range(3)
    for found in AllPairs([values[turn:] + values[:turn] for values in DIMENSIONS.values()])
]

SETTINGS: dict[str, Any] = {
    "duration_seconds": 900,
    "role_session_name": "release",
    "policy": {"Version": "2012-10-17", "Statement": []},
    "source_identity": "alice",
}
NAMED, OTHER = "mine", "other"
OF_PROFILE, OF_DEFAULT, ELSEWHERE = "eu-west-3", "eu-north-1", "us-west-2"

# What differs from boto3 on purpose, by a sentence of the documentation.
EXPLAINED = {
    "region": "`AWS_REGION` counts, before `AWS_DEFAULT_REGION`",
    "no region": "Without a region there is an error",
    "refused": "A setting that no call carries is an error",
}


class Answer(NamedTuple):
    """Who one is, and which way requests go."""

    profile: str
    region: str | None
    endpoint: str
    arn: str


@dataclass(frozen=True)
class World:
    """What a case is made of: files, an environment, and settings."""

    environ: dict[str, str]
    settings: dict[str, Any]
    files: dict[Path, str]


def world(case: dict[str, str], sts: StrictSts, home: Path) -> World:
    """Make the files and the environment of a case."""
    environ = {
        **clean_environment(home),
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_DATA_PATH": str(home / "models"),
    }
    write_sts_model(home / "models", sts_model())
    settings: dict[str, Any] = {}
    name = "default" if case["profile named by"] == "nobody" else NAMED
    profiles: dict[str, dict[str, str]] = {"default": {}, OTHER: {}, name: {}}
    sections: dict[str, dict[str, str]] = {}

    source, profile = case["source"], profiles[name]
    user = sts.user_key("arn:aws:iam::111111111111:user/mine")
    keys = {"aws_access_key_id": user.id, "aws_secret_access_key": user.secret}
    if source == "keys":
        profile |= keys
    elif source == "session":
        issued = sts.issue("arn:aws:sts::111111111111:assumed-role/Issued/x", 3600)
        profile |= {
            "aws_access_key_id": issued.id,
            "aws_secret_access_key": issued.secret,
            "aws_session_token": str(issued.token),
        }
    elif source == "self":
        profile |= {**keys, "role_arn": sts.role("Self").arn, "source_profile": name}
    elif source in ("role", "chain"):
        profile |= {"role_arn": sts.role("Role").arn, "source_profile": OTHER}
        profiles[OTHER] |= keys
        if source == "chain":
            profiles["base"] = profiles[OTHER]
            profiles[OTHER] = {"role_arn": sts.role("Middle").arn, "source_profile": "base"}
    elif source == "from environment":
        role = sts.role("Sourced")
        profile |= {"role_arn": role.arn, "credential_source": "Environment"}
    elif source == "web identity":
        profile |= {"role_arn": sts.role("Web").arn, "web_identity_token_file": token(sts, home)}
    elif source == "process":
        said = {"Version": 1, "AccessKeyId": user.id, "SecretAccessKey": user.secret}
        (home / "process.py").write_text(f"print({json.dumps(said)!r})")
        TAINT.own(home / "process.py", user.secret)
        profile["credential_process"] = f"{sys.executable} {home / 'process.py'}"

    where = case["profile named by"]
    if where == "setting":
        settings["profile"] = NAMED
    elif where == "two variables":
        environ |= {"AWS_PROFILE": OTHER, "AWS_DEFAULT_PROFILE": NAMED}
    elif where.startswith("AWS_"):
        environ[where] = NAMED
    elif where == "misspelt":
        environ["AWS_PROFILE"] = "mien"

    where = case["region"]
    if where == "profile":
        profile["region"] = OF_PROFILE
        profiles["default"].setdefault("region", OF_DEFAULT)
    elif where == "default":
        profiles["default"]["region"] = OF_DEFAULT
    elif where == "setting":
        settings["region"] = ELSEWHERE
        profile["region"] = OF_PROFILE
    elif where.startswith("AWS_"):
        environ[where] = ELSEWHERE
        profile["region"] = OF_PROFILE

    where = case["endpoint"]
    if where.startswith("AWS_"):
        environ[where] = sts.url
        profile["endpoint_url"] = "http://127.0.0.1:9"
    elif where in ("profile", "ignored"):
        profile["endpoint_url"] = sts.url
    elif where == "services":
        profile |= {"services": "own", "endpoint_url": "http://127.0.0.1:9"}
        sections["services own"] = {"sts": f"\n  endpoint_url = {sts.url}"}
    if where == "ignored":
        profile["ignore_configured_endpoint_urls"] = "true"

    if case["STS endpoints"] == "legacy in the profile":
        profile["sts_regional_endpoints"] = "legacy"
    elif case["STS endpoints"] == "legacy in a variable":
        environ["AWS_STS_REGIONAL_ENDPOINTS"] = "legacy"
    elif case["STS endpoints"] == "FIPS":
        profile["use_fips_endpoint"] = "true"

    if case["session"]:
        settings[case["session"]] = SETTINGS[case["session"]]

    kind = case["variables"]
    if kind in ("keys", "half"):
        key = sts.user_key("arn:aws:iam::111111111111:user/variables")
        environ |= {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
        if kind == "half":
            del environ["AWS_SECRET_ACCESS_KEY"]
    elif kind == "session":
        key = sts.issue("arn:aws:sts::111111111111:assumed-role/Variables/x", 3600)
        environ |= {
            "AWS_ACCESS_KEY_ID": key.id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_SESSION_TOKEN": str(key.token),
        }
    elif kind == "web identity":
        environ |= {
            "AWS_ROLE_ARN": sts.role("Variables").arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": token(sts, home),
        }
    return World(environ, settings, written(case["file form"], profiles, sections, home))


def token(sts: StrictSts, home: Path) -> str:
    """Write the token of a web identity and return its path."""
    file = home / "token"
    file.write_text(sts.web_identity_token)
    TAINT.own(file, sts.web_identity_token)
    return str(file)


def written(
    form: str, profiles: dict[str, dict[str, str]], sections: dict[str, dict[str, str]], home: Path
) -> dict[Path, str]:
    """Return the text of the two files: keys are in one or the other, or all in one."""
    texts = {"config": "", "credentials": ""}
    for name, values in profiles.items():
        for key, text in values.items():
            inside = form == "credentials" or (form == "both" and key.startswith("aws_"))
            file = "credentials" if inside else "config"
            header = name
            if file == "config" and name != "default":
                header = f'profile "{name}"' if form == "quoted" else f"profile {name}"
            if f"[{header}]" not in texts[file]:
                texts[file] += f"\n[{header}]\n"
            # Sections are written whole, one after the other, so this is the last one of its file.
            texts[file] += f"{key} = {text}\n"
    for header, values in sections.items():
        texts["config"] += f"\n[{header}]\n" + "".join(
            f"{key} = {text}\n" for key, text in values.items()
        )
    return {home / ".aws" / name: text for name, text in texts.items()}


@contextmanager
def entered(environ: dict[str, str]) -> Iterator[None]:
    """Have an environment, as at the start of a process."""
    before = dict(os.environ)
    environment._original = None
    os.environ.clear()
    os.environ.update(environ)
    try:
        yield
    finally:
        environment._original = None
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def hosts() -> list[str]:
    """The hosts that were asked."""
    return []


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch, hosts: list[str]) -> Iterator[StrictSts]:
    """A strict STS that answers for every endpoint of STS, AWS's own included."""
    send = URLLib3Session.send
    with StrictSts() as server:

        def rerouted(self: URLLib3Session, request: Any) -> Any:
            host = urlsplit(request.url).netloc
            hosts.append(host)
            if host.startswith("sts"):
                request.headers["Host"] = host  # it is signed
                request.url = f"{server.url}/"
            return send(self, request)

        monkeypatch.setattr(URLLib3Session, "send", rerouted)
        yield server


def theirs(made: World) -> Answer | Exception:
    """Return boto3's answer, or its error."""
    try:
        return answer_of_boto3(made)
    except (BotoCoreError, ClientError) as error:
        return error


def answer_of_boto3(made: World) -> Answer:
    session = boto3.Session(profile_name=made.settings.get("profile"))
    region = made.settings.get("region") or made.environ.get("AWS_REGION") or session.region_name
    client = session.client("sts", region_name=region)
    return Answer(
        profile=session.profile_name,
        region=region,
        endpoint=client.meta.endpoint_url,
        arn=nameless(client.get_caller_identity()["Arn"]),
    )


def ours(made: World, project: Path) -> tuple[Answer, Request, Credentials]:
    """Return our answer, and what it was obtained with. Raises `TasksAwsError`."""
    request = prepare(load(made.settings, project=project, environ=made.environ))
    credentials = obtain(request, Resources())
    client: Any = sts_of(request)._client(credentials)
    answer = Answer(
        profile=request.profile or "default",
        region=request.region,
        endpoint=client.meta.endpoint_url,
        arn=nameless(client.get_caller_identity()["Arn"]),
    )
    return answer, request, credentials


def nameless(arn: str) -> str:
    """Return an ARN without the name of a session, which boto3 invents."""
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(filter(None, case.values())))
def test_boto3_answers_the_same(case: dict[str, str], sts: StrictSts, tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir(exist_ok=True)
    (home / ".aws").mkdir()
    made = world(case, sts, home)
    for path, text in made.files.items():
        path.write_text(text)
        TAINT.own(path, *(key.secret for key in sts.keys.values()))
        TAINT.own(path, *(str(key.token) for key in sts.keys.values() if key.token))
    with TAINT.prints_secrets("a credential_process does"):
        inside = compared(case, made, tmp_path)
        if inside and case["nesting"] != "plain":
            compared_inside(inside, made, tmp_path)


def compared(case: dict[str, str], made: World, project: Path) -> dict[str, str] | None:
    """Compare the answers; return the environment of children, or None if there is an error."""
    with entered(made.environ):
        expected = theirs(made)
        try:
            found, request, credentials = ours(made, project)
        except TasksAwsError as error:
            problem = error
        else:
            if isinstance(expected, Answer) and ":federated-user/" in found.arn:
                found = found._replace(arn=expected.arn)  # the same user, narrowed
            assert found == expected
            variables = Active(request=request, credentials=credentials).variables
            return environment.environment_with(variables)
    assert isinstance(expected, Exception) or explained(case, problem), problem
    return None


def compared_inside(inside: dict[str, str], made: World, project: Path) -> None:
    """Compare the answers in the environment of a child: ours may know the profile of before."""
    with entered(inside):
        found, *_ = ours(World(inside, made.settings, {}), project)
        expected = theirs(World(inside, {**made.settings, "profile": None}, {}))
    assert isinstance(expected, Answer)
    assert found[1:] == expected[1:]


def explained(case: dict[str, str], error: TasksAwsError) -> bool:
    """Return whether an error of ours, where boto3 has none, is meant to be."""
    if "AWS region" in error.what:
        return case["region"] in ("nowhere", "default")
    return bool(case["session"]) and "cannot be applied to" in error.what


@pytest.mark.parametrize("said_by", ["AWS_REGION", "AWS_DEFAULT_REGION", "setting", "profile"])
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("ap-east-1", "sts.ap-east-1.amazonaws.com"),
    ],
)
def test_a_web_identity_is_assumed_in_the_region_in_force(
    sts: StrictSts, hosts: list[str], tmp_path: Path, region: str, host: str, said_by: str
) -> None:
    (home := tmp_path / "home").mkdir()
    (home / ".aws").mkdir()
    environ = {
        **clean_environment(home),
        "AWS_ROLE_ARN": sts.role("Ci").arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": token(sts, home),
        "AWS_PROFILE": "ci",
    }
    settings = {}
    config = "[profile ci]\n"
    if said_by == "setting":
        settings["region"] = region
    elif said_by == "profile":
        config += f"region = {region}\n"
    else:
        environ[said_by] = region
    (home / ".aws" / "config").write_text(config)

    with entered(environ):
        ours(World(environ, settings, {}), tmp_path)

    assert set(hosts) == {host}


def test_there_are_enough_cases() -> None:
    assert len({tuple(case.values()) for case in CASES}) >= 150
    assert len(DIMENSIONS) >= 8


@pytest.mark.parametrize("sentence", EXPLAINED.values())
def test_every_difference_is_documented(sentence: str) -> None:
    page = (ROOT / "docs" / "reference" / "sessions.md").read_text()

    assert sentence in " ".join(page.split())
