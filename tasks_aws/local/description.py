"""What has to exist on the embedded AWS for a project's settings, as values."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..aws_lambda.iam_comparison import Finding, Statement, compare
from ..aws_lambda.iam_policy import Permission, Policy, make_policies
from ..aws_lambda.layers import validate_layers
from ..aws_lambda.lookups import fill_in_with
from ..aws_lambda.validation import validate_functions
from ..commands.here import ask_program
from ..commands.permissions import DEPLOYING, list_needed
from ..commands.trust import account_of, accounts_of_roles
from ..config.functions import Function, Layer
from ..config.references import STORED, Reference, parse_reference
from ..config.settings import Settings
from ..secret import Secret
from .differences import LENIENT

ACCOUNT = "000000000000"  # where there is nothing else to go by
REGION = "us-east-1"
_ROLE = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(\S+)")
_SERVICES = "kinesis|dynamodb|sqs|sns|events|s3|kms|lambda"
_ARN = re.compile(rf"arn:[\w-]+:({_SERVICES}):([a-z0-9-]*):(\d*):(\S+)")
_STORED_ARN = re.compile(
    r"arn:[\w-]+:(?:ssm|secretsmanager):([a-z0-9-]+):(\d{12}):(?:parameter|secret:)(.+)"
)
_RUNNING_LANGUAGES = ("python", "nodejs", "provided", "")


@dataclass(frozen=True, slots=True)
class Place:
    """An account and a region of it."""

    account_id: str
    region: str = REGION


@dataclass(frozen=True, slots=True)
class User:
    """The user whose keys a profile has; None is the default one."""

    profile: str | None
    place: Place
    policies: tuple[Policy, ...]

    @property
    def name(self) -> str:
        """Return the name of a user that IAM allows."""
        return re.sub(r"[^\w+=,.@-]", "-", self.profile or "developer", flags=re.ASCII)[:64]

    @property
    def arn(self) -> str:
        """Return the ARN of the user."""
        return f"arn:aws:iam::{self.place.account_id}:user/{self.name}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role, who may assume it, and what it may do."""

    arn: str
    trust: Policy
    policies: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A bucket, a queue or the like: what comes after the account in its ARN."""

    service: str
    place: Place
    name: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A parameter (`ssm`), a secret (`secret`) or a stack (`cfn`), with its value or values."""

    kind: str
    place: Place
    name: str
    values: Mapping[str | None, str] = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """All that has to exist, and what the emulator does not do of what the settings use."""

    users: Sequence[User]
    roles: Sequence[Role]
    resources: Sequence[Resource]
    stored: Sequence[Stored]
    limits: Sequence[str]
    unenforced: Sequence[str]  # actions that AWS would refuse, and the emulator does not
    placeholders: Sequence[str]  # what references stand for that `aws.local.values` has not


def describe(
    variants: Sequence[Settings],
    *,
    default_region: str | None = None,
    policies: Sequence[Policy] | None = None,
    statements: Sequence[Statement] | None = None,
    tried: Collection[str | None] = (),
) -> Description:
    """Return what has to exist for the settings of a project, which are those of each target.

    Roles to assume have `policies`, with these statements, or else what `policy` prints for them.
    The statements are compared with what the targets need that are `tried`.
    """
    projects = [_Project.of(each, default_region or REGION) for each in variants]
    users = _users(projects, policies)
    roles = {each.arn: each for project in projects for each in project.execution_roles()}
    for arn in dict.fromkeys(each.settings.role_arn for each in projects):
        if arn:
            own = [each for each in projects if each.settings.role_arn == arn]
            roles[arn] = Role(arn, _trust_of(own, users), _policies_of(own, policies))
    resources = dict.fromkeys(each for project in projects for each in project.resources())
    return Description(
        users=[*users.values()],
        roles=[*roles.values()],
        resources=[*resources],
        stored=[*_stored(projects)],
        limits=[*dict.fromkeys(each for project in projects for each in project.limits())],
        unenforced=_unenforced(
            [each for each in projects if each.settings.target in tried], statements
        ),
        placeholders=[*dict.fromkeys(each for project in projects for each in project.invented())],
    )


