"""What AWS denies: the action that is missing, and the command that says what needs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..config.settings import Settings
from ..process.loopback import is_local

# The codes of refusals. A response to HEAD has no body, and so its status instead of a code.
DENIED = "AccessDenied.*|403|Forbidden"
_KEY = "Denial"  # in the metadata of a response, as botocore's number of retries is

# Where the service authorization reference does not call an action as the API calls the operation.
_SERVICES = {"monitoring": "cloudwatch"}
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    "s3:HeadObject": "s3:GetObject",
    **{
        f"s3:{operation}": "s3:PutObject"
        for operation in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    },
}


class Denial(NamedTuple):
    """An action that was denied, and what says why it is needed."""

    action: str = "that action"
    explanation: str = ""  # a sentence, after a space
    narrowed: str = ""  # what to do about the session policies first, before a space


def note_denials(client: Any, settings: Settings, explain: Callable[[str], str]) -> None:
    """Have a client's responses say which action was denied, and what `explain` says of it.

    S3 may name neither the action nor the resource, and an error does not name its service. Nor
    does every service say that it is a session policy that denies.
    """

    def note(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error", {})
        if re.fullmatch(DENIED, str(error.get("Code") or "")):
            called = f"{model.service_model.signing_name}:{model.name}"
            message = str(error.get("Message") or "")
            if is_local():
                message = error["Message"] = _as_called(message, called)
            action = _find_action(message, called)
            denial = Denial(action, explain(action), _narrowed(settings, action))
            parsed.setdefault("ResponseMetadata", {})[_KEY] = denial

    client.meta.events.register("after-call", note)


def denial_in(response: Mapping[str, Any]) -> Denial:
    """Return what was noted in a response."""
    found: Denial = response.get("ResponseMetadata", {}).get(_KEY, Denial())
    return found


def _narrowed(settings: Settings, action: str) -> str:
    policies = [f"`aws.{name}`" for name in ("policy", "policy_arns") if getattr(settings, name)]
    if settings.read_only:
        way = "Run this without `aws.read_only` (--read-only)"
    elif policies:
        way = f"Allow {action} in {' or '.join(policies)}"
    else:
        return ""
    return f"{way}, which narrows the session. If it is still denied: "


def _as_called(message: str, called: str) -> str:
    """Return what MiniStack says with the action that AWS wants: it takes some calls for others."""
    service, _, _ = called.partition(":")
    needed = _ACTIONS.get(called, called)
    return re.sub(rf"(?<![\w:]){service}:[A-Z]\w+", needed, message)


def _find_action(message: str, called: str) -> str:
    """Return the action that a message names, or else the one that a call needs.

    >>> _find_action("User: x is not authorized to perform: kms:Decrypt on …", "ssm:GetParameter")
    'kms:Decrypt'
    >>> _find_action("Access Denied", "monitoring:GetMetricStatistics")
    'cloudwatch:GetMetricStatistics'
    """
    if named := re.search(r"not authorized to perform:? ([\w-]+:\w+)", message):
        return named[1]
    service, _, operation = called.partition(":")
    action = f"{_SERVICES.get(service, service)}:{operation}"
    return _ACTIONS.get(action, action)
