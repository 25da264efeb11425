"""Applying a plan: in the order that AWS requires, with a wait after each change.

Configuration goes before code, because a wrong role or layer is refused at once and an upload
takes long. Each change names the revision that it is based on, so that nobody else's change is
overwritten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ..errors import FunctionError
from ..ui.aws_errors import error_code
from ..ui.progress import ProgressLine
from . import versions
from .attachments import AttachmentUpdate, Call
from .clients import Account
from .diff import diff_values
from .error_messages import explain_failed_state
from .iam_actions import READING, UNKNOWN, Scope, Subject, get_setting, need, on_anything, on_key
from .parameters import select
from .plan import Plan, matches_settings
from .remote_state import get_alias, normalize_configuration, wait_until_settled
from .retry import (
    ALREADY_EXISTS,
    EVENT_SOURCE_CHANGE,
    NEW_ROLE,
    OTHER_CHANGE,
    STALE_REVISION,
    retry_while,
)
from .upload import get_upload_client, upload_code


class AlreadyExistsError(Exception):
    """What was to be created exists: since the plan, or by a request whose response was lost."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApplyOptions:
    """How a plan is applied."""

    force: bool = False  # upload in any case, and overwrite what others changed since the plan
    prune: bool = False  # remove what is attached and in no setting
    commit: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)  # set by Ctrl-C


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Applied:
    """What a function has now."""

    version: str | None  # that its alias points to, if the alias has moved
    url: str | None


def apply(plan: Plan, account: Account, options: ApplyOptions, progress: ProgressLine) -> Applied:
    """Apply a plan to a function; return what it has now.

    Raises `FunctionError` with AWS's reason, and `AlreadyExistsError`.
    """
    name = plan.parameters.name
    changed = plan.remote is None or bool(plan.configuration) or plan.code
    revision = None
    if plan.remote is None:
        revision = _create(plan, account, progress)
    elif changed:
        revision = _update(plan, account, options, progress)
    target = partial(account.function_arn, name, plan.parameters.function.alias)
    early = [step for step in plan.attachments if not step.after_alias]
    url = _make_calls(early, account, name, target)
    version = None
    if plan.parameters.published and plan.alias:
        version = _release(plan, account, options, revision, progress)
    elif changed:
        versions.smoke_test(plan.parameters, "$LATEST", account, _what_serves(plan))
    late = [step for step in plan.attachments if step.after_alias]
    url = _make_calls(late, account, name, target) or url or plan.url
    keep = plan.parameters.function.keep_versions
    if version and keep and plan.parameters.function.alias:
        with versions.cleaning_up(f"old versions of {account.label(name)}"):
            old = versions.prunable_versions(name, account, keep=keep)
            versions.delete_versions(name, old, account)
    return Applied(version=version, url=url)


def _create(plan: Plan, account: Account, progress: ProgressLine) -> str | None:
    name, client = plan.parameters.name, get_upload_client(plan.archive, account)
    parameters = {
        **plan.parameters.create,
        "FunctionName": name,
        "Code": {**plan.parameters.create.get("Code", {}), **upload_code(plan, account, progress)},
    }
    try:
        answer = retry_while(
            lambda: client.create_function(**parameters), NEW_ROLE, name=account.label(name)
        )
    except ClientError as error:
        if ALREADY_EXISTS.matches(error):
            raise AlreadyExistsError from error
        raise
    return _revision_when_settled(plan, account, answer, _is_as_planned(plan))


