"""A profile's credential_process, which botocore runs, and what may be wrong with it.

Neither its arguments nor its output are ever shown: both may hold secrets. What it prints on stderr
is for people, and is shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Sequence
from typing import Any

import botocore.credentials
import botocore.session
from botocore.credentials import ReadOnlyCredentials

from ..errors import CredentialsError
from .aws_config import profile_header
from .environment import RUNNING, running_above

_LONGEST_SHOWN = 500  # characters of what the program prints on stderr


class CredentialProcess(botocore.credentials.ProcessProvider):
    """botocore's provider, which remembers what it ran in order to explain an error.

    `held` are the cache keys of the sessions that are locked until the program has ended.
    """

    def __init__(
        self, profile: str, session: botocore.session.Session, held: Sequence[str]
    ) -> None:
        super().__init__(profile, lambda: session.full_config, popen=self._start)
        self.in_charge = False  # whether the credentials, or an error, come from the program
        self._profile = profile
        self._held = held
        files = map(session.get_config_variable, ("config_file", "credentials_file"))
        what = " ".join([profile, *map(str, files)])
        self._digest = hashlib.sha256(what.encode()).hexdigest()[:16]
        self._words: Sequence[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def load(self) -> Any:
        self.in_charge = True
        found = super().load()
        self.in_charge = found is not None
        return found

    def check(self, found: ReadOnlyCredentials) -> None:
        """Raise `ValueError` for credentials of the program that are no strings, or empty."""
        if self.in_charge and not all(
            isinstance(each, str) and each
            for each in (found.access_key, found.secret_key, found.token or "-")
        ):
            raise ValueError

    def explain(self, error: Exception) -> CredentialsError:
        """Return the error that users see in place of botocore's."""
        subject = f"The credential_process of profile {self._profile}{self._program()}"
        by_hand = f"Run the command in {profile_header(self._profile)} by hand to see what it does."
        code = self._process.returncode if self._process else None
        if self._words == []:
            return CredentialsError(
                f"{subject} is empty.", fix="Name a program there, or remove the line."
            )
        if code is None:
            return CredentialsError(
                f"{subject} cannot be started.",
                why=f"{error.strerror}." if isinstance(error, OSError) else f"{error}.",
                fix="Name a program by its full path, and quote arguments that contain blanks: "
                "no shell expands `~`, variables or pipes.",
            )
        if code:
            ended = f"failed with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            why, fix = _stderr(error)
            return CredentialsError(f"{subject} {ended}.", why=why, fix=fix or by_hand)
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | RecursionError):
            return CredentialsError(
                f"{subject} exited successfully, but printed no JSON.", fix=by_hand
            )
        return CredentialsError(
            f"{subject} printed JSON that AWS tools do not accept.",
            why="It must be an object with `Version` (the number 1), `AccessKeyId` and "
            "`SecretAccessKey`; for temporary credentials, also `SessionToken` and `Expiration`.",
            fix=by_hand,
        )

    def _start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        running = running_above()
        if self._digest in running:
            raise CredentialsError(
                f"The credential_process of profile {self._profile} leads back to itself.",
                why="It runs invoke, whose credentials start from the same profile.",
                fix="Let `aws.profile` name another profile, one with the keys or the sign-in.",
            )
        environ = {**os.environ, RUNNING: " ".join([*running, self._digest, *self._held])}
        self._words = words
        self._process = subprocess.Popen(words, env=environ, **options)
        return self._process

    def _program(self) -> str:
        """Return the program's name in parentheses, if it is one: ``TOKEN=x program`` has none."""
        name = re.split(r"[/\\]", self._words[0])[-1] if self._words else ""
        return f" (`{name}`)" if re.fullmatch(r"[\w.+-]+", name) else ""


def _stderr(error: Exception) -> tuple[str, str]:
    """Return what the program printed on stderr, and the fix if that ends with an error of ours."""
    if isinstance(error, UnicodeDecodeError):
        return "What it printed on stderr is not in UTF-8.", ""
    text = str(getattr(error, "kwargs", {}).get("error_msg", ""))
    said, _, fix = text.replace("\n  why: ", "\n").partition("\n  fix: ")
    return _on_one_line(said) or "It printed nothing on stderr.", _on_one_line(fix)


def _on_one_line(text: str) -> str:
    """Return a text without line breaks and control characters, and not too long."""
    return "".join(filter(str.isprintable, " ".join(text.split())))[:_LONGEST_SHOWN]
