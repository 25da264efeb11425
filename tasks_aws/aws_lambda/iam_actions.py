"""How a module says which IAM actions its calls need, and on what.

A module that calls AWS has a table of them, `ACTIONS`, below its calls. Sources: the service
authorization reference for the actions and their resources, and the Lambda developer guide for
what Lambda checks on behalf of its caller. `tasks_aws.aws_lambda.iam_policy` makes policies of the
tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..config.functions import Function, Layer
from .parameters import Parameters, split_parameters

TaskName = Literal[
    "plan",
    "deploy",
    "deploy --prune",
    "status",
    "invoke",
    "logs",
    "rollback",
    "prune",
    "destroy",
    "init",
]
TASKS: tuple[TaskName, ...] = get_args(TaskName)

# The tasks that read what is attached to a function, that which changes it, and those that remove
# it. All but `deploy` do so with what no setting names, too.
READING: tuple[TaskName, ...] = ("plan", "deploy", "deploy --prune", "init")
CHANGING: tuple[TaskName, ...] = ("deploy",)
REMOVING: tuple[TaskName, ...] = ("deploy", "deploy --prune")

# Stands for the value of a reference that only AWS can resolve.
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A function or layer in an account and region, with `UNKNOWN` for what only AWS can tell."""

    layer: Layer
    partition: str
    region: str
    account_id: str

    @property
    def parameters(self) -> Parameters:
        """Return the parameters of a function."""
        assert isinstance(self.layer, Function)  # noqa: S101  # layers have tables of their own
        return split_parameters(self.layer)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource that names neither account nor region."""
        return f"arn:{self.partition}:{service}:::{resource}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What actions are allowed on: ARNs, and values of a condition key. No ARNs: not needed."""

    purpose: str  # what statements are called
    resources: tuple[str, ...]
    operator: str = ""
    key: str = ""
    values: tuple[str, ...] = ()

    @property
    def shown(self) -> list[str]:
        """Return the ARNs as policies have them."""
        return [each.replace(UNKNOWN, "*") for each in self.resources]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Need:
    """Actions that tasks need; of those with `settings`, if a function has all of them."""

    actions: tuple[str, ...]
    tasks: tuple[TaskName, ...]
    scope: Callable[[Subject], Scope]
    settings: tuple[str, ...] = ()

    def is_needed(self, layer: Layer) -> bool:
        """Return whether a function or layer has the settings."""
        nothing: tuple[Any, ...] = (None, "", [], (), {})
        return all(get_setting(layer, each) not in nothing for each in self.settings)


def get_setting(layer: Layer, name: str) -> Any:
    """Return a setting of ours, or a parameter of the API such as ``VpcConfig.SubnetIds``."""
    if not name[0].isupper():
        return getattr(layer, name)
    value: Any = layer.parameters
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def on_function(subject: Subject) -> Scope:
    """Return a function, also as a call names it that is for a version or an alias."""
    arn = subject.arn("lambda", f"function:{subject.parameters.bare_name}")
    return Scope("Functions", (arn, f"{arn}:*"))


def on_anything(subject: Subject) -> Scope:
    """Return what an action has that AWS restricts to no resource."""
    return Scope("AnyResource", ("*",))


def on_key(setting: str) -> Callable[[Subject], Scope]:
    """Return the scope of the KMS key that a setting names by its ARN."""

    def scope(subject: Subject) -> Scope:
        key = str(get_setting(subject.layer, setting))
        arn = key if key.startswith("arn:") else subject.arn("kms", f"key/{UNKNOWN}")
        return Scope("EncryptionKeys", (arn,))

    return scope


def need(
    *actions: str,
    tasks: Iterable[TaskName],
    on: Callable[[Subject], Scope] = on_function,
    settings: Iterable[str] = (),
) -> Need:
    """Declare actions that the calls of a module need."""
    return Need(actions=actions, tasks=tuple(tasks), scope=on, settings=tuple(settings))
