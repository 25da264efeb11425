"""The environment variables that `assume` sets and removes, as tables.

The lists are those of the code that does it. What has no meaning here yet fails a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks_aws.auth import environment
from tasks_aws.auth.profile_variables import VARIABLES

EXPORTED: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "the session's; not with `--keep-fresh`",
    "AWS_SECRET_ACCESS_KEY": "the session's; not with `--keep-fresh`",
    "AWS_SESSION_TOKEN": "the session's; not with `--keep-fresh`",
    "AWS_REGION": "the region of the settings, the environment or the profile; most SDKs read it",
    "AWS_DEFAULT_REGION": "the same; boto3 reads only this one",
    "AWS_CREDENTIAL_EXPIRATION": "when the session ends, in UTC; not with `--keep-fresh`",
    "AWS_ACCOUNT_ID": "the account of the session, whatever you have set it to",
}
ONLY_SOURCE: Mapping[str, str] = {
    "AWS_CONFIG_FILE": "a file with the profiles `default` and `aws.profile`, whose "
    "`credential_process` asks invoke",
    "AWS_SHARED_CREDENTIALS_FILE": "an empty file",
    "AWS_CREDENTIAL_PROFILES_FILE": "the file with the profiles, for the SDK for Java v1",
    "CPL_AWS_CREDENTIALS_FILE": "the empty file, for GDAL",
    "AWS_SDK_LOAD_CONFIG": "`1`: older SDKs read the config file only then",
    "AWS_EC2_METADATA_DISABLED": "`true`: nothing falls back to the role of the machine",
    "AWS_CREDENTIAL_FILE": "a file that tells tools that know keys only why there are none",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "the address of invoke's server, as in AWS's containers",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "the file with the token for it",
}


def variables_page() -> str:
    """Return the tables."""
    removed = (
        *environment.CONFLICTING,
        *(f"{each}*" for each in environment.CONFLICTING_KINDS),
        *environment.OTHER_NAMES,
    )
    from_profile = {
        **{name: f"`{key}`" for key, name in VARIABLES.items()},
        "AWS_ENDPOINT_URL": "`endpoint_url`",
        "AWS_ENDPOINT_URL_*": "`endpoint_url` of a service, in the `services` of the profile",
    }
    parts = [
        "## Set by assume",
        _table("Value", {name: EXPORTED[name] for name in environment.EXPORTED}),
        "## Removed by assume",
        "Each of these would take precedence over the session in one SDK or another, or belongs to "
        "other keys.",
        "".join(f"- `{each}`\n" for each in dict.fromkeys(removed)).rstrip(),
        "## Set in addition with keep-fresh",
        _table("Value", ONLY_SOURCE),
        "## Set for what the profile says",
        "Children do not read the profile, so what it says besides credentials is set, unless you "
        "have set the variable yourself.",
        _table("Key of the profile", dict(sorted(from_profile.items()))),
    ]
    return "\n\n".join(parts) + "\n"


def unexplained() -> set[str]:
    """Return the variables that are set and stand in no table, or stand there and are not set."""
    only_source = environment.only_source(Path(), Path())
    return {*environment.EXPORTED} ^ {*EXPORTED} | {*only_source} - {*ONLY_SOURCE}


def _table(heading: str, rows: Mapping[str, str]) -> str:
    lines: Iterable[str] = (f"| `{name}` | {meaning} |" for name, meaning in rows.items())
    return "\n".join([f"| Variable | {heading} |", "| --- | --- |", *lines])
