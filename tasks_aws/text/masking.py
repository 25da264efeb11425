"""Secrets in texts that are shown: found in any form, and masked.

What is kept secret here is masked in every line and every error that this process prints.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import takewhile
from typing import Any
from urllib.parse import quote, quote_plus

from ..secret import Secret, secrets_in

_MASK = "***"
_SHORTEST = 6  # a shorter one, such as `1` or `true`, would mask ordinary words
_PIECE = 12  # so many characters of a secret give it away where it is cut

# What follows a word that has not been cut: not a quotation mark, the end of a sentence or dots.
_GOES_ON = r"""[\w/:%+=@~-]|\\(?!["'])|\.\w"""

_KEPT: set[str] = set()  # all forms of all secrets of this process


def keep_secret(text: str) -> Secret:
    """Return a secret that is masked from now on in all that this process prints.

    So are its lines, and the values in it if it is JSON: a program may show one of them.
    """
    for part in _parts(text):
        if len(part) >= _SHORTEST:
            _KEPT.update(_forms(part))
    return Secret(text)


def join_secret(parts: Iterable[str]) -> Secret:
    """Return a text with secrets in it as one secret.

    It is masked as a whole, too, if one of them is too short to be masked by itself.
    """
    parts = [*parts]
    short = any(isinstance(part, Secret) and len(part) < _SHORTEST for part in parts)
    text = "".join(parts)
    return keep_secret(text) if short else Secret(text)


def without_secrets(text: str, values: Any = ()) -> str:
    """Return a text, such as a response from AWS, with every secret masked.

    The secrets are those passed to `keep_secret`, and those in `values`, however short.

    >>> without_secrets("hunter2 is too short", {"password": Secret("hunter2")})
    '*** is too short'
    """
    forms = _KEPT.copy()
    for secret in secrets_in(values):
        forms |= _forms(secret) if len(secret) >= _SHORTEST else {str(secret)} - {""}
    return _mask(text, forms) if forms else text


def mask_exception(error: BaseException | None) -> None:
    """Mask the secrets in an exception and in those before it, which a traceback shows."""
    seen: set[int] = set()
    while _KEPT and error is not None and id(error) not in seen:
        seen.add(id(error))
        with suppress(Exception):  # of an exception that cannot be changed
            error.args = _mask_value(error.args)
        for name, value in list(vars(error).items()):
            with suppress(Exception):
                setattr(error, name, _mask_value(value))
        error = error.__cause__ or error.__context__


def find_secrets(environ: Mapping[str, str]) -> list[Secret]:
    """Return the values of environment variables whose names say that they are secret.

    >>> without_secrets("hunter2 is refused", find_secrets({"NPM_TOKEN": "hunter2"}))
    '*** is refused'
    """
    secret = re.compile(r"SECRET|TOKEN|PASS|CREDENTIAL|AUTH(?!OR)|KEY", re.IGNORECASE)
    return [
        Secret(text)
        for name, text in environ.items()
        if secret.search(name) and len(text) >= _SHORTEST
    ]


# A password may have a slash or an @ in it that should have been encoded; a port is no password.
_USER_INFO = r"""://(?:[^\s/@:'"]*:(?!\d+[/?#])[^\s'"]*|[^\s/?#'"]*)@"""

# What urllib3 takes for the host: of a password with a slash, the part before it.
_MALFORMED = r"(?<=Failed to parse: )\S+"


def without_passwords(text: str) -> str:
    """Return a text, such as an error of a proxy, with the user names and passwords of URLs masked.

    >>> without_passwords("Cannot connect to http://alice:hunter2@proxy:8080/")
    'Cannot connect to http://***@proxy:8080/'
    """
    if "@" in text:
        text = re.sub(_USER_INFO, "://***@", text)
    return re.sub(_MALFORMED, _MASK, text) if "Failed to parse" in text else text


def _parts(text: str) -> Iterator[str]:
    """Yield a secret, its lines, and the values in it if it is JSON."""
    yield text.strip()
    yield from (line.strip() for line in text.splitlines())
    if text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            for value in _leaves(json.loads(text)):
                yield from _parts(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _forms(text: str) -> set[str]:
    """Return what a secret looks like where it is shown: itself, or encoded in some way."""
    from html import escape

    raw = text.encode(errors="surrogatepass")
    in_json = [json.dumps(text, ensure_ascii=each)[1:-1] for each in (True, False)]
    quoted = [*(quote(raw, safe=each) for each in ("", "/", "!'()*")), quote_plus(raw)]
    return {
        str(text),
        str.__repr__(text)[1:-1],
        repr(raw)[2:-1],
        escape(text),
        escape(text, quote=False),
        *in_json,
        *(each.replace("/", "\\/") for each in in_json),
        *(json.dumps(each)[1:-1] for each in in_json),  # JSON in a string of JSON
        *quoted,
        *(re.sub("%..", lambda found: found[0].lower(), each) for each in quoted),
        raw.hex(),
        raw.hex().upper(),
        *_in_base64(raw),
    }


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield what base64 makes of a text after none, one or two other bytes."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _mask(text: str, forms: Iterable[str]) -> str:
    forms = sorted(forms, key=len, reverse=True)  # a secret may contain another one
    for form in forms:
        text = text.replace(form, _MASK)
    long = [form for form in forms if len(form) > _PIECE]
    for form in long:
        if form[:_PIECE] in text:
            text = _mask_starts(text, form)
    for form in long:
        if form[-_PIECE:] in text:
            text = _mask_starts(text[::-1], form[::-1])[::-1]
    return text


def _mask_starts(text: str, form: str) -> str:
    """Mask what a secret starts with, where the rest of it has been cut off.

    What goes on in another way is another text, such as the ARN of something else.
    """
    start, at, goes_on = form[:_PIECE], 0, re.compile(_GOES_ON)
    while (at := text.find(start, at)) >= 0:
        pairs = zip(form, text[at:], strict=False)
        end = at + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if goes_on.match(text, end):
            at += 1
        else:
            text = text[:at] + _MASK + text[end:]
    return text


def _mask_value(value: Any) -> Any:
    """Return a value of an exception with the secrets in it masked."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, bytes):
        return without_secrets(value.decode("latin-1")).encode("latin-1")
    if isinstance(value, dict):
        return {name: _mask_value(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_mask_value, value))
    return value