def _update(
    plan: Plan, account: Account, options: ApplyOptions, progress: ProgressLine
) -> str | None:
    assert plan.remote is not None  # noqa: S101  # the caller's condition
    name, client = plan.parameters.name, account.client("lambda")
    uploading = get_upload_client(plan.archive, account)
    revision: str | None = plan.remote.configuration.get("RevisionId")  # emulators have none
    # Uploaded first: if S3 refuses the archive, nothing has changed yet.
    code = {**plan.parameters.code, **upload_code(plan, account, progress)} if plan.code else {}
    if code:  # Lambda would use a key of its own again
        code = {**select(plan.remote.configuration, ("SourceKMSKeyArn",)), **code}
    if plan.configuration:

        def is_configured(now: Mapping[str, Any]) -> bool:
            return not any(
                any(diff_values(key, value, now.get(key)))
                for key, value in plan.configuration.items()
            )

        answer = _change(
            lambda: client.update_function_configuration(
                FunctionName=name, **_guard(revision, options), **plan.configuration
            ),
            is_configured,
            name,
            account,
        )
        revision = _revision_when_settled(plan, account, answer, is_configured)
    if plan.code:
        answer = _change(
            lambda: uploading.update_function_code(
                FunctionName=name, **_guard(revision, options), **code
            ),
            _is_as_planned(plan),
            name,
            account,
        )
        revision = _revision_when_settled(plan, account, answer, _is_as_planned(plan))
    return revision


def _is_as_planned(plan: Plan) -> Callable[[Mapping[str, Any]], bool]:
    return partial(matches_settings, plan.parameters, plan.archive)


def _guard(revision: str | None, options: ApplyOptions) -> dict[str, str]:
    return {} if options.force or not revision else {"RevisionId": revision}


def _change(
    call: Callable[[], Mapping[str, Any]],
    is_done: Callable[[Mapping[str, Any]], bool],
    name: str,
    account: Account,
) -> Mapping[str, Any]:
    """Make a change, once other changes have ended; return what the function is then.

    A stale revision may stem from this very change: the response was lost, and the SDK repeated
    the request.
    """
    try:
        answer: Mapping[str, Any] = retry_while(
            call,
            OTHER_CHANGE,
            NEW_ROLE,
            name=account.label(name),
            between=lambda: wait_until_settled(name, account),
        )
    except ClientError as error:
        found = wait_until_settled(name, account) if STALE_REVISION.matches(error) else None
        if not (found and is_done(normalize_configuration(found))):
            raise
        answer = found["Configuration"]
    return answer


def _revision_when_settled(
    plan: Plan,
    account: Account,
    answer: Mapping[str, Any],
    is_done: Callable[[Mapping[str, Any]], bool],
) -> str | None:
    """Return the revision of the change that Lambda has answered, once it has settled.

    Raises `FunctionError` if somebody else has made another one meanwhile: the revision would be
    that of a mixture.
    """
    name = plan.parameters.name
    found = wait_until_settled(name, account)
    if found is None:
        raise FunctionError(
            f"{name} was deleted while it was being deployed.", fix="Run this again."
        )
    configuration = found["Configuration"]
    if "Failed" in (configuration.get("State"), configuration.get("LastUpdateStatus")):
        raise explain_failed_state(plan.parameters, configuration)
    is_another = configuration["LastModified"] != answer["LastModified"]
    if is_another and not is_done(normalize_configuration(found)):
        raise FunctionError(
            f"{name} was changed while it was being deployed.",
            why="Another deploy, or somebody in the console, changed it at the same time.",
            fix="Run this again.",
        )
    revision: str | None = configuration.get("RevisionId")
    return revision


def _release(
    plan: Plan,
    account: Account,
    options: ApplyOptions,
    revision: str | None,
    progress: ProgressLine,
) -> str:
    """Publish a version, test it and point the alias to it; return the version."""
    parameters, commit = plan.parameters, options.commit
    version = versions.publish(parameters, plan.archive, account, revision=revision, commit=commit)
    versions.smoke_test(parameters, version, account, _what_serves(plan))
    if not parameters.function.alias:
        return version
    found = plan.remote.alias if plan.remote else None
    if found and options.force:  # whatever others have done to it since
        found = get_alias(parameters.name, found["Name"], account)
    versions.move_alias(
        parameters, version, account, found, commit=commit, stop=options.stop, progress=progress
    )
    return version


def _what_serves(plan: Plan) -> str:
    """Return what callers get if the new version fails its smoke test."""
    alias = plan.parameters.function.alias
    if not alias:
        return "It is already live: without `alias` there is no version to go back to."
    if plan.remote and plan.remote.alias:
        return "The alias was not moved: the previous version still serves."
    return f"The alias {alias} was not created: nothing serves there yet."


