"""The AWS config files, read as botocore reads them but without its import.

A cached session is found by what the profile says; importing botocore for that would double
the time of every `invoke assume`.
"""

from __future__ import annotations

import codecs
import configparser
import io
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError
from ..process.loopback import LOCAL
from ..secret import Secret
from ..text.terminal import is_ci
from ..ui.output import suggest, warn

Section = Mapping[str, str]
_SECRET = ("aws_secret_access_key", "aws_session_token", "aws_security_token")
# The variables that name the files, and where these are without them.
_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}


@dataclass(frozen=True, slots=True, eq=False)
class AwsConfig:
    """The sections of ``~/.aws/config`` and ``~/.aws/credentials``, the latter's values first."""

    profiles: Mapping[str, Section]
    sso_sessions: Mapping[str, Section]
    services: Mapping[str, Section]
    files: tuple[str, str]  # where they were read
    odd_headers: tuple[Sequence[str], Sequence[str]]  # that no profile should have, of each file

    def profile(self, name: str, *, named_by: str) -> Section:
        """Return a profile; `SettingsError` says who named one that does not exist."""
        if name in self.profiles:
            return self.profiles[name]
        where = f"but it is neither in {self.files[0]} nor in {self.files[1]}."
        fix = suggest(name, list(self.profiles))
        for file, header, right in self._misspelt_headers(name):
            where = f"but its header in {file} is [{header}]."
            fix = f"Write the header as {right}."
        raise SettingsError(
            f"There is no AWS profile `{name}`.",
            why=f"{named_by} names it, {where}",
            fix=fix or _how_to_mend(name),
        )

    def warn_of_ignored_sections(self, name: str) -> None:
        """Warn of what seems to be meant for a profile, but has another header."""
        for file, header, right in self._misspelt_headers(name):
            warn(
                f"[{header}] in {file} does not belong to the AWS profile `{name}`: write the "
                f"header as {right}, or remove it."
            )

    def _misspelt_headers(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Yield file, header and what the header must be, of sections meant for a profile."""
        rights = (profile_header(name), f"[{name}]")
        for file, headers, right in zip(self.files, self.odd_headers, rights, strict=True):
            for header in headers:
                if _name_meant_by(header) == name.casefold():
                    yield file, header, right

    def in_force(self, name: str | None) -> Section:
        """Return the profile that other settings are read from, which may be empty."""
        return self.profiles.get(name or "default", {})


def read_config(environ: Mapping[str, str]) -> AwsConfig:
    """Read both files, from where ``AWS_CONFIG_FILE`` and its sibling say. A missing one is empty.

    Raises `SettingsError` with file and line for a file that cannot be read or is not INI; never
    with the line's text, which may hold a secret.
    """
    config_file, keys_file = (environ.get(name) or path for name, path in _FILES.items())
    config, keys = (
        _sections(path, variable)
        for path, variable in zip((config_file, keys_file), _FILES, strict=True)
    )
    kinds: dict[str, dict[str, Section]] = {"profile": {}, "sso-session": {}, "services": {}}
    others: list[str] = []
    for header, values in config.items():
        if header == "default":
            kinds["profile"][header] = values
            continue
        # As botocore has it: a blank in front makes it no profile, and [profiles x] is one.
        kind = next((each for each in kinds if header.startswith(each)), None)
        words = _words(header)
        if kind and len(words) == 2:
            kinds[kind][words[1]] = values
        else:
            others.append(header)
    profiles = kinds["profile"]
    for name, values in keys.items():
        profiles[name] = {**profiles.get(name, {}), **values}
    return AwsConfig(
        profiles,
        kinds["sso-session"],
        kinds["services"],
        files=(config_file, keys_file),
        odd_headers=(others, [each for each in keys if _name_meant_by(each) != each.casefold()]),
    )


def _how_to_mend(profile: str) -> str:
    """Return what to do about a profile that no file has."""
    if is_ci():
        return "CI has no profiles: name yours outside the project, such as in AWS_PROFILE."
    return f"Run `aws configure --profile {profile}`, or name another profile."


def profile_header(name: str) -> str:
    """Return the header of a profile in ``~/.aws/config``.

    >>> profile_header("dev"), profile_header("my team"), profile_header("default")
    ('[profile dev]', '[profile "my team"]', '[default]')
    """
    if name == "default":
        return "[default]"
    return f"[profile {name}]" if re.fullmatch(r"[\w.:/@+-]+", name) else f'[profile "{name}"]'


def sts_endpoint(config: AwsConfig, profile: Section, environ: Mapping[str, str]) -> str:
    """Return the STS endpoint that is configured in place of AWS's own, or an empty string."""
    return endpoint_of("sts", config, profile, environ)


def endpoint_of(
    service: str, config: AwsConfig, profile: Section, environ: Mapping[str, str]
) -> str:
    """Return the endpoint that is configured in place of a service's own, or an empty string.

    The order is botocore's: the service's variable, the general one, the profile's services
    section, the profile.
    """
    if "true" in (
        environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower(),
        profile.get("ignore_configured_endpoint_urls", "").lower(),
    ):
        return ""
    return (
        environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or environ.get("AWS_ENDPOINT_URL")
        or service_endpoints(config, profile).get(service)
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


def aws_folder(name: str) -> Path:
    """Return a folder in ``~/.aws``, or in what has its place while the AWS is embedded."""
    return expand_home(os.environ.get(LOCAL) or "~/.aws") / name


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


def _sections(path: str, variable: str) -> dict[str, dict[str, str]]:
    path = str(expand_home(os.path.expandvars(path)))
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(_text(Path(path), variable))
    except configparser.Error as error:
        # `from None`: the error's own text may quote a line with a secret in it.
        raise _unreadable(path, *_mistake(error), line=_line(error)) from None
    return {
        header: {
            key: Secret(text) if key in _SECRET else text for key, text in parser.items(header)
        }
        for header in parser.sections()
    }


def _text(path: Path, variable: str) -> str:
    """Return what is in a file, decoded as botocore does it; nothing if there is no file.

    What exists and cannot be read is an error, whereas botocore goes on without it.
    """
    try:
        if not path.exists() or path.is_char_device():  # such as /dev/null
            return ""
        if not path.is_file():
            fix = f"Move it away, or set {variable} to a file."
            raise _unreadable(path, "It is a folder, or something else that is not a file.", fix)
        data = path.read_bytes()
    except OSError as error:
        fix = f"Change its permissions, or set {variable} to another file."
        raise _unreadable(path, f"{error.strerror}.", fix) from error
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:2]:
        raise _unreadable(path, "It is saved as UTF-16.", "Save it as UTF-8.")
    if data.startswith(codecs.BOM_UTF8):
        raise _unreadable(
            path,
            "It begins with a byte order mark (BOM), which the AWS tools cannot read.",
            "Save it as UTF-8 without a BOM.",
        )
    try:
        return io.TextIOWrapper(io.BytesIO(data)).read()  # noqa: PLW1514  # as botocore does
    except UnicodeDecodeError as error:
        # `from None`: the error holds the whole file.
        raise _unreadable(
            path,
            f"It contains a character that is not in the encoding {error.encoding.upper()}.",
            f"Save it as {error.encoding.upper()}.",
            line=data.count(b"\n", 0, error.start) + 1,
        ) from None


def _unreadable(path: Path | str, why: str, fix: str, *, line: int | None = None) -> SettingsError:
    where = f"{path}, line {line}" if line else str(path)
    return SettingsError(f"Cannot read the AWS config file {where}.", why=why, fix=fix)


def _mistake(error: configparser.Error) -> tuple[str, str]:
    """Return what is wrong with a file, and what to do about it."""
    if isinstance(error, configparser.DuplicateSectionError):
        return f"The section [{error.section}] is there twice.", "Make one section of the two."
    if isinstance(error, configparser.DuplicateOptionError):
        # What is no name of a key may be a secret that has no key in front of it.
        named = re.fullmatch(r"[a-z0-9_]{1,32}", error.option)
        key = f"The key {error.option}" if named else "A key"
        return f"{key} is there twice in [{error.section}].", "Remove one of the two lines."
    return (
        "It is not in the INI format of the AWS tools.",
        "Write a header such as [default] above the keys, and one key = value per line.",
    )


def _line(error: configparser.Error) -> int | None:
    number: int | None = getattr(error, "lineno", None)
    for line, _ in getattr(error, "errors", None) or []:
        number = number or line
    return number


def _words(header: str) -> list[str]:
    try:
        return shlex.split(header)
    except ValueError:  # a quotation without an end
        return []


def _name_meant_by(header: str) -> str:
    """Return the name of a profile that somebody meant with a header, in lower case.

    >>> [_name_meant_by(each) for each in ("k", " profile k ", "Profile k", "profile my team")]
    ['k', 'k', 'k', 'my team']
    """
    return re.sub(r"^profile\s", "", header.strip().casefold()).strip(" \t'\"")
