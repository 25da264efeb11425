"""References in the settings that only AWS can answer, and their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from ..config.functions import FUNCTION_KEYS, Function, Layer
from ..config.references import Reference, Unresolved, replace_references
from ..secret import Secret
from ..ui.output import suggestion
from .clients import PARALLEL, Account
from .error_messages import translating

_Described = TypeVar("_Described", bound=Layer)
_Find = Callable[[Reference, str], str]


def resolved(described: Iterable[_Described], account: Account) -> list[_Described]:
    """Return functions or layers with AWS's answers in place of their references.

    Each parameter, secret and stack is read once for all of them; one without references is
    returned as it is. Raises `FunctionError` for what AWS does not have or does not show, and
    `SettingsError` for an answer that its setting may not have.
    """
    described = list(described)
    wanted = [_references(each) for each in described]
    found = _looked_up({each: key for keys in wanted for each, key in keys.items()}, account)
    return [
        _filled(each, lambda reference, key: found[reference]) if references else each
        for each, references in zip(described, wanted, strict=True)
    ]


def name_of(function: Function, account: Account) -> str:
    """Return what a function is called on AWS, for tasks that need no more of its settings."""

    def find(reference: Reference, key: str) -> str:
        return _looked_up({reference: key}, account)[reference]

    name = function.parameters.get("FunctionName", function.name)
    return str(replace_references(name, f"{function.key}.FunctionName", find))


def _references(described: Layer) -> dict[Reference, str]:
    """Return all references of a function or layer, each with the key where it stands."""
    found: dict[Reference, str] = {}

    def note(reference: Reference, key: str) -> str:
        found.setdefault(reference, key)
        return ""

    for name, key in _settings(described):
        replace_references(getattr(described, name), key, note)
    return found


def _filled(described: _Described, find: _Find) -> _Described:
    changes = {}
    for name, key in _settings(described):
        before = getattr(described, name)
        changes[name] = replace_references(before, key, find)
        if isinstance(before, Unresolved):  # so it was not parsed yet
            changes[name] = FUNCTION_KEYS[name].parse(changes[name], key)
    return replace(described, **changes)


def _settings(described: Layer) -> list[tuple[str, str]]:
    """Return the attributes in which there may be references, and their full keys."""
    ours = [
        (name, f"{described.key}.{name}")
        for name, each in FUNCTION_KEYS.items()
        if each.aws_references and hasattr(described, name)
    ]
    return [("parameters", described.key), *ours]


def _looked_up(wanted: Mapping[Reference, str], account: Account) -> dict[Reference, str]:
    """Return AWS's answers to references, which come with the key where each stands."""
    sources = {(each.kind, each.name): (each, key) for each, key in wanted.items()}

    def read(source: tuple[Reference, str]) -> Any:
        reference, key = source
        with _explaining(reference, key):
            return _READERS[reference.kind](reference.name, account)

    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = dict(zip(sources, pool.map(read, sources.values()), strict=True))
    found = {}
    for reference, key in wanted.items():
        with _explaining(reference, key):
            found[reference] = _picked(reference, answers[reference.kind, reference.name])
    return found


def _explaining(reference: Reference, key: str) -> Any:
    return translating(f"{reference} for `{key}`", "look up", who="AWS")


def _account_id(name: str, account: Account) -> str:
    return account.account_id or str(account.client("sts").get_caller_identity()["Account"])


def _region(name: str, account: Account) -> str:
    return account.region


def _parameter(name: str, account: Account) -> str:
    found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    value: str = found["Value"]
    return Secret(value) if found["Type"] == "SecureString" else value


def _secret(name: str, account: Account) -> Secret:
    answer = account.client("secretsmanager").get_secret_value(SecretId=name)
    if "SecretString" not in answer:
        raise ValueError("The secret is binary, and no text.")
    return Secret(answer["SecretString"])


def _outputs(name: str, account: Account) -> dict[str, str]:
    (stack,) = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


_READERS: dict[str, Callable[[str, Account], Any]] = {
    "account_id": _account_id,
    "region": _region,
    "ssm": _parameter,
    "secret": _secret,
    "cfn": _outputs,
}


def _picked(reference: Reference, answer: Any) -> str:
    """Return the part of an answer that a reference names. Raises `ValueError`."""
    if reference.more is None:
        return str(answer) if not isinstance(answer, Secret) else answer
    values = answer
    if reference.kind == "secret":
        try:
            values = json.loads(answer)
        except ValueError:
            values = None  # the error would hold the secret
        if not isinstance(values, Mapping):
            raise ValueError("The secret is no JSON object, so it has no keys.")
    if reference.more not in values:
        hint = suggestion(reference.more, list(values))
        raise ValueError(f"It has no `{reference.more}`. {hint}".rstrip())
    value = values[reference.more]
    text = value if isinstance(value, str) else json.dumps(value)
    return Secret(text) if reference.kind == "secret" else text
