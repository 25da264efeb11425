"""Functions on AWS: their state, runs, logs, versions and deletion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from ..errors import SettingsError, refuse_beside
from ..process.importing import own_imports
from .decorator import FUNCTION_HELP, JSON_HELP, TARGETS_HELP, as_names, aws_task

if TYPE_CHECKING:
    from ..aws_lambda.invocation import Invocation
    from ..results import FunctionStatus

__all__ = ["destroy", "init", "invoke_", "logs", "policy", "prune", "rollback", "status"]

POLICY_FORMATS = ("json", "yaml", "cloudformation")


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "json": JSON_HELP,
    },
    iterable=["function", "target"],
)
def status(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    json: bool = False,
) -> list[FunctionStatus]:
    """Show the state of functions, and what callers get.

    Version, code and size are those behind the alias, or of $LATEST if the
    function has none.
    """
    with own_imports():
        from ..commands.functions import show_status

    return show_status(c, as_names(function), as_names(target), json=json)


def _parse_call(
    *,
    payload: str | None,
    qualifier: str | None,
    async_: bool,
    stream: bool,
    tenant_id: str | None,
    client_context: str | None,
    execution_name: str | None,
) -> Invocation:
    with own_imports():
        from ..aws_lambda.invocation import Invocation, parse_client_context, parse_json

    return Invocation(
        payload=b"{}" if payload is None else parse_json(payload, "--payload"),
        qualifier=qualifier,
        asynchronous=async_,
        stream=stream,
        tenant_id=tenant_id,
        client_context=parse_client_context(client_context),
        execution_name=execution_name,
    )


def _inline(text: str | None) -> str | None:
    """Return JSON that an option gives; any, if a file or standard input has it.

    The file may not be there yet, and standard input is read once.
    """
    return "{}" if text and (text == "-" or text.startswith("@")) else text


def _check_invoke(
    config: Config,
    *,
    function: object,
    target: str | Iterable[str] | None,
    payload: str | None,
    client_context: str | None,
    here: bool,
    **others: Any,
) -> None:
    with own_imports():
        from ..aws_lambda.invocation import check_call

    if payload == client_context == "-":
        raise SettingsError("Only one of `--payload` and `--client-context` can be -.")
    call = _parse_call(payload=_inline(payload), client_context=_inline(client_context), **others)
    check_call(call)
    if here:
        refused = {
            "--async": call.asynchronous,
            "--stream": call.stream,
            "--qualifier": call.qualifier,
            "--execution-name": call.execution_name,
        }
        why = "`--here` runs the package once, on this machine, and waits for the response."
        refuse_beside("--here", refused, why=why)
        if len(set(as_names(target))) > 1:
            raise SettingsError("`--here` takes one target.", fix="Run it once for each target.")


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "payload": "JSON, @FILE, or - for standard input [default: {}]",
        "qualifier": "Version or alias [default: the function's `alias`, if any]",
        "async": "Do not wait for the response",
        "stream": "Print the response as it comes, of a function that streams it",
        "tenant_id": "Tenant to invoke it for, of a function with TenancyConfig",
        "client_context": "JSON object for the function's `context`, @FILE, or -",
        "execution_name": "Name of the durable execution; one with this name is not started again",
        "here": "Run the package on this machine, as Lambda would, instead of on Lambda",
    },
    iterable=["function", "target"],
    check=_check_invoke,
)
def invoke(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    payload: str | None = None,
    qualifier: str | None = None,
    async_: bool = False,
    stream: bool = False,
    tenant_id: str | None = None,
    client_context: str | None = None,
    execution_name: str | None = None,
    here: bool = False,
) -> None:
    """Run functions and print their responses; logs go to stderr.

    A function error is exit code 1.
    """
    with own_imports():
        from ..commands.functions import invoke_all

    call = _parse_call(
        payload=payload,
        qualifier=qualifier,
        async_=async_,
        stream=stream,
        tenant_id=tenant_id,
        client_context=client_context,
        execution_name=execution_name,
    )
    if here:
        with own_imports():
            from ..commands.here import invoke_here

        invoke_here(c, as_names(function), as_names(target), call)
    else:
        invoke_all(c, as_names(function), as_names(target), call)


invoke_ = invoke  # what `import *` brings: it must not hide the module


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "follow": "Keep printing new lines until Ctrl-C",
        "since": "How far back to start: seconds, 90m, 2h or 1d [default: 10m]",
        "filter": "CloudWatch Logs filter pattern",
        "timestamps": "Start each line with its time, in UTC",
    },
    iterable=["function", "target"],
)
def logs(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    follow: bool = False,
    since: str = "10m",
    filter: str | None = None,  # noqa: A002
    timestamps: bool = False,
) -> None:
    """Print the logs of functions.

    With several functions, each line starts with the function's name.
    """
    with own_imports():
        from ..commands.functions import print_logs
        from .options import parse

    print_logs(
        c,
        as_names(function),
        as_names(target),
        seconds=parse("since", since),
        pattern=filter,
        timestamps=timestamps,
        follow=follow,
    )


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "to": "Version [default: the alias's previous one]",
    },
    iterable=["function", "target"],
)
def rollback(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    to: str | None = None,
) -> None:
    """Point the alias back to its previous version."""
    with own_imports():
        from ..commands.functions import roll_back_all
        from .options import parse

    if to is not None:
        parse("to", to)
    roll_back_all(c, as_names(function), as_names(target), to=to)


def _check_prune(config: Config, *, yes: bool, **others: Any) -> None:
    _check_can_ask("prune", yes=yes or config.run.dry)


def _check_destroy(config: Config, *, yes: bool, **others: Any) -> None:
    _check_can_ask("destroy", yes=yes or config.run.dry)


def _check_can_ask(task: str, *, yes: bool) -> None:
    with own_imports():
        from ..ui.prompt import why_no_prompt

    if not yes and (reason := why_no_prompt()):
        raise SettingsError(
            f"`{task}` asks before it deletes, and {reason}.",
            fix="Pass --yes if you are sure.",
        )


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "keep": "How many of the newest versions to keep [default: keep_versions, or 5]",
        "yes": "Do not ask for confirmation",
    },
    iterable=["function", "target"],
    check=_check_prune,
)
def prune(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    keep: str | None = None,
    yes: bool = False,
) -> None:
    """Delete old versions that no alias uses."""
    with own_imports():
        from ..commands.functions import prune_all
        from .options import parse

    kept = None if keep is None else parse("keep", keep)
    prune_all(c, as_names(function), as_names(target), keep=kept, yes=yes)


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "yes": "Do not ask for confirmation",
    },
    iterable=["function", "target"],
    check=_check_destroy,
)
def destroy(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    yes: bool = False,
) -> None:
    """Delete functions, after you have typed the name of each.

    Their event source mappings, and the schedules of functions that have
    some in the settings, are deleted, too; their logs are kept.
    """
    with own_imports():
        from ..commands.functions import destroy_all

    destroy_all(c, as_names(function), as_names(target), yes=yes)


def _check_init(
    config: Config, *, function: object, download: bool, show_values: bool, **new: str | None
) -> None:
    existing = {"--function": function, "--download": download, "--show-values": show_values}
    others = [name for name, value in existing.items() if value]
    given = [f"--{name}" for name, value in new.items() if value is not None]
    if given and others:
        raise SettingsError(
            f"`{given[0]}` and `{others[0]}` cannot be combined.",
            why=f"{given[0]} is for a new project, {others[0]} for a function that exists.",
            fix=f"Pass {given[0]} to `assume`, before `init`."
            if given[0] in ("--region", "--profile")
            else f"Leave out {given[0]}.",
        )


@aws_task(
    help={
        "function": "Function on AWS; repeatable [default: all under aws.functions]",
        "download": "Also download the code, into a folder that does not exist yet",
        "show_values": "Also print the values of environment variables",
        "runtime": "Of a new project, such as python3.13 or nodejs22.x [default: the running "
        "Python]",
        "name": "Name of the function of a new project [default: that of the folder]",
        "region": "AWS region of a new project",
        "profile": "Profile of the AWS config files, for a new project",
    },
    iterable=["function"],
    check=_check_init,
)
def init(
    c: Context,
    function: Iterable[str] | None = None,
    download: bool = False,
    show_values: bool = False,
    runtime: str | None = None,
    name: str | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> None:
    """Start a project, or print the settings of existing functions.

    Where no function is configured or named, it writes one with its test
    and its settings, and asks on a terminal for what no option says.
    Otherwise it prints settings as YAML to paste.
    """
    with own_imports():
        from ..commands.init import print_existing
        from ..commands.new_project import begins_project, start_project

    names = as_names(function)
    new = {"--runtime": runtime, "--name": name, "--region": region, "--profile": profile}
    if not (names or download or show_values) and begins_project(c, new):
        start_project(c, new)
    else:
        print_existing(c, names, code=download, show_values=show_values)


def _check_policy(
    config: Config,
    *,
    task: str | Iterable[str] | None,
    trust: str | None,
    explain: bool,
    format: str,  # noqa: A002
    check: str | None,
    **others: Any,
) -> None:
    if format not in POLICY_FORMATS:
        with own_imports():
            from ..ui.output import suggest

        raise SettingsError(
            f"`--format` does not know {format!r}.",
            fix=f"{suggest(format, [*POLICY_FORMATS])} Use one of: "
            f"{', '.join(POLICY_FORMATS)}.".lstrip(),
        )
    with own_imports():
        from ..commands.policy import check_options

    check_options(as_names(task), trust=trust, explain=explain, format=format, check=check)


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "task": "Task to allow; repeatable [default: all but deploy --prune, destroy and init]",
        "target": "Target under aws.targets [default: that of `assume`]",
        "trust": "Who may assume the role: people, github:OWNER/REPO[:REF], "
        "gitlab:GROUP/PROJECT[:REF] or sso:PERMISSION_SET; prints both kinds of policies",
        "explain": "Print which setting needs which action, instead of the policy",
        "format": "json, yaml, or cloudformation: a template of the role, which needs --trust "
        "[default: json]",
        "check": "Compare with the policies of a role (its ARN), or with those in a JSON file, "
        "instead; exit with 2 if something is missing",
    },
    iterable=["function", "task"],
    check=_check_policy,
)
def policy(
    c: Context,
    function: Iterable[str] | None = None,
    task: Iterable[str] | None = None,
    target: str | None = None,
    trust: str | None = None,
    explain: bool = False,
    format: str = "json",  # noqa: A002
    check: str | None = None,
) -> None:
    """Print the least IAM policy that the deploying role needs.

    It needs no credentials, except to compare with a role. If one policy
    would be longer than IAM allows, it is a list of policies.
    """
    with own_imports():
        from ..commands.policy import print_policy

    lacking = print_policy(
        c,
        as_names(function),
        tasks=as_names(task),
        target=target,
        trust=trust,
        explain=explain,
        format=format,
        check=check,
    )
    if lacking:
        raise Exit(code=2)
