"""What the tasks for existing functions do, with every function that is named."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from invoke.context import Context

from ..aws_lambda import destroy, status, versions
from ..aws_lambda.invocation import (
    Invocation,
    Result,
    explain_function_error,
    invoke,
)
from ..aws_lambda.logs import Log
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.retry import LOG_EVENTS
from ..errors import FunctionError, SettingsError, TasksAwsError
from ..process.threads import PARALLEL, in_parallel
from ..results import FunctionStatus
from ..ui.output import is_closed_pipe, print_diff, print_function_log, print_result, say, warn
from ..ui.prompt import agrees, ask
from .each import attempt, change_each, confirm_each, for_each, raise_failures, try_each
from .located import LocatedFunction, accounts_of, find_functions
from .protection import confirm_if_protected
from .report import Report, printed_as_json

_KEPT_VERSIONS = 5  # by `prune`, unless the option or the settings say


def show_status(
    c: Context, names: Sequence[str], targets: Sequence[str], *, json: bool
) -> list[FunctionStatus]:
    """Print the state of each function on stdout, and return it."""
    report: Report[FunctionStatus] = []
    with printed_as_json(report, wanted=json):
        functions = find_functions(c, names, targets)
        outcomes = [*try_each(functions, "show", _read_status)]
        for each, outcome in zip(functions, outcomes, strict=True):
            if isinstance(outcome, FunctionStatus):
                report.append((outcome, None))
            else:
                report.append((status.unknown_status(each.parameters, each.account), outcome))
        found = [
            (each, function.parameters.function.alias)
            for function, each in zip(functions, outcomes, strict=True)
            if isinstance(each, FunctionStatus)
        ]
        if not json:
            status.print_statuses(found)
        raise_failures(functions, outcomes)
    return [each for each, _ in found]


def _read_status(each: LocatedFunction) -> FunctionStatus:
    return status.read_status(each.parameters, each.account)


def invoke_all(c: Context, names: Sequence[str], targets: Sequence[str], call: Invocation) -> None:
    """Invoke all functions at once; responses go to stdout in order, logs to stderr.

    A streamed response is printed as it comes.
    """
    functions = find_functions(c, names, targets, check=partial(_check_call, call))

    def version_of(each: LocatedFunction) -> str | None:
        return call.qualifier or each.parameters.function.alias

    def invoke_one(each: LocatedFunction) -> Result | None:
        if c.config.run.dry:
            return None
        this = replace(call, qualifier=version_of(each))
        return invoke(each.parameters.name, each.account, this, show=show_part)

    def show_part(text: str) -> None:
        print_result(text, end="")

    def show(each: LocatedFunction, result: Result | None) -> None:
        if result is None:
            version = version_of(each)
            say("invoke", f"would invoke {each.label_on_aws}{f', {version}' if version else ''}")
            return
        if len(functions) > 1 and not call.asynchronous:
            say("invoke", each.label_on_aws)
        if result.log:
            print_function_log(result.log.rstrip("\n"))
        if result.payload:
            print_result(result.payload)
        if result.error:
            raise explain_function_error(each.label_on_aws, result)
        if call.asynchronous:
            say("invoke", f"{each.label_on_aws}  is queued")

    for_each(functions, "invoke", invoke_one, show)


def print_logs(
    c: Context,
    names: Sequence[str],
    targets: Sequence[str],
    *,
    seconds: int,
    pattern: str | None,
    timestamps: bool,
    follow: bool,
) -> None:
    """Print log events of the last `seconds` on stdout; with `follow`, new ones until Ctrl-C."""
    functions = find_functions(c, names, targets)
    since, width = time.time() - seconds, max(len(each.label_on_aws) for each in functions)
    logs = [
        Log(
            parameters=each.parameters,
            account=each.account,
            since=since,
            pattern=pattern,
            prefix=f"{each.label_on_aws:<{width}}  " if len(functions) > 1 else "",
            timestamps=timestamps,
            follow=follow,
        )
        for each in functions
    ]
    outcomes: list[TasksAwsError | None] = [None] * len(logs)
    pauses = LOG_EVENTS.pauses()
    try:
        while True:
            # A log that failed is not read again.
            left = [index for index, outcome in enumerate(outcomes) if outcome is None]
            for index, outcome in zip(
                left, print_new_events([logs[each] for each in left]), strict=True
            ):
                outcomes[index] = outcome
                if outcome and follow and len(logs) > 1:
                    warn(f"{outcome}\n  The other logs are still followed.")
            if not follow or all(outcomes):
                break
            time.sleep(next(pauses))
    except KeyboardInterrupt:
        pass  # ends --follow
    except OSError as error:
        if not is_closed_pipe(error):  # the reader, such as `head`, has
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise_failures(functions, outcomes)


def print_new_events(logs: Sequence[Log]) -> Iterator[TasksAwsError | None]:
    """Print the new events of each log in order, and yield its error, if there is one.

    The first pages of a few logs are read at once. The others follow one by one: all events of a
    log may be more than fits into memory.
    """
    read = "read the log of"

    def start(log: Log) -> TasksAwsError | None:
        return attempt(log.label, read, log.start)

    for index in range(0, len(logs), PARALLEL):
        some = logs[index : index + PARALLEL]
        for log, outcome in zip(some, in_parallel(start, some), strict=True):
            yield outcome or attempt(log.label, read, log.print_new)


def roll_back_all(
    c: Context, names: Sequence[str], targets: Sequence[str], *, to: str | None
) -> None:
    """Point the alias of each function back to the previous version, or to another one."""
    functions = find_functions(c, names, targets, to_change=True, check=_require_aliases)
    dry = c.config.run.dry

    def roll_back(each: LocatedFunction) -> versions.Rollback:
        planned = versions.plan_rollback(each.parameters, each.account, to=to)
        if not dry:
            versions.roll_back(planned, each.account)
        return planned

    def show(each: LocatedFunction, planned: versions.Rollback) -> None:
        say("rollback", f"{each.label_on_aws}  {'would move ' if dry else ''}{planned}")

    change_each(functions, "roll back", roll_back, show)


def prune_all(
    c: Context, names: Sequence[str], targets: Sequence[str], *, keep: int | None, yes: bool
) -> None:
    """Delete the old versions of each function that nothing uses, once the user has agreed."""
    functions = find_functions(c, names, targets, to_change=True)
    confirm_if_protected(accounts_of(functions), "prune", yes=yes or c.config.run.dry)

    def kept(each: LocatedFunction) -> int:
        return keep or each.parameters.function.keep_versions or _KEPT_VERSIONS

    def find_old(each: LocatedFunction) -> list[int]:
        return versions.prunable_versions(each.parameters.name, each.account, keep=kept(each))

    def confirm(each: LocatedFunction, old: list[int]) -> bool:
        what = f"{versions.list_versions(old)} of {each.label_on_aws}"
        if not old:
            say("prune", f"{each.label_on_aws}  no version to delete, with {kept(each)} kept")
        elif c.config.run.dry:
            say("prune", f"would delete {what}")
        elif yes or agrees(f"Delete {what}?"):
            return True
        else:
            say("prune", f"{each.label_on_aws}  all versions are kept")
        return False

    def delete(each: LocatedFunction, old: list[int]) -> None:
        versions.delete_versions(each.parameters.name, old, each.account)

    confirm_each(functions, "prune", find_old, confirm, delete, lambda *_: None)


def destroy_all(c: Context, names: Sequence[str], targets: Sequence[str], *, yes: bool) -> None:
    """Delete each function, once the user has typed its name."""
    functions = find_functions(c, names, targets, to_change=True)
    confirm_if_protected(accounts_of(functions), "destroy", yes=yes or c.config.run.dry)

    def plan(each: LocatedFunction) -> destroy.DeletionPlan | None:
        mappings = each.account.once(destroy.EventSourceMappings)
        scheduled = bool(each.parameters.function.schedules)
        return destroy.plan_deletion(
            each.parameters.name, each.account, mappings, scheduled=scheduled
        )

    def confirm(each: LocatedFunction, plan: destroy.DeletionPlan | None) -> bool:
        name, label = each.parameters.name, each.label_on_aws
        if plan is None:
            say("destroy", f"{label}  does not exist")
            return False
        dry = c.config.run.dry
        say("destroy", f"{label}  {'would' if dry else 'will'} be deleted, with:")
        print_diff(plan.lines())
        which = "it" if label == name else label
        if not (dry or yes) and ask(f"Type {name} to delete {which}: ") != name:
            raise FunctionError(f"{label} was not deleted: its name was not typed.")
        return not dry

    def delete(each: LocatedFunction, plan: destroy.DeletionPlan | None) -> None:
        if plan:
            destroy.destroy(plan, each.account)

    def show(each: LocatedFunction, deleted: None) -> None:
        log_group = each.parameters.log_group
        say("destroy", f"{each.label_on_aws}  deleted; its log stays in {log_group}")

    confirm_each(functions, "delete", plan, confirm, delete, show)


def _require_aliases(functions: Sequence[Parameters]) -> None:
    """Raise `SettingsError` for functions that cannot be rolled back."""
    if without := [each.function for each in functions if each.function.alias is None]:
        names = ", ".join(dict.fromkeys(each.name for each in without))
        raise SettingsError(
            f"{names} cannot be rolled back: there is no `alias`.",
            why="Only an alias can point back to an earlier version.",
            fix=f"Name others with --function, or set `{without[0].key}.alias` and deploy.",
        )


def _check_call(call: Invocation, functions: Sequence[Parameters]) -> None:
    """Raise `SettingsError` if the call is not one that these functions take."""
    if call.stream and len(functions) > 1:
        raise SettingsError(
            "`--stream` prints the response of one function.",
            fix="Name it with --function, and at most one --target.",
        )
    tenants = [each for each in functions if "TenancyConfig" in each.create]
    if tenants and call.tenant_id is None:
        raise SettingsError(
            f"{tenants[0].function.name} is invoked for a tenant, and none is named.",
            why=f"`{tenants[0].function.key}.TenancyConfig` isolates its tenants.",
            fix="Pass --tenant-id.",
        )
