"""What people are shown: texts of others without secrets, and without effects on a terminal."""

from __future__ import annotations

import re

from .masking import without_passwords, without_secrets

# All that moves the cursor, sets a title, writes to the clipboard or changes the direction of
# writing, and the bytes of a file's name that are no text. Lines and tabs stay.
_CONTROLS = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Return a text as it is shown in a message: masked, and with control characters escaped.

    >>> printable("from http://al:hunter2@proxy/ \x1b]0;title\x07")
    'from http://***@proxy/ \\x1b]0;title\\x07'
    """
    return escape_controls(without_passwords(without_secrets(text)))


def escape_controls(text: str) -> str:
    r"""Return a text with its control characters shown, such as `\x1b`, except lines and tabs."""
    text = text.replace("\r\n", "\n")
    return re.sub(_CONTROLS, lambda found: found[0].encode("unicode_escape").decode(), text)