@dataclass(frozen=True, slots=True)
class _Project:
    """The settings with one target, and their functions and layers with all values filled in."""

    settings: Settings
    place: Place
    written: Sequence[Layer]  # with references
    described: Sequence[Layer]

    @classmethod
    def of(cls, settings: Settings, default_region: str) -> _Project:
        functions = [
            each.function for each in validate_functions(settings.functions.values()).values()
        ]
        written = [*functions, *validate_layers(settings, functions)]
        named = account_of(settings.role_arn or "") or settings.account_id
        account = named or _roles_account(functions)
        place = Place(account or ACCOUNT, settings.region or default_region)
        find = _finder(place, settings.local)
        return cls(settings, place, written, [fill_in_with(each, find) for each in written])

    def references(self) -> Iterator[Reference]:
        """Yield the references to what AWS stores."""
        found: list[Reference] = []

        def note(reference: Reference, key: str) -> str:
            found.append(reference)
            return ""

        for each in self.written:
            fill_in_with(each, note)
        yield from found

    def invented(self) -> Iterator[str]:
        """Yield what the settings have no value for, as it is written."""
        for each in self.references():
            if each.kind in STORED and _given(each, self.settings.local) is None:
                yield each.written[2:-1]

    def strings(self) -> Iterator[tuple[str, str]]:
        """Yield every string in the settings of functions and layers, with its full key."""
        for each in self.described:
            values: list[Any] = [each.parameters, each.permissions]
            if isinstance(each, Function):
                values += [each.events, each.schedules, each.layers]
            for value in values:
                yield from _strings_in(value, each.key)

    def execution_roles(self) -> Iterator[Role]:
        """Yield the roles of functions, and those of what invokes them."""
        for key, text in self.strings():
            if _ROLE.fullmatch(text):
                service = "lambda" if key.endswith(".Role") else "scheduler"
                principal = {"Service": f"{service}.amazonaws.com"}
                yield Role(text, document([allow("sts:AssumeRole", Principal=principal)]))

    def resources(self) -> Iterator[Resource]:
        """Yield what the settings name by its ARN, and the buckets of archives."""
        for _, text in self.strings():
            if match := _ARN.fullmatch(text):
                service, region, account, name = match.groups()
                own = service != "lambda" or name.startswith("layer:")
                place = Place(account or self.place.account_id, region or self.place.region)
                if own:
                    yield Resource(service, place, name)
        for each in self.described:
            if each.bucket:
                account = each.bucket_owner or self.place.account_id
                yield Resource("s3", Place(account, self.place.region), each.bucket)

    def limits(self) -> Iterator[str]:
        """Yield what MiniStack does not do of what the settings use."""
        settings = self.settings
        if settings.mfa_serial or settings.mfa_command or settings.mfa_session:
            yield "MFA codes are not checked, so none is asked for"
        for each in self.described:
            parameters = each.parameters
            if "ImageUri" in parameters.get("Code", {}):
                yield "container images do not run"
            if parameters.get("VpcConfig", {}).get("SubnetIds"):
                yield "functions are in no VPC"
            if isinstance(each, Function) and each.language not in _RUNNING_LANGUAGES:
                yield f"functions of {each.runtime} do not run"
            if isinstance(each, Function) and _lacks_node(each):
                yield f"functions of {each.runtime} do not run: Node.js is not on PATH"
            if isinstance(each, Function) and (program := _find_other_program(each)):
                yield f"functions of {each.runtime} run in {program}"
        for resource in self.resources():
            if resource.service == "lambda":
                yield "layers of others are empty"
        for reference in self.references():
            if _locate(reference, self.place)[0] != self.place:
                yield (
                    f"{reference} is in another account or region, and cannot be read: "
                    "use another one for the rehearsal"
                )


def document(statements: Sequence[Mapping[str, Any]]) -> Policy:
    """Return a policy with these statements."""
    return {"Version": "2012-10-17", "Statement": [*statements]}


def allow(*actions: str, **rest: Any) -> dict[str, Any]:
    """Return a statement that allows actions."""
    return {"Effect": "Allow", "Action": [*actions], **rest}


def _users(
    projects: Sequence[_Project], policies: Sequence[Policy] | None
) -> dict[str | None, User]:
    """Return the users by their profiles."""
    found = {}
    for profile in dict.fromkeys(each.settings.profile for each in projects):
        own = [each for each in projects if each.settings.profile == profile]
        direct = [each for each in own if not each.settings.role_arn]
        roles = sorted({each.settings.role_arn for each in own if each.settings.role_arn})
        may_assume = [document([allow(*_assuming(own), Resource=roles)])] if roles else []
        serials = filter(None, (account_of(each.settings.mfa_serial or "") for each in own))
        account = direct[0].place.account_id if direct else next(serials, ACCOUNT)
        found[profile] = User(
            profile,
            Place(account, own[0].place.region),
            (*may_assume, *(_policies_of(direct, policies) if direct else ())),
        )
    return found


