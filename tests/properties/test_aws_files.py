"""Any AWS config file and any cached session: one clear message, or credentials."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tasks_aws
from tasks_aws.auth import identity, request
from tasks_aws.config.load import load
from tests.properties.sandbox import KEYS, Sandbox, sandbox
from tests.properties.values import json_values, words

ROLE = "arn:aws:iam::123456789012:role/x"

NAMES = ["default", "a", "b", "a b", "loop"]
# What a value may be; a program that gives credentials is run, so it is one of these.
_values = st.one_of(words, st.sampled_from([*NAMES, ROLE, "2", "²", "3600", "Environment"]))
_keys = {
    **dict.fromkeys(
        [
            *("role_arn", "source_profile", "credential_source", "mfa_serial", "external_id"),
            *("duration_seconds", "role_session_name", "region", "output", "endpoint_url"),
            *("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "services"),
            *("sso_session", "sso_account_id", "sso_role_name", "sso_start_url", "sso_region"),
            *("web_identity_token_file", "ca_bundle", "login_session", "sts_regional_endpoints"),
            "s3",
            *("ignore_configured_endpoint_urls", "use_fips_endpoint", "retry_mode", "max_attempts"),
            *("cli_pager", "defaults_mode", "tcp_keepalive", "parameter_validation"),
        ],
        _values,
    ),
    "credential_process": st.sampled_from(["true", "no-such-program", "'", "", "true \0"]),
    "source_profile": st.sampled_from(NAMES),
}
_lines = st.one_of(
    st.sampled_from([*_keys]).flatmap(lambda key: _keys[key].map(f"{key} = {{}}".format)),
    st.tuples(words, st.sampled_from(["", "=", " = ", ":", "\n  "]), _values).map("".join),
)
_headers = st.one_of(
    st.sampled_from(
        [f"profile {name}" for name in NAMES] + [*NAMES, "profile", "sso-session a", "services a"]
    ),
    st.sampled_from(["profile 'a b'", "profile 'a", "DEFAULT", "", "]", "profile a]"]),
    words,
)
_sections = st.tuples(_headers, st.lists(_lines, max_size=6)).map(
    lambda section: "\n".join([f"[{section[0]}]", *section[1], ""])
)
ini = (
    st.lists(_sections, max_size=5)
    .map("".join)
    .map(lambda text: text.encode(errors="surrogatepass"))
)
files = st.one_of(
    ini,
    ini,
    st.binary(max_size=60),
    st.tuples(ini, st.binary(max_size=5), ini).map(b"".join),
    st.just(b"[profile a]\n  indented\nrole_arn\n"),
)


SQUARED = f"""
[profile a]
role_arn = {ROLE}
source_profile = c
duration_seconds = ²
[profile c]
region = eu-west-1
aws_access_key_id = x
aws_secret_access_key = y
""".encode()
# A role that assumes itself has the same key in the cache, and the same lock, twice.
SAME_ROLE = f"""
[profile a]
role_arn = {ROLE}
source_profile = b
[profile b]
role_arn = {ROLE}
source_profile = c
[profile c]
region = eu-west-1
aws_access_key_id = x
aws_secret_access_key = y
""".encode()


@given(files, files, st.sampled_from([None, *NAMES, "c"]), st.booleans())
@example(SQUARED, b"", "a", True)
@example(SAME_ROLE, b"", "a", True)
@example(b"[default]\ncredential_process = \n", b"", None, False)
def test_any_aws_files(config: bytes, keys: bytes, profile: str | None, named: bool) -> None:
    environ = {name: text for name, text in KEYS.items() if "KEY" not in name}
    if profile and not named:
        environ["AWS_PROFILE"] = profile
    with sandbox(environ) as box:
        (box.home / ".aws").mkdir()
        (box.home / ".aws" / "config").write_bytes(config)
        (box.home / ".aws" / "credentials").write_bytes(keys)
        aws = {"profile": profile} if profile and named else {}

        assert box.refused(tasks_aws.assume, aws) is not None  # for AWS does not answer
        box.refused(tasks_aws.assume, aws, role_arn=ROLE)
        box.refused(tasks_aws.sessions, aws)


def answer(**changes: Any) -> dict[str, Any]:
    """Return an entry of the cache as the AWS CLI writes it, good until the year 2999."""
    return {
        "Credentials": {
            "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "SecretAccessKey": "secret",
            "SessionToken": "token",
            "Expiration": "2999-01-01T00:00:00Z",
        },
        "AssumedRoleUser": {
            "AssumedRoleId": "A:x",
            "Arn": "arn:aws:sts::123456789012:assumed-role/x/y",
        },
        **changes,
    }


_fields = [
    (name, key)
    for name, part in answer(TasksAws={"Source": "", "Seconds": 1, "Subject": ""}).items()
    for key in [None, *part, "AccountId", "Endpoint"]
]
_moments = st.sampled_from(
    [
        "2999-01-01T00:00:00",
        "2999-01-01T00:00:00UTC",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1999-01-01T00:00:00Z",
    ]
)


@st.composite
def changed_answers(draw: st.DrawFn) -> bytes:
    """An entry of which one or two values are anything."""
    made = answer()
    for name, key in draw(st.lists(st.sampled_from(_fields), min_size=1, max_size=2)):
        value = draw(json_values | _moments)
        if key is None or not isinstance(made.get(name, {}), dict):
            made[name] = value
        else:
            made[name] = {**made.get(name, {}), key: value}
    return json.dumps(made).encode()


entries = st.one_of(
    changed_answers(),
    changed_answers(),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, json.dumps(answer()).encode()[:-9]]
    ),
)


def session_file(box: Sandbox, aws: dict[str, Any]) -> Path:
    """Return where the session of these settings is looked for, in a folder that is there."""
    folder = box.home / ".aws" / "cli" / "cache"
    folder.mkdir(parents=True)
    asked = request.prepare(load(aws, project=box.project))
    assert isinstance(asked.identity, identity.StsSession)
    return folder / f"{identity.cache_key(asked.identity)}.json"


@given(entries)
def test_any_cached_session(entry: bytes) -> None:
    aws = {"role_arn": ROLE}
    with sandbox() as box:
        file = session_file(box, aws)
        file.write_bytes(entry)

        if box.refused(tasks_aws.assume, aws) is None:  # then it is a session that may be used
            assert os.environ["AWS_ACCESS_KEY_ID"] != KEYS["AWS_ACCESS_KEY_ID"]
            assert box.calls == []
        box.refused(tasks_aws.env, aws)
        box.refused(tasks_aws.sessions, aws)
        box.refused(tasks_aws.forget, aws)
        assert not file.exists() or file.read_bytes() == entry


def test_a_good_cached_session_is_used() -> None:
    aws = {"role_arn": ROLE}
    with sandbox() as box:
        session_file(box, aws).write_text(json.dumps(answer()))

        assert box.refused(tasks_aws.assume, aws) is None
        assert os.environ["AWS_ACCESS_KEY_ID"] == "ASIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "device"])
def test_what_is_no_file_in_the_cache_is_no_session(kind: str) -> None:
    aws = {"role_arn": ROLE}
    with sandbox() as box:
        file = session_file(box, aws)
        (box.home / "other").write_text(json.dumps(answer()))
        if kind == "folder":
            file.mkdir()
        elif kind == "fifo":
            os.mkfifo(file)
        else:
            file.symlink_to("/dev/zero" if kind == "device" else box.home / "other")

        assert "AWS cannot be reached" in str(box.refused(tasks_aws.assume, aws))
        box.refused(tasks_aws.sessions, aws)
        box.refused(tasks_aws.forget, aws)
