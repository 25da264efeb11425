"""What tasks return, and print with `--json`: frozen values without secrets.

They are made when somebody asks for them: that takes longer than importing all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

# Fields that have no name in the Lambda API. The others have it in JSON: `function_name` is
# `FunctionName`.
_OURS = (
    *("function", "target", "account", "region", "result", "seconds", "changes", "layers"),
    *("layer", "path", "before", "after"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentChange:
    """A difference between the settings and AWS.

    Attributes:
        path: What differs, such as ``MemorySize`` or ``Environment.Variables.STAGE``.
        before: The value on AWS; None if there is none.
        after: The value in the settings; None for what is removed. Secrets are ``"***"``, and so
            are the values of environment variables unless they are asked for.
    """

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDeployment:
    """A layer of a function.

    Attributes:
        layer: Its name under ``aws.layers``.
        layer_name: Its name on AWS.
        layer_version_arn: The version that the function has; None if that is not published yet.
        changes: How the settings differed from the newest version.
    """

    layer: str
    layer_name: str
    layer_version_arn: str | None
    changes: tuple[DeploymentChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What `deploy` did with one function for one target, or would do.

    Attributes:
        function: The function's name under ``aws.functions``.
        target: The target; None without one.
        function_name: The function's name on AWS.
        account: The account, twelve digits; empty if it is unknown.
        region: The region.
        result: ``created``, ``updated`` or ``unchanged``; of `plan` and dry runs, ``create``,
            ``update`` or ``unchanged``. In JSON also ``failed`` and ``not started``.
        version: The version behind the alias; None if there is none.
        function_url: The URL; None unless the settings have a ``url`` and it exists.
        seconds: How long the deployment took.
        changes: What differed, or differs.
        layers: The function's layers under ``aws.layers``.
    """

    function: str
    target: str | None
    function_name: str
    account: str
    region: str
    result: str
    version: str | None
    function_url: str | None
    seconds: float
    changes: tuple[DeploymentChange, ...]
    layers: tuple[LayerDeployment, ...]

    @property
    def differs(self) -> bool:
        """Whether the function, or a layer of it, differed from the settings."""
        return bool(self.changes) or any(each.changes for each in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionStatus:
    """The state of a function, and of the version that callers get.

    If it is not deployed, the attributes from `state` on are None.

    Attributes:
        function: The function's name under ``aws.functions``.
        target: The target; None without one.
        function_name: The function's name on AWS.
        account: The account, twelve digits; empty if it is unknown.
        region: The region.
        state: Lambda's ``State``, such as ``Active``.
        last_update_status: Lambda's ``LastUpdateStatus``; None for a new function.
        reason: Lambda's reason for the state.
        alias: The alias in the settings, if it exists.
        version: The version that callers get: the alias's, if there is one.
        additional_version_weights: The share of the traffic of other versions.
        code_sha256: The hash of the version's code, in base64.
        code_size: The size of its archive in bytes.
        last_modified: When it was changed.
        function_url: The URL of the function, or of its alias.
    """

    function: str
    target: str | None
    function_name: str
    account: str
    region: str
    state: str | None = None
    last_update_status: str | None = None
    reason: str | None = None
    alias: str | None = None
    version: str | None = None
    additional_version_weights: Mapping[str, float] = field(default_factory=dict)
    code_sha256: str | None = None
    code_size: int | None = None
    last_modified: str | None = None
    function_url: str | None = None


def to_json(value: Any) -> Any:
    """Return a result as JSON has it.

    >>> to_json(DeploymentChange(path="MemorySize", before=128, after=256))
    {'path': 'MemorySize', 'before': 128, 'after': 256}
    """
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    if not isinstance(value, Deployment | LayerDeployment | DeploymentChange | FunctionStatus):
        return value
    return {_key(each.name): to_json(getattr(value, each.name)) for each in fields(value)}


def _key(name: str) -> str:
    return name if name in _OURS else "".join(map(str.capitalize, name.split("_")))
