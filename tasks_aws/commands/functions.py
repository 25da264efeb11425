"""What the tasks for existing functions do, with every function that is named.

A failure hides no other: all failures are raised when every function has had its turn.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar, cast

from invoke.context import Context

from ..auth.active import settings_in_force
from ..aws_lambda import destroy, status, versions
from ..aws_lambda.clients import Account
from ..aws_lambda.error_messages import translating
from ..aws_lambda.invocation import (
    Invocation,
    Result,
    check_call,
    explain_function_error,
    invoke,
)
from ..aws_lambda.logs import Log
from ..aws_lambda.lookups import resolve_name
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.retry import LOG_EVENTS
from ..aws_lambda.validation import validate_functions
from ..errors import FunctionError, SettingsError, TasksAwsError, raise_failures
from ..process.threads import PARALLEL, DaemonPool, in_parallel
from ..ui.output import print_diff, print_function_log, print_result, print_table, say, warn
from ..ui.program import ending_at_ctrl_c
from ..ui.prompt import agrees, ask, why_no_prompt
from .accounts import get_active_account
from .jobs import check_account, say_what_is_awaited

_T = TypeVar("_T")
_U = TypeVar("_U")
_Plan = TypeVar("_Plan")

_KEPT_VERSIONS = 5  # by `prune`, unless the option or the settings say


def show_status(c: Context, names: Iterable[str] | None, *, json: bool) -> None:
    """Print the state of each function on stdout."""
    functions, account = _find_functions(c, names)
    outcomes = [*_try_each(functions, "show", lambda each: status.read_status(each, account))]
    found = [each for each in outcomes if isinstance(each, status.Status)]
    if json:
        print_result(status.format_json(found))
    elif found:
        print_table(status.HEADER, map(status.format_row, found), result=True)
    _raise_failures(functions, outcomes)


def invoke_all(
    c: Context,
    names: Iterable[str] | None,
    call: Invocation,
) -> None:
    """Invoke all functions at once; responses go to stdout in order, logs to stderr.

    A streamed response is printed as it comes.
    """
    functions, account = _find_functions(c, names, check=partial(_check_call, call))

    def invoke_one(each: Parameters) -> Result | None:
        if c.config.run.dry:
            return None
        version = call.qualifier or each.function.alias
        return invoke(each.name, account, replace(call, qualifier=version), show=show_part)

    def show_part(text: str) -> None:
        print_result(text, end="")

    def show(each: Parameters, result: Result | None) -> None:
        if result is None:
            version = call.qualifier or each.function.alias
            say("invoke", f"would invoke {each.name}{f', {version}' if version else ''}")
            return
        if result.log:
            print_function_log(result.log.rstrip("\n"))
        if result.payload:
            print_result(result.payload)
        if result.error:
            raise explain_function_error(each.name, result)
        if call.asynchronous:
            say("invoke", f"{each.name}  is queued")

    _for_each(functions, "invoke", invoke_one, show)


def print_logs(
    c: Context,
    names: Iterable[str] | None,
    *,
    seconds: int,
    pattern: str | None,
    timestamps: bool,
    follow: bool,
) -> None:
    """Print log events of the last `seconds` on stdout; with `follow`, new ones until Ctrl-C."""
    functions, account = _find_functions(c, names)
    since, width = time.time() - seconds, max(len(each.name) for each in functions)
    logs = [
        Log(
            parameters=each,
            account=account,
            since=since,
            pattern=pattern,
            prefix=f"{each.name:<{width}}  " if len(functions) > 1 else "",
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
            for index, outcome in zip(left, _print_new([logs[each] for each in left]), strict=True):
                outcomes[index] = outcome
                if outcome and follow and len(logs) > 1:
                    warn(f"{outcome}\n  The other logs are still followed.")
            if not follow or all(outcomes):
                break
            time.sleep(next(pauses))
    except KeyboardInterrupt:
        pass  # ends --follow
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _raise_failures(functions, outcomes)


def _print_new(logs: Sequence[Log]) -> Iterator[TasksAwsError | None]:
    """Print the new events of each log in order, and yield its error, if there is one.

    The first pages of a few logs are read at once. The others follow one by one: all events of a
    log may be more than fits into memory.
    """
    read = "read the log of"

    def start(log: Log) -> TasksAwsError | None:
        return _try(log.parameters, read, log.start)

    for index in range(0, len(logs), PARALLEL):
        some = logs[index : index + PARALLEL]
        for log, outcome in zip(some, in_parallel(start, some), strict=True):
            yield outcome or _try(log.parameters, read, log.print_new)


def roll_back_all(c: Context, names: Iterable[str] | None, *, to: str | None) -> None:
    """Point the alias of each function back to the previous version, or to another one."""
    functions, account = _find_functions(c, names, to_change=True)
    dry = c.config.run.dry

    def roll_back(each: Parameters) -> versions.Rollback:
        planned = versions.plan_rollback(each, account, to=to)
        if not dry:
            versions.roll_back(planned, account)
        return planned

    def show(each: Parameters, planned: versions.Rollback) -> None:
        say("rollback", f"{each.name}  {'would move ' if dry else ''}{planned}")

    _change_each(functions, "roll back", roll_back, show)


def prune_all(c: Context, names: Iterable[str] | None, *, keep: int | None, yes: bool) -> None:
    """Delete the old versions of each function that nothing uses, once the user has agreed."""
    _check_can_ask(c, "prune", yes=yes)
    functions, account = _find_functions(c, names, to_change=True)

    def kept(each: Parameters) -> int:
        return keep or each.function.keep_versions or _KEPT_VERSIONS

    def find_old(each: Parameters) -> list[int]:
        return versions.prunable_versions(each.name, account, keep=kept(each))

    def confirm(each: Parameters, old: list[int]) -> bool:
        what = f"{versions.list_versions(old)} of {each.name}"
        if not old:
            say("prune", f"{each.name}  no version to delete, with {kept(each)} kept")
        elif c.config.run.dry:
            say("prune", f"would delete {what}")
        elif yes or agrees(f"Delete {what}?"):
            return True
        else:
            say("prune", f"{each.name}  all versions are kept")
        return False

    def delete(each: Parameters, old: list[int]) -> None:
        versions.delete_versions(each.name, old, account)

    _confirm_each(functions, "prune", find_old, confirm, delete, lambda *_: None)


def destroy_all(c: Context, names: Iterable[str] | None, *, yes: bool) -> None:
    """Delete each function, once the user has typed its name."""
    _check_can_ask(c, "destroy", yes=yes)
    functions, account = _find_functions(c, names, to_change=True)
    mappings = destroy.EventSourceMappings(account)

    def plan(each: Parameters) -> destroy.DeletionPlan | None:
        scheduled = bool(each.function.schedules)
        return destroy.plan_deletion(each.name, account, mappings, scheduled=scheduled)

    def confirm(each: Parameters, plan: destroy.DeletionPlan | None) -> bool:
        if plan is None:
            say("destroy", f"{each.name}  does not exist")
            return False
        dry = c.config.run.dry
        say("destroy", f"{each.name}  {'would' if dry else 'will'} be deleted, with:")
        print_diff(plan.lines())
        if not (dry or yes) and ask(f"Type {each.name} to delete it: ") != each.name:
            raise FunctionError(f"{each.name} was not deleted: its name was not typed.")
        return not dry

    def delete(each: Parameters, plan: destroy.DeletionPlan | None) -> None:
        if plan:
            destroy.destroy(plan, account)

    def show(each: Parameters, deleted: None) -> None:
        say("destroy", f"{each.name}  deleted; its log stays in {each.log_group}")

    _confirm_each(functions, "delete", plan, confirm, delete, show)


def _check_call(call: Invocation, functions: Sequence[Parameters]) -> None:
    """Raise `SettingsError` if the call is not one that these functions take."""
    check_call(call)
    if call.stream and len(functions) > 1:
        raise SettingsError(
            "`--stream` prints the response of one function.", fix="Name it with --function."
        )
    tenants = [each for each in functions if "TenancyConfig" in each.create]
    if tenants and call.tenant_id is None:
        raise SettingsError(
            f"{tenants[0].function.name} is invoked for a tenant, and none is named.",
            why=f"`{tenants[0].function.key}.TenancyConfig` isolates its tenants.",
            fix="Pass --tenant-id.",
        )


def _find_functions(
    c: Context,
    names: Iterable[str] | None,
    *,
    to_change: bool = False,
    check: Callable[[Sequence[Parameters]], None] = lambda functions: None,
) -> tuple[list[Parameters], Account]:
    """Return the functions of these names, or all of them, and their account.

    Their settings are checked before AWS is asked, which may have to resolve their names. The
    account is confirmed and printed if they are to be changed.
    """
    checked = [*validate_functions(settings_in_force(c).named(names)).values()]
    check(checked)
    account = get_active_account(c)
    if to_change:
        check_account(account)
    return [replace(each, name=resolve_name(each.function, account)) for each in checked], account


def _check_can_ask(c: Context, task: str, *, yes: bool) -> None:
    """Raise `SettingsError` if the task has to ask and nobody can be asked."""
    if not (yes or c.config.run.dry) and (reason := why_no_prompt()):
        raise SettingsError(
            f"`{task}` asks before it deletes, and {reason}.",
            fix="Pass --yes if you are sure.",
        )


def _for_each(
    functions: Sequence[Parameters],
    doing: str,
    act: Callable[[Parameters], _T],
    show: Callable[[Parameters, _T], object],
) -> None:
    """Act on all functions at once, and show each result in the order of the settings."""
    with closing(_try_each(functions, doing, act)) as results:
        outcomes = [
            _then(each, doing, result, show)
            for each, result in zip(functions, results, strict=True)
        ]
    _raise_failures(functions, outcomes)


@ending_at_ctrl_c()
def _change_each(
    functions: Sequence[Parameters],
    doing: str,
    act: Callable[[Parameters], _T],
    show: Callable[[Parameters, _T], object],
    *,
    earlier: Mapping[Parameters, object] = MappingProxyType({}),
) -> None:
    """Change all functions at once, and show each result in the order of the settings.

    After Ctrl-C no other change is begun; those that have begun are waited for, and shown.
    `earlier` has what other functions have come to, for the failures that are raised.
    """
    pool, changing, outcomes = DaemonPool(), {}, {**earlier}
    waiting = [*functions]
    try:
        for each in functions:
            changing[each] = pool.submit(partial(_try, each, doing, partial(act, each)))
        while waiting:
            outcomes[waiting[0]] = _then(waiting[0], doing, changing[waiting[0]].result(), show)
            del waiting[0]
    except KeyboardInterrupt:
        begun = [each for each in waiting if each in changing and not changing[each].cancel()]
        say_what_is_awaited([each.name for each in begun if not changing[each].done()])
        for each in begun:
            outcomes[each] = _then(each, doing, changing[each].result(), show)
        _raise_failures([*outcomes], [*outcomes.values()])
        raise
    _raise_failures([*outcomes], [*outcomes.values()])


def _confirm_each(
    functions: Sequence[Parameters],
    doing: str,
    plan: Callable[[Parameters], _Plan],
    confirm: Callable[[Parameters, _Plan], bool],
    act: Callable[[Parameters, _Plan], _T],
    show: Callable[[Parameters, _T], object],
) -> None:
    """Act on the functions that are confirmed, once the user has been asked about all of them."""
    plans = dict(zip(functions, _try_each(functions, doing, plan), strict=True))
    outcomes: dict[Parameters, object] = {
        each: _then(each, doing, plans[each], confirm) for each in functions
    }
    confirmed = [each for each in functions if outcomes[each] is True]

    def act_on(each: Parameters) -> _T:
        return act(each, cast(_Plan, plans[each]))

    _change_each(confirmed, doing, act_on, show, earlier=outcomes)


def _try_each(
    functions: Sequence[Parameters],
    doing: str,
    act: Callable[[Parameters], _T],
) -> Generator[_T | TasksAwsError]:
    """Act on all functions at once; yield each result, or its error, in order."""
    return in_parallel(lambda each: _try(each, doing, partial(act, each)), functions)


def _then(
    function: Parameters,
    doing: str,
    outcome: _T | TasksAwsError,
    act: Callable[[Parameters, _T], _U],
) -> _U | TasksAwsError:
    """Go on with a function, unless it has failed already."""
    if isinstance(outcome, TasksAwsError):
        return outcome
    return _try(function, doing, lambda: act(function, outcome))


def _try(function: Parameters, doing: str, act: Callable[[], _T]) -> _T | TasksAwsError:
    """Return the result of `act`, or its error; `doing` completes "Lambda could not …"."""
    try:
        with translating(function.name, doing):
            return act()
    except TasksAwsError as error:
        return error


def _raise_failures(functions: Sequence[Parameters], outcomes: Sequence[object]) -> None:
    names = (each.function.name for each in functions)
    raise_failures(zip(names, outcomes, strict=True), what="failed")