def _make_calls(
    steps: Iterable[AttachmentUpdate], account: Account, name: str, target: Callable[[], str]
) -> str | None:
    """Make the calls that change attached resources; return the URL that one of them made.

    `target` returns what schedules invoke.
    """
    url = None
    for call in (call for step in steps for call in step.calls):
        try:
            url = _make_call(call.aimed(target), account, name).get("FunctionUrl", url)
        except ClientError as error:
            if error_code(error) in call.done_already:
                continue
            if ALREADY_EXISTS.matches(error):
                raise AlreadyExistsError from error
            raise
    return url


def _make_call(call: Call, account: Account, name: str) -> Mapping[str, Any]:
    operation = getattr(account.client(call.service), call.operation)
    answer: Mapping[str, Any] = retry_while(
        lambda: operation(**call.parameters),
        EVENT_SOURCE_CHANGE,
        OTHER_CHANGE,
        NEW_ROLE,
        name=account.label(name),
    )
    return answer


def _on_role(subject: Subject) -> Scope:
    role = str(subject.layer.parameters["Role"])
    if not role.startswith("arn:"):
        role = f"arn:{subject.partition}:iam::{subject.account_id}:role/{UNKNOWN}"
    to_lambda = ("StringEquals", "iam:PassedToService", ("lambda.amazonaws.com",))
    return Scope("PassRole", (role,), *to_lambda)


def _on_layer_versions(subject: Subject) -> Scope:
    function = subject.parameters.function
    named = (each for each in function.layers or () if each not in function.layer_names)
    arns = (*named, *(function.parameters.get("Layers") or ()))
    return Scope("LayerVersions", tuple(map(str, arns)))


def _on_file_systems(subject: Subject) -> Scope:  # settings name their access points only
    return Scope("FileSystems", (subject.arn("elasticfilesystem", "file-system/*"),))


_CAPACITY_PROVIDER = (
    "CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig.CapacityProviderArn"
)


def _on_capacity_provider(subject: Subject) -> Scope:
    arn = get_setting(subject.layer, _CAPACITY_PROVIDER)
    return Scope("CapacityProviders", (str(arn),))


# After its own actions those that Lambda checks on behalf of the caller: "Lambda execution role",
# "Giving Lambda functions access to resources in an Amazon VPC", "Securing environment variables",
# "Encrypting .zip deployment packages", "Configuring file system access", Lambda Developer Guide.
ACTIONS = (
    need(
        "lambda:CreateFunction",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        tasks=("deploy",),
    ),
    need("iam:PassRole", tasks=("deploy",), on=_on_role, settings=("Role",)),
    need("lambda:GetLayerVersion", tasks=("deploy",), on=_on_layer_versions, settings=("layers",)),
    need("lambda:GetLayerVersion", tasks=("deploy",), on=_on_layer_versions, settings=("Layers",)),
    need(
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        tasks=("deploy",),
        on=on_anything,
        settings=("VpcConfig.SubnetIds",),
    ),
    need(
        "kms:CreateGrant",
        "kms:Encrypt",
        tasks=("deploy",),
        on=on_key("KMSKeyArn"),
        settings=("KMSKeyArn",),
    ),
    need("kms:Decrypt", tasks=READING, on=on_key("KMSKeyArn"), settings=("KMSKeyArn",)),
    need(
        "kms:GenerateDataKey",
        tasks=("deploy",),
        on=on_key("Code.SourceKMSKeyArn"),
        settings=("Code.SourceKMSKeyArn",),
    ),
    need(
        "kms:Decrypt",
        tasks=READING,
        on=on_key("Code.SourceKMSKeyArn"),
        settings=("Code.SourceKMSKeyArn",),
    ),
    need(
        "elasticfilesystem:DescribeMountTargets",
        tasks=("deploy",),
        on=_on_file_systems,
        settings=("FileSystemConfigs",),
    ),
    need(
        "lambda:PassCapacityProvider",
        tasks=("deploy",),
        on=_on_capacity_provider,
        settings=(_CAPACITY_PROVIDER,),
    ),
)
