"""Runs a Python function once, as Lambda's runtime does.

The function's own Python runs this file, so it imports nothing of this package and does without
the newest syntax. Its arguments name two files: the request, and the response that it writes. What
the function prints is its log.
"""

from __future__ import annotations

import decimal
import importlib
import importlib.machinery
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

_LOG_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"


class _RuntimeModules:
    """Finds the modules that are part of Lambda's runtime, after all others."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        folder = self._folders.get(name) if path is None else None
        return folder and importlib.machinery.PathFinder.find_spec(name, [folder])


class _Context:
    """The second argument of a handler."""

    def __init__(self, described: dict[str, Any], deadline: float) -> None:
        self._deadline = deadline
        self.aws_request_id = described["request_id"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.invoked_function_arn = described["arn"]
        self.tenant_id = described["tenant_id"]
        self.client_context = _client_context(described["client_context"])
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message: object) -> None:
        print(message)


class _Encoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return float(o) if isinstance(o, decimal.Decimal) else super().default(o)


class _FunctionError(Exception):
    """An error for which Lambda has a name of its own."""


def main(request_file: str, response_file: str) -> None:
    """Run the function, and write its response."""
    described = json.loads(Path(request_file).read_text(encoding="utf-8"))
    sys.path[:] = [*described["path"], *sys.path[1:]]
    sys.meta_path.append(_RuntimeModules(described["runtime_modules"]))
    _set_up_logging(described["request_id"])
    response = {"error": "Unhandled"}
    try:
        handler = _load(os.environ["_HANDLER"])
        began = _start(described)
        context = _Context(described, began + described["timeout"])
        response = {"payload": _run(handler, described["event"], context), "error": ""}
    except Exception as error:
        response["payload"] = json.dumps(_describe(error, described["request_id"]))
    sys.stdout.flush()
    sys.stderr.flush()
    written = {**response, "peak": _peak_memory()}
    Path(response_file).write_text(json.dumps(written), encoding="utf-8")
    os._exit(0)  # Lambda waits for no thread, and calls no `atexit`


def _start(described: dict[str, Any]) -> float:
    print(described["start"], flush=True)
    return time.time()


def _load(handler: str) -> Any:
    module, _, name = handler.rpartition(".")
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise _named("ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        where = f"Syntax error in module '{module}': {error}"
        raise _named("UserCodeSyntaxError", where) from error
    if not hasattr(found, name):
        raise _named("HandlerNotFound", f"Handler '{name}' missing on module '{module}'")
    return getattr(found, name)


def _run(handler: Any, event: Any, context: _Context) -> str:
    result = handler(event, context)
    try:
        return json.dumps(result, cls=_Encoder, ensure_ascii=sys.version_info < (3, 12))
    except (TypeError, ValueError) as error:
        raise _named("MarshalError", f"Unable to marshal response: {error}") from error


def _named(kind: str, message: str) -> _FunctionError:
    made: _FunctionError = type(f"Runtime.{kind}", (_FunctionError,), {})(message)
    return made


def _describe(error: Exception, request_id: str) -> dict[str, Any]:
    """Log an error, and return what Lambda answers in place of a response."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    stack = [] if isinstance(error, _FunctionError) else traceback.format_list(own)
    name, message = type(error).__name__, str(error)
    lines = [
        f"[ERROR] {name}: {message}",
        *(["Traceback (most recent call last):"] if stack else []),
    ]
    print("\n".join([*lines, *(each.rstrip("\n") for each in stack)]))
    return {
        "errorMessage": message,
        "errorType": name,
        "requestId": request_id,
        "stackTrace": stack,
    }


def _client_context(given: Any) -> Any:
    if given is None:
        return None
    client = given.get("client")
    return SimpleNamespace(
        custom=given.get("custom"),
        env=given.get("env"),
        client=SimpleNamespace(**client) if isinstance(client, dict) else None,
    )


def _set_up_logging(request_id: str) -> None:
    def add_request_id(record: logging.LogRecord) -> bool:
        record.aws_request_id = request_id
        return True

    formatter = logging.Formatter(f"{_LOG_FORMAT}", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(add_request_id)
    logging.getLogger().addHandler(handler)


def _peak_memory() -> int:
    """Return the most memory that this process has used, in bytes.

    On Linux, `resource` also counts that of the process which started this one.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