def _assuming(projects: Iterable[_Project]) -> list[str]:
    """Return the actions that somebody needs to assume a role as the settings say."""
    settings = [each.settings for each in projects]
    return [
        "sts:AssumeRole",
        *(["sts:TagSession"] if any(each.session_tags for each in settings) else []),
        *(["sts:SetSourceIdentity"] if any(each.source_identity for each in settings) else []),
    ]


def _trust_of(projects: Sequence[_Project], users: Mapping[str | None, User]) -> Policy:
    """Return who may assume a role: the users of the profiles that settings with it name."""
    statements = []
    for each in projects:
        principal = {"AWS": users[each.settings.profile].arn}
        external_id = each.settings.external_id
        condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}}
        rest = condition if external_id else {}
        statements.append(allow(*_assuming(projects), Principal=principal, **rest))
    return document([each for at, each in enumerate(statements) if each not in statements[:at]])


def _policies_of(
    projects: Sequence[_Project], policies: Sequence[Policy] | None
) -> tuple[Policy, ...]:
    if policies is not None:
        return tuple(policies)
    needed = [*_needed(projects)]
    return tuple(make_policies(needed)) if needed else ()


def _needed(projects: Iterable[_Project]) -> Iterator[Permission]:
    for each in projects:
        yield from list_needed(each.written, each.place.account_id, each.place.region, DEPLOYING)


def _unenforced(
    projects: Iterable[_Project], statements: Sequence[Statement] | None
) -> Sequence[str]:
    """Return the actions that these statements do not allow, and the emulator does."""
    if statements is None:
        return ()
    missing = {
        each.action
        for each in compare(_needed(projects), statements)
        if each.finding is Finding.MISSING
    }
    return sorted(missing & LENIENT)


def _stored(projects: Iterable[_Project]) -> Iterator[Stored]:
    """Yield each parameter, secret and stack once, with all keys or outputs that are named."""
    found: dict[tuple[str, Place, str], dict[str | None, str]] = {}
    for project in projects:
        values = project.settings.local
        for reference in project.references():
            if reference.kind in STORED:
                value = _value_of(reference, values)
                key = (reference.kind, *_locate(reference, project.place))
                found.setdefault(key, {})[reference.more] = value
    for (kind, place, name), of in found.items():
        yield Stored(kind, place, name, of)


def _locate(reference: Reference, place: Place) -> tuple[Place, str]:
    """Return where something is stored, and its name there, without its version.

    An ARN may name another account and region. That of a secret ends with random characters, which
    nobody can choose. MiniStack takes the beginning of an ARN, so there they are part of the name.
    """
    name = reference.name
    if match := _STORED_ARN.fullmatch(name):
        region, account, name = match.groups()
        place = Place(account, region)
    return place, name.partition(":")[0] if reference.kind == "ssm" else name


def _finder(place: Place, values: Mapping[str, str]) -> Callable[[Reference, str], str]:
    def find(reference: Reference, key: str) -> str:
        known = {"account_id": place.account_id, "region": place.region}
        return known.get(reference.kind) or _value_of(reference, values)

    return find


def _value_of(reference: Reference, values: Mapping[str, str]) -> str:
    value = _given(reference, values)
    if value is None:
        return f"placeholder-of-{reference.written[2:-1]}"
    return Secret(value) if reference.kind == "secret" else value


def _given(reference: Reference, values: Mapping[str, str]) -> str | None:
    same = (
        value for name, value in values.items() if parse_reference(name, "")[:3] == reference[:3]
    )
    return next(same, None)


def _roles_account(functions: Iterable[Function]) -> str | None:
    """Return the account of the execution roles, if it is one."""
    found = accounts_of_roles(functions)
    return found.pop() if len(found) == 1 else None


def _lacks_node(function: Function) -> bool:
    return function.language == "nodejs" and not shutil.which("node")


def _find_other_program(function: Function) -> str | None:
    """Return what runs a function instead of the version of its runtime, if that is another one."""
    major, minor, *_ = sys.version_info
    if function.language == "python" and function.runtime != f"python{major}.{minor}":
        return f"Python {major}.{minor}, which runs invoke"
    program = shutil.which("node") if function.language == "nodejs" else None
    node = program and _major_version(program)
    return (
        f"Node.js {node}, which is on PATH"
        if node and f"js{node}." not in function.runtime
        else None
    )


@cache
def _major_version(node: str) -> str:
    """Return the major version of Node.js, such as 22, or an empty string if it does not run."""
    version = ask_program(node, "--version", environ=os.environ)
    return version.removeprefix("v").partition(".")[0]


def _strings_in(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _strings_in(each, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings_in(each, key)
