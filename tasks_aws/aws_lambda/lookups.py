"""Resolving references in the settings that only AWS can resolve, such as `${ssm:/name}`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from ..config.functions import FUNCTION_KEYS, Function, Layer
from ..config.references import Reference, Unresolved, reject_hidden, replace_references
from ..process.threads import in_parallel
from ..secret import Secret
from ..text.masking import keep_secret
from ..ui.output import suggest
from .clients import Account
from .error_messages import translating
from .iam_actions import TASKS, UNKNOWN, Need, Scope, Subject, TaskName, need

_Described = TypeVar("_Described", bound=Layer)
_Find = Callable[[Reference, str], str]


def resolve_references(described: Iterable[_Described], account: Account) -> list[_Described]:
    """Return functions or layers with values from AWS in place of their references.

    Each parameter, secret and stack is read once for all of them; one without references is
    returned unchanged. Raises `FunctionError` for what does not exist or may not be read, and
    `SettingsError` for a value that its setting does not allow.
    """
    described = list(described)
    references = [_collect_references(each) for each in described]
    found = _look_up({each: key for keys in references for each, key in keys.items()}, account)
    return [
        _fill_in(each, lambda reference, key: found[reference]) if own else each
        for each, own in zip(described, references, strict=True)
    ]


def resolve_names(functions: Iterable[Function], account: Account) -> list[str]:
    """Return the FunctionNames of functions, for tasks that need no other references."""
    names = [
        (each.parameters.get("FunctionName", each.name), f"{each.key}.FunctionName")
        for each in functions
    ]
    found = _look_up(_collect(names), account)
    return [
        str(replace_references(name, key, lambda reference, _: found[reference]))
        for name, key in names
    ]


def _collect_references(described: Layer) -> dict[Reference, str]:
    """Return all references of a function or layer, each with the full key of its setting."""
    return _collect((getattr(described, name), key) for name, key in _list_settings(described))


def _collect(values: Iterable[tuple[Any, str]]) -> dict[Reference, str]:
    """Return the references in values, which come with their keys."""
    found: dict[Reference, str] = {}

    def note(reference: Reference, key: str) -> str:
        found.setdefault(reference, key)
        return ""

    for value, key in values:
        reject_hidden(value, key)
        replace_references(value, key, note)
    return found


def _fill_in(described: _Described, find: _Find, *, parse: bool = True) -> _Described:
    changes = {}
    for name, key in _list_settings(described):
        before = getattr(described, name)
        changes[name] = replace_references(before, key, find)
        if parse and isinstance(before, Unresolved):
            changes[name] = FUNCTION_KEYS[name].parse(changes[name], key)
    return replace(described, **changes)


def fill_in_with(described: _Described, find: _Find) -> _Described:
    """Return a function or layer with what `find` returns for each reference and its full key."""
    return _fill_in(described, find, parse=False)


def fill_in_locally(described: _Described, *, account_id: str, region: str) -> _Described:
    """Return a function or layer with `UNKNOWN` for what only AWS can tell."""
    known = {"account_id": account_id, "region": region}
    return fill_in_with(described, lambda reference, _: known.get(reference.kind, UNKNOWN))


def _list_settings(described: Layer) -> list[tuple[str, str]]:
    """Return the attributes that may contain references, with their full keys."""
    own = [
        (name, f"{described.key}.{name}")
        for name, each in FUNCTION_KEYS.items()
        if each.aws_references and hasattr(described, name)
    ]
    return [("parameters", described.key), *own]


def _look_up(references: Mapping[Reference, str], account: Account) -> dict[Reference, str]:
    """Return the values of references, which come with the full key of their setting."""
    sources = {(each.kind, each.name): (each, key) for each, key in references.items()}

    def read(source: tuple[Reference, str]) -> Any:
        reference, key = source
        with _translate_errors(reference, key):
            return _READERS[reference.kind](reference.name, account)

    answers = dict(zip(sources, in_parallel(read, [*sources.values()]), strict=True))
    found = {}
    for reference, key in references.items():
        with _translate_errors(reference, key):
            found[reference] = _pick_value(reference, answers[reference.kind, reference.name])
    return found


def _translate_errors(reference: Reference, key: str) -> Any:
    return translating(f"{reference} for `{key}`", "look up", who="AWS")


def _read_account_id(name: str, account: Account) -> str:
    return account.account_id or str(account.client("sts").get_caller_identity()["Account"])


def _read_region(name: str, account: Account) -> str:
    return account.region


def _read_parameter(name: str, account: Account) -> str:
    found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    value: str = found["Value"]
    return keep_secret(value) if found["Type"] == "SecureString" else value


def _read_secret(name: str, account: Account) -> Secret:
    answer = account.client("secretsmanager").get_secret_value(SecretId=name)
    if "SecretString" not in answer:
        raise ValueError("The secret is binary, not a string.")
    return Secret(answer["SecretString"])


def _read_outputs(name: str, account: Account) -> dict[str, str]:
    (stack,) = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


_READERS: dict[str, Callable[[str, Account], Any]] = {
    "account_id": _read_account_id,
    "region": _read_region,
    "ssm": _read_parameter,
    "secret": _read_secret,
    "cfn": _read_outputs,
}


def _pick_value(reference: Reference, answer: Any) -> str:
    """Return the part of an answer that a reference names. Raises `ValueError`."""
    if reference.more is None:
        return keep_secret(answer) if isinstance(answer, Secret) else str(answer)
    values = answer
    if reference.kind == "secret":
        try:
            values = json.loads(answer)
        except ValueError:
            values = None  # the error would contain the secret
        if not isinstance(values, Mapping):
            raise ValueError("The secret is not a JSON object, so it has no keys.")
    if reference.more not in values:
        hint = suggest(reference.more, list(values))
        raise ValueError(f"It does not contain `{reference.more}`. {hint}".rstrip())
    value = values[reference.more]
    text = value if isinstance(value, str) else json.dumps(value)
    return keep_secret(text) if reference.kind == "secret" else text


def _on_parameter(name: str, subject: Subject) -> Scope:
    if name.startswith("arn:"):
        return Scope("Parameters", (name,))
    path = name.partition(":")[0].removeprefix("/")  # without its version
    return Scope("Parameters", (subject.arn("ssm", f"parameter/{path}"),))


def _on_secret(name: str, subject: Subject) -> Scope:
    # To a secret's name, AWS adds six random characters. An ARN may be without them.
    if name.startswith("arn:"):
        return Scope("Secrets", (name, f"{name}-??????"))
    return Scope("Secrets", (subject.arn("secretsmanager", f"secret:{name}-??????"),))


def _on_stack(name: str, subject: Subject) -> Scope:
    return Scope("Stacks", (subject.arn("cloudformation", f"stack/{name}/*"),))


# By the kind of a reference. GetCallerIdentity needs no permission.
REFERENCE_ACTIONS: Mapping[str, tuple[str, Callable[[str, Subject], Scope]]] = {
    "ssm": ("ssm:GetParameter", _on_parameter),
    "secret": ("secretsmanager:GetSecretValue", _on_secret),
    "cfn": ("cloudformation:DescribeStacks", _on_stack),
}


def reference_needs(described: Layer) -> Iterator[tuple[str, Need]]:
    """Yield what the references of a function or layer need, each with the key of its setting."""
    name = f"{described.key}.FunctionName"
    in_name = _collect([(described.parameters.get("FunctionName"), name)])  # most tasks look it up
    for reference, key in {**_collect_references(described), **in_name}.items():
        if reference.kind in REFERENCE_ACTIONS:
            action, on = REFERENCE_ACTIONS[reference.kind]
            tasks: list[TaskName] = (
                [each for each in TASKS if each != "init"]
                if reference in in_name
                else ["plan", "deploy"]
            )
            yield key, need(action, tasks=tasks, on=partial(on, reference.name))
