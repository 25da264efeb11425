"""Profiles of `aws login`, with which one signs in as in the web console.

The AWS CLI signs in, and botocore refreshes the session, in files that both of them read. What is
added here is that it happens when it has to, and in one process at a time.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress

import botocore.compat

from ..errors import CredentialsError, SettingsError
from ..ui.output import say
from ..ui.prompt import on_terminal, tell, waiting_for_user
from .aws_config import expand_home, read_config
from .cache.files import lock_session, read_mapping
from .environment import users_environment
from .request import Request
from .sign_in_ways import by_hand, check_may_ask
from .sts_errors import AWS_LOGIN, SignInEndedError
from .values import Credentials, seconds_until

_FOLDER = "~/.aws/login/cache"
_LEFT = 300  # seconds; botocore refreshes a session with less left
_OLDEST = (2, 32)  # the first AWS CLI that has `aws login`


class AwsLogin:
    """The session of a profile."""

    def __init__(self, session: str, profile: str, request: Request) -> None:
        self._session, self._profile, self._request = session, profile, request
        self._environ = users_environment()
        self.where = f"with `{AWS_LOGIN}`"

    def load(self, load: Callable[[], Credentials]) -> Credentials:
        """Return what `load` finds, after a sign-in if that is needed.

        One process at a time refreshes the session or asks the user. Raises `CredentialsError`, at
        once if the user cannot be asked, and `SettingsError` if botocore cannot do it.
        """
        _check_botocore(self._environ)
        with suppress(SignInEndedError):
            if self._is_fresh():
                return load()
        with self._lock():
            try:
                return load()
            except SignInEndedError:
                check_may_ask(self._request.settings, self._profile, command=AWS_LOGIN)
            self._run_cli()
            self._check_session()
            return load()

    def ask_user(self) -> None:
        """Let the user sign in. Raises `CredentialsError`, and `SettingsError` as `load` does."""
        _check_botocore(self._environ)
        with self._lock():
            self._run_cli()

    def _is_fresh(self) -> bool:
        folder = expand_home(self._environ.get("AWS_LOGIN_CACHE_DIRECTORY") or _FOLDER)
        token = read_mapping(folder / f"{self._key}.json").get("accessToken")
        return isinstance(token, dict) and seconds_until(token.get("expiresAt")) > _LEFT

    @property
    def _key(self) -> str:
        """Return the name under which the AWS CLI keeps the session."""
        return hashlib.sha256(self._session.encode()).hexdigest()

    def _lock(self) -> AbstractContextManager[object]:
        def waiting() -> None:
            say("waiting", f"for another process that is signing in as {self._session}")

        # Not in the user's AWS_LOGIN_CACHE_DIRECTORY, in which others may have something, too.
        return lock_session(expand_home(_FOLDER) / f"{self._key}.lock", waiting=waiting)

    def _run_cli(self) -> None:
        """Run `aws login` on the terminal, with the user's own variables."""
        words = [*AWS_LOGIN.split(), "--profile", self._profile]
        if not self._has_region():
            words += ["--region", self._request.region]
        if by_hand(self._request.settings):
            words += ["--remote"]
        command = shlex.join(words)
        try:
            with waiting_for_user():
                program = self._find_cli()
                tell("sign-in", f"running {command}")
                with on_terminal() as streams:
                    code = subprocess.call([program, *words[1:]], env=self._environ, **streams)
        except OSError as error:
            raise self._without_cli(f"Cannot run `aws`: {error.strerror or error}.") from error
        if code:
            raise CredentialsError(
                f"`{command}` failed with exit code {code}.",
                why="See the output of the AWS CLI above.",
                fix=f"Run `{command}`, then run this again.",
            )

    def _has_region(self) -> bool:
        """Return whether the AWS CLI knows the region; if not, it asks, and adds it to the file."""
        named = [self._environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
        return any([*named, self._request.config.profiles[self._profile].get("region")])

    def _find_cli(self) -> str:
        program = shutil.which("aws", path=self._environ.get("PATH"))
        if program is None:
            raise self._without_cli("The AWS CLI, the program `aws`, is not on PATH.")
        asked = subprocess.run(
            [program, "--version"],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        found = re.search(r"aws-cli/(\d+)\.(\d+)\S*", asked.stdout + asked.stderr)
        if found and (int(found[1]), int(found[2])) < _OLDEST:
            raise self._without_cli(f"{program} is {found[0]}, which has no `{AWS_LOGIN}`.")
        return program

    def _without_cli(self, why: str) -> SignInEndedError:
        version = ".".join(map(str, _OLDEST))
        return SignInEndedError.of(
            self._profile,
            why=why,
            command=AWS_LOGIN,
            fix=f"Install the AWS CLI {version} or later, and run `{AWS_LOGIN} --profile "
            f"{self._profile}`; then run this again.",
        )

    def _check_session(self) -> None:
        """Refuse another user than the one that the request starts from."""
        config = read_config(self._environ)
        now = config.profiles.get(self._profile, {}).get("login_session")
        if now != self._session:
            raise CredentialsError(
                f"The profile {self._profile} is now signed in as {now}, and not as "
                f"{self._session}.",
                why="`aws login` has changed it.",
                fix="Run this again to go on as that user.",
            )


def _check_botocore(environ: Mapping[str, str]) -> None:
    if getattr(botocore.compat, "EC", None) is not None:
        return
    if environ.get("BOTO_DISABLE_CRT", "").lower() == "true":
        raise SettingsError(
            f"Profiles of `{AWS_LOGIN}` need the package awscrt, which BOTO_DISABLE_CRT disables.",
            fix="Unset BOTO_DISABLE_CRT.",
        )
    too_old = not hasattr(botocore.compat, "EC")
    missing = "botocore 1.41 or later" if too_old else "the package awscrt"
    raise SettingsError(
        f"Profiles of `{AWS_LOGIN}` need {missing}.",
        fix="Install it: pip install 'tasks-aws[login]'.",
    )
