"""What the tasks for existing functions do, with every function that is named.

A failure hides no other: all failures are raised when every function has had its turn.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import TypeVar

from invoke.context import Context

from ..auth.active import settings_in_force
from ..aws_lambda import destroy, status, versions
from ..aws_lambda.clients import PARALLEL, Account
from ..aws_lambda.error_messages import translating
from ..aws_lambda.invocation import explain_function_error, invoke
from ..aws_lambda.logs import Log
from ..aws_lambda.lookups import resolve_name
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.retry import LOG_EVENTS
from ..aws_lambda.validation import validate_function
from ..errors import FunctionError, SettingsError, TasksAwsError, raise_failures
from ..ui.output import print_diff, print_result, print_table, say, warn
from ..ui.prompt import ask, why_no_prompt
from .accounts import get_active_account
from .jobs import check_account

_T = TypeVar("_T")

_KEPT_VERSIONS = 5  # by `prune`, unless the option or the settings say


def show_status(c: Context, names: Iterable[str] | None, *, json: bool) -> None:
    """Print the state of each function on stdout."""
    functions, account = _find_functions(c, names)
    with ThreadPoolExecutor(PARALLEL) as pool:
        read = [partial(status.read_status, each, account) for each in functions]
        outcomes = list(pool.map(_try, functions, repeat("show"), read))
    found = [each for each in outcomes if isinstance(each, status.Status)]
    if json:
        print_result(status.format_json(found))
    elif found:
        print_table(status.HEADER, map(status.format_row, found), result=True)
    _raise_failures(functions, outcomes)


def invoke_all(
    c: Context,
    names: Iterable[str] | None,
    payload: bytes,
    *,
    qualifier: str | None,
    asynchronous: bool,
) -> None:
    """Invoke each function; its response goes to stdout, its log to stderr."""
    functions, account = _find_functions(c, names)

    def invoke_one(each: Parameters) -> None:
        version = qualifier or each.function.alias
        if c.config.run.dry:
            say("invoke", f"would invoke {each.name}{f', {version}' if version else ''}")
            return
        result = invoke(
            each.name, account, payload=payload, qualifier=version, asynchronous=asynchronous
        )
        if result.log:
            print(result.log.rstrip("\n"), file=sys.stderr, flush=True)
        if result.payload:
            print_result(result.payload)
        if result.error:
            raise explain_function_error(each.name, result)
        if asynchronous:
            say("invoke", f"{each.name}  is queued")

    _for_each(functions, "invoke", invoke_one)


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
        )
        for each in functions
    ]
    outcomes: list[TasksAwsError | None] = [None] * len(logs)
    pauses = LOG_EVENTS.pauses()
    try:
        while True:
            for index, log in enumerate(logs):
                if outcomes[index]:  # a log that failed is not read again
                    continue
                outcomes[index] = _try(log.parameters, "read the log of", log.print_new)
                if outcomes[index] and follow and len(logs) > 1:
                    warn(f"{outcomes[index]}\n  The other logs are still followed.")
            sys.stdout.flush()
            if not follow or all(outcomes):
                break
            time.sleep(next(pauses))
    except KeyboardInterrupt:
        pass  # ends --follow
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _raise_failures(functions, outcomes)


def roll_back_all(c: Context, names: Iterable[str] | None, *, to: str | None) -> None:
    """Point the alias of each function back to the previous version, or to another one."""
    functions, account = _find_functions(c, names, to_change=True)

    def roll_back(each: Parameters) -> None:
        planned = versions.plan_rollback(each, account, to=to)
        if c.config.run.dry:
            say("rollback", f"{each.name}  would move {planned}")
        else:
            versions.roll_back(planned, account)
            say("rollback", f"{each.name}  {planned}")

    _for_each(functions, "roll back", roll_back)


def prune_all(c: Context, names: Iterable[str] | None, *, keep: int | None, yes: bool) -> None:
    """Delete the old versions of each function that nothing uses, once the user has agreed."""
    _check_can_ask(c, "prune", yes=yes)
    functions, account = _find_functions(c, names, to_change=True)

    def prune(each: Parameters) -> None:
        kept = keep or each.function.keep_versions or _KEPT_VERSIONS
        old = versions.prunable_versions(each.name, account, keep=kept)
        if not old:
            say("prune", f"{each.name}  no version to delete, with {kept} kept")
            return
        what = f"{versions.list_versions(old)} of {each.name}"
        if c.config.run.dry:
            say("prune", f"would delete {what}")
        elif yes or ask(f"Delete {what}? [y/N] ").lower() in ("y", "yes"):
            versions.delete_versions(each.name, old, account)
        else:
            say("prune", f"{each.name}  all versions are kept")

    _for_each(functions, "prune", prune)


def destroy_all(c: Context, names: Iterable[str] | None, *, yes: bool) -> None:
    """Delete each function, once the user has typed its name."""
    _check_can_ask(c, "destroy", yes=yes)
    functions, account = _find_functions(c, names, to_change=True)

    def delete(each: Parameters) -> None:
        plan = destroy.plan_deletion(each.name, account)
        if plan is None:
            say("destroy", f"{each.name}  does not exist")
            return
        dry = c.config.run.dry
        say("destroy", f"{each.name}  {'would' if dry else 'will'} be deleted, with:")
        print_diff(plan.lines())
        if dry:
            return
        if not yes and ask(f"Type {each.name} to delete it: ") != each.name:
            raise FunctionError(f"{each.name} was not deleted: its name was not typed.")
        destroy.destroy(plan, account)
        say("destroy", f"{each.name}  deleted; its log stays in {each.log_group}")

    _for_each(functions, "delete", delete)


def _find_functions(
    c: Context, names: Iterable[str] | None, *, to_change: bool = False
) -> tuple[list[Parameters], Account]:
    """Return the functions of these names, or all of them, and their account.

    Their settings are checked before AWS is asked, which may have to resolve their names. The
    account is confirmed and printed if they are to be changed.
    """
    checked = [validate_function(each) for each in settings_in_force(c).named(names)]
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
    functions: Sequence[Parameters], doing: str, act: Callable[[Parameters], object]
) -> None:
    _raise_failures(functions, [_try(each, doing, partial(act, each)) for each in functions])


def _try(function: Parameters, doing: str, act: Callable[[], _T]) -> _T | TasksAwsError:
    """Return the result of `act`, or its error; `doing` completes "Lambda could not …"."""
    try:
        with translating(function.name, doing):
            return act()
    except TasksAwsError as error:
        return error


def _raise_failures(functions: Sequence[Parameters], outcomes: Sequence[object]) -> None:
    failures = [
        (each.function.name, outcome)
        for each, outcome in zip(functions, outcomes, strict=True)
        if isinstance(outcome, TasksAwsError)
    ]
    raise_failures(failures, of=len(functions), what="failed")
