"""The AWS config files, read as botocore reads them but without its import.

A cached session is found by what the profile says; importing botocore for that would double
the time of every `invoke assume`.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..secret import Secret
from ..ui.output import suggest

Section = Mapping[str, str]
_SECRET = ("aws_secret_access_key", "aws_session_token", "aws_security_token")


@dataclass(frozen=True, slots=True, eq=False)
class AwsConfig:
    """The sections of ``~/.aws/config`` and ``~/.aws/credentials``, the latter's values first."""

    profiles: Mapping[str, Section]
    sso_sessions: Mapping[str, Section]
    services: Mapping[str, Section]
    files: tuple[str, str]  # where they were read

    def profile(self, name: str, *, named_by: str) -> Section:
        """Return a profile; `SettingsError` says who named one that does not exist."""
        if name not in self.profiles:
            raise SettingsError(
                f"There is no AWS profile `{name}`.",
                why=f"{named_by} names it, but it is in no AWS config file.",
                fix=suggest(name, list(self.profiles))
                or f"Run `aws configure --profile {name}`, or name another profile.",
            )
        return self.profiles[name]

    def in_force(self, name: str | None) -> Section:
        """Return the profile that other settings are read from, which may be empty."""
        return self.profiles.get(name or "default", {})


def read_config(environ: Mapping[str, str]) -> AwsConfig:
    """Read both files, from where ``AWS_CONFIG_FILE`` and its sibling say. A missing one is empty.

    Raises `SettingsError` with file and line for a file that is not INI; never with the line's
    text, which may hold a secret.
    """
    files = (
        environ.get("AWS_CONFIG_FILE") or "~/.aws/config",
        environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials",
    )
    config, keys = map(_sections, files)
    kinds: dict[str, dict[str, Section]] = {"profile": {}, "sso-session": {}, "services": {}}
    for header, values in config.items():
        if header == "default":
            kinds["profile"][header] = values
            continue
        try:
            words = shlex.split(header)
        except ValueError:
            continue
        if len(words) == 2 and words[0] in kinds:
            kinds[words[0]][words[1]] = values
    profiles = kinds["profile"]
    for name, values in keys.items():
        profiles[name] = {**profiles.get(name, {}), **values}
    return AwsConfig(profiles, kinds["sso-session"], kinds["services"], files)


def sts_endpoint(config: AwsConfig, profile: Section, environ: Mapping[str, str]) -> str:
    """Return the STS endpoint that is configured in place of AWS's own, or an empty string.

    The order is botocore's: the service's variable, the general one, the profile's services
    section, the profile.
    """
    if "true" in (
        environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower(),
        profile.get("ignore_configured_endpoint_urls", "").lower(),
    ):
        return ""
    return (
        environ.get("AWS_ENDPOINT_URL_STS")
        or environ.get("AWS_ENDPOINT_URL")
        or service_endpoints(config, profile).get("sts")
        or profile.get("endpoint_url")
        or ""
    )


def service_endpoints(config: AwsConfig, profile: Section) -> dict[str, str]:
    """Return the endpoints in the services section of a profile, by service."""
    services = config.services.get(profile.get("services", ""), {})
    found = {
        service: re.search(r"^\s*endpoint_url\s*=\s*(\S+)", text, re.M)
        for service, text in services.items()
    }
    return {service: match[1] for service, match in found.items() if match}


def expand_home(path: str) -> Path:
    """Return a path with its ``~`` expanded. Raises `SettingsError` if there is no home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise SettingsError(
            f"Cannot expand {path}: the home folder is unknown.",
            why="HOME is not set, and the user has no entry in the password database.",
            fix="Set HOME.",
        ) from error


def _sections(path: str) -> dict[str, dict[str, str]]:
    path = str(expand_home(os.path.expandvars(path)))
    parser = configparser.RawConfigParser()
    try:
        parser.read([path])
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        line = _line(error)
        # `from None`: the error's own text may quote a line with a secret in it.
        raise SettingsError(
            f"Cannot read the AWS config file {path}{line}.",
            why=error.strerror or ""
            if isinstance(error, OSError)
            else "It is not in the INI format of the AWS tools.",
            fix=""
            if isinstance(error, OSError)
            else "Write a header such as [default] above the keys, and one key = value per line.",
        ) from None
    return {
        header: {
            key: Secret(text) if key in _SECRET else text for key, text in parser.items(header)
        }
        for header in parser.sections()
    }


def _line(error: Exception) -> str:
    number = getattr(error, "lineno", None)
    for line, _ in getattr(error, "errors", None) or []:
        number = number or line
    return f", line {number}" if number else ""
