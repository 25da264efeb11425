"""Log records without secrets, whichever logger is switched on, and whenever.

botocore logs the responses of STS and the headers and parameters of each request, and urllib3 the
URL, which for `console` contains a session. Levels and filters hold only for the loggers that are
known, and handlers may be added at any time, so records are changed where they are made. Of these
libraries a record keeps its message, and what in its arguments cannot be a secret.

Whoever sets another record factory has to call the previous one, as the documentation of `logging`
shows; without that, records are masked again only from the next time credentials are obtained.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..secret import Secret
from ..text.masking import without_passwords, without_secrets

_LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3")
_HIDDEN = "***"

# Of parameters, headers and the like, what is shown; besides, that there are others.
_SHOWN_NAMES = {
    *("action", "content-length", "content-type", "date", "host", "method", "region", "url"),
    *("url_path", "version", "x-amz-id-2", "x-amz-request-id", "x-amz-target", "x-amzn-requestid"),
}
# Compiled when a record is made: most runs make none.
_CODE = r"(?<!\d)\d(?:\s*\d){5}(?!\d)"
_QUERY = r"\?[^\s'\"?]*=[^\s'\"]*"
_NAMED = (
    r"(?i)"
    r"([\w-]*(?:assertion|authorization|credential|mfa_?code|password|secret|session|signature"
    r"|token)[\w-]*['\"]?\s*[=:>]\s*['\"]?)[^\s'\"&<>,;]+"
)
_RANDOM = r"(?a)(?<![\w./:+=-])[A-Za-z0-9+_=-][\w+/=-]{31,}"


def keep_secrets_out_of_logs() -> None:
    """Mask the records of invoke and of the libraries that send credentials, from now on."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _MaskingFactory):
        logging.setLogRecordFactory(_MaskingFactory(make))


class _MaskingFactory:
    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **options: Any) -> logging.LogRecord:
        record = self._make(*args, **options)
        try:
            _mask(record)
        except Exception:  # of an object that cannot be looked at
            record.msg, record.args, record.exc_info = _HIDDEN, (), None
        return record


def _mask(record: logging.LogRecord) -> None:
    library = str(record.name).partition(".")[0]
    if library == "invoke":  # under -d it shows the command line
        record.msg = re.sub(_CODE, "******", without_secrets(record.getMessage()))
        record.args = ()
    elif library in _LIBRARIES:
        _mask_record_of_library(record)


def _mask_record_of_library(record: logging.LogRecord) -> None:
    if record.args:
        record.args = _mask_value(record.args)
    else:
        record.msg = _mask_text(str(record.msg))
    if record.exc_info:
        error = record.exc_info[1]
        record.exc_text = _format_exception(error) if error else None
        record.exc_info = None


def _mask_value(value: Any) -> Any:
    """Return what is shown of an argument: nothing that may have come from or go to AWS."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _mask_text(value)
    if isinstance(value, Mapping):
        return {_mask_text(str(name)): _mask_named(str(name), each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_mask_value, value))
    if isinstance(value, bytes | bytearray):
        return _HIDDEN
    if isinstance(value, BaseException):
        return _describe(value)
    if type(value).__module__ == "botocore.model":
        return repr(value)
    if hasattr(value, "method") and hasattr(value, "url"):  # a request
        return _mask_text(f"{value.method} {value.url}")
    return getattr(value, "__qualname__", type(value).__qualname__)


def _mask_named(name: str, value: Any) -> Any:
    if name.lower() in _SHOWN_NAMES or isinstance(value, Mapping | bool | None):
        return _mask_value(value)
    return _HIDDEN


def _mask_text(text: str) -> str:
    if isinstance(text, Secret) or re.search(r"[\n{]", text.strip()):  # a body, or what is signed
        return _HIDDEN
    text = re.sub(_QUERY, f"?{_HIDDEN}", without_passwords(without_secrets(text)))
    text = re.sub(_NAMED, rf"\1{_HIDDEN}", text)
    return re.sub(_RANDOM, _mask_word, text)


def _mask_word(match: re.Match[str]) -> str:
    """Mask a long word, unless it is a path: without one of the kinds of signs that keys have."""
    word = match[0]
    is_path = "/" in word and not all(re.search(signs, word) for signs in ("[A-Z]", "[a-z]", r"\d"))
    return word if is_path else _HIDDEN


def _describe(error: BaseException) -> str:
    return f"{type(error).__qualname__}: {_mask_text(str(error))}"


def _format_exception(error: BaseException) -> str:
    """Return a traceback; it shows lines of code, and no values but the masked texts of errors."""
    import traceback

    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [_format_exception(cause), "\n\nThen:\n\n"] if cause else []
    trace = traceback.format_tb(error.__traceback__)
    return "".join([*before, "Traceback (most recent call last):\n", *trace, _describe(error)])
