"""Whether a user may be asked to sign in, and whether a browser may be opened for it."""

from __future__ import annotations

from ..config.settings import Settings
from ..ui.prompt import why_no_prompt
from .environment import environment_before_assume
from .sts_errors import SignInEndedError


def check_may_ask(settings: Settings, profile: str, *, command: str) -> None:
    """Raise `SignInEndedError` if nobody may, or can, be asked to sign in.

    `command` is that of the AWS CLI that signs in as well.
    """
    if settings.sign_in == "never":
        raise SignInEndedError.of(profile, why="`aws.sign_in` is `never`.", command=command)
    if reason := why_no_prompt():
        raise SignInEndedError.of(
            profile, why=f"Nobody can be asked to sign in: {reason}.", command=command
        )


def by_hand(settings: Settings) -> bool:
    """Return whether the user opens the page, as over SSH, where nobody would see a browser."""
    environ = environment_before_assume()
    over_ssh = environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")
    remote = over_ssh and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    return settings.sign_in == "code" or bool(remote)
