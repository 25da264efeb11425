"""The defaults of UpdateFunctionConfiguration: sending one removes what was set before.

Source: "CreateFunction" and
"UpdateFunctionConfiguration", Lambda API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .parameters import bare_name

_DEFAULTS: Mapping[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "ImageConfig": {"Command": [], "EntryPoint": [], "WorkingDirectory": ""},
    "KMSKeyArn": "",
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"Ipv6AllowedForDualStack": False, "SecurityGroupIds": [], "SubnetIds": []},
}

# Parameters that a setting of `none` takes away.
REMOVABLE = frozenset(_DEFAULTS)


def default_configuration(name: str) -> dict[str, Any]:
    """Return what Lambda does with a function of this name where a parameter is not set."""
    log_group = {"LogGroup": f"/aws/lambda/{bare_name(name)}"}
    return {**_DEFAULTS, "LoggingConfig": {**_DEFAULTS["LoggingConfig"], **log_group}}
