"""What the tasks for functions that exist do: each is done with every function that is named.

One that fails hides no other: what went wrong is raised when all are done.
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
from ..aws_lambda.invocation import failed, run
from ..aws_lambda.logs import Log
from ..aws_lambda.lookups import resolve_name
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.validation import validate_function
from ..errors import FunctionError, SettingsError, TasksAwsError, raise_failures
from ..ui.output import print_diff, print_table, say, warn
from ..ui.prompt import ask, has_terminal
from .clients import active_account
from .jobs import check_account

T = TypeVar("T")

_KEPT_VERSIONS = 5  # by `prune`, where neither the option nor the settings say
_PAUSE_SECONDS = 1  # between two looks at a log


def show_status(c: Context, names: Iterable[str] | None, *, json: bool) -> None:
    """Print what there is of each function on stdout."""
    functions, where = _named_at(active_account, c, names)
    with ThreadPoolExecutor(PARALLEL) as pool:
        read = [partial(status.read_status, each, where) for each in functions]
        outcomes = list(pool.map(_attempt, functions, repeat("show"), read))
    found = [each for each in outcomes if isinstance(each, status.Status)]
    if json:
        print(status.format_json(found))
    elif found:
        print_table(status.HEADER, map(status.format_row, found), result=True)
    _raise_failures(functions, outcomes)


def run_all(
    c: Context,
    names: Iterable[str] | None,
    payload: bytes,
    *,
    qualifier: str | None,
    asynchronous: bool,
) -> None:
    """Run each function; its answer goes to stdout, its log to stderr."""
    functions, where = _named_at(active_account, c, names)

    def invoke(each: Parameters) -> None:
        version = qualifier or each.function.alias
        if c.config.run.dry:
            say("invoke", f"would run {each.name}{f', {version}' if version else ''}")
            return
        answer = run(
            each.name,
            where,
            payload=payload,
            qualifier=version,
            asynchronous=asynchronous,
        )
        if answer.log:
            print(answer.log.rstrip("\n"), file=sys.stderr, flush=True)
        if answer.payload:
            print(answer.payload, flush=True)
        if answer.error:
            raise failed(each.name, answer)
        if asynchronous:
            say("invoke", f"{each.name}  is queued")

    _for_each(functions, "invoke", invoke)


def print_logs(
    c: Context,
    names: Iterable[str] | None,
    *,
    seconds: int,
    pattern: str | None,
    timestamps: bool,
    follow: bool,
) -> None:
    """Print the logs of the last so many seconds on stdout, and until Ctrl-C what is added."""
    functions, where = _named_at(active_account, c, names)
    since, width = time.time() - seconds, max(len(each.name) for each in functions)
    logs = [
        Log(
            parameters=each,
            account=where,
            since=since,
            pattern=pattern,
            prefix=f"{each.name:<{width}}  " if len(functions) > 1 else "",
            timestamps=timestamps,
        )
        for each in functions
    ]
    outcomes: list[TasksAwsError | None] = [None] * len(logs)
    try:
        while True:
            for index, log in enumerate(logs):
                if outcomes[index]:  # one that failed is not looked at again
                    continue
                outcomes[index] = _attempt(log.parameters, "read the log of", log.print_new)
                if outcomes[index] and follow and len(logs) > 1:
                    warn(f"{outcomes[index]}\n  The others are followed.")
            sys.stdout.flush()
            if not follow or all(outcomes):
                break
            time.sleep(_PAUSE_SECONDS)
    except KeyboardInterrupt:
        pass  # how following ends
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _raise_failures(functions, outcomes)


def roll_back_all(c: Context, names: Iterable[str] | None, *, to: str | None) -> None:
    """Point the alias of each function back at the version before, or at another."""
    functions, where = _named_at(_account_to_change, c, names)

    def roll_back(each: Parameters) -> None:
        planned = versions.plan_rollback(each, where, to=to)
        path = f"{each.name}  {planned.alias}: version {planned.version} -> {planned.to}"
        if c.config.run.dry:
            say("rollback", f"{path}, if this were no dry run")
        else:
            versions.roll_back(planned, where)
            say("rollback", path)

    _for_each(functions, "roll back", roll_back)


def prune_all(c: Context, names: Iterable[str] | None, *, keep: int | None, yes: bool) -> None:
    """Delete the old versions of each function that nothing uses, once the user has agreed."""
    _need_consent(c, "prune", yes=yes)
    functions, where = _named_at(_account_to_change, c, names)

    def prune(each: Parameters) -> None:
        kept = keep or each.function.keep_versions or _KEPT_VERSIONS
        old = versions.superfluous(each.name, where, keep=kept)
        if not old:
            say("prune", f"{each.name}  has no version to delete, with {kept} kept")
            return
        what = f"versions {', '.join(map(str, old))} of {each.name}"
        if c.config.run.dry:
            say("prune", f"would delete {what}")
        elif yes or ask(f"Delete {what}? [y/N] ").lower() in ("y", "yes"):
            versions.delete_versions(each.name, old, where)
        else:
            say("prune", f"{each.name}  all versions stay")

    _for_each(functions, "prune", prune)


def destroy_all(c: Context, names: Iterable[str] | None, *, yes: bool) -> None:
    """Delete each function, once the user has typed its name."""
    _need_consent(c, "destroy", yes=yes)
    functions, where = _named_at(_account_to_change, c, names)

    def delete(each: Parameters) -> None:
        found = destroy.doomed(each.name, where)
        if found is None:
            say("destroy", f"{each.name}  is not there")
            return
        dry = c.config.run.dry
        say("destroy", f"{each.name}  {'would' if dry else 'will'} be deleted, with its")
        print_diff(found.lines())
        if dry:
            return
        if not yes and ask(f"Type {each.name} to delete it: ") != each.name:
            raise FunctionError(f"{each.name} was not deleted: its name was not typed.")
        destroy.destroy(found, where)
        say("destroy", f"{each.name}  is gone; its log stays in {each.log_group}")

    _for_each(functions, "delete", delete)


def _named_at(
    find_account: Callable[[Context], Account], c: Context, names: Iterable[str] | None
) -> tuple[list[Parameters], Account]:
    """Return the functions of these names, or all of them, and where they are.

    They are checked before AWS is asked, which then may have to give their names.
    """
    found = [validate_function(each) for each in settings_in_force(c).named(names)]
    where = find_account(c)
    return [replace(each, name=resolve_name(each.function, where)) for each in found], where


def _account_to_change(c: Context) -> Account:
    """Return where `assume` leads, and say it once AWS has confirmed the account."""
    where = active_account(c)
    check_account(where)
    return where


def _need_consent(c: Context, task: str, *, yes: bool) -> None:
    """Refuse to wait for an answer that nobody can give."""
    if not (yes or c.config.run.dry or has_terminal()):
        raise SettingsError(
            f"`{task}` asks before it deletes, and there is no terminal to ask on.",
            fix="Pass --yes if you are sure.",
        )


def _for_each(
    functions: Sequence[Parameters], doing: str, act: Callable[[Parameters], object]
) -> None:
    _raise_failures(functions, [_attempt(each, doing, partial(act, each)) for each in functions])


def _attempt(function: Parameters, doing: str, act: Callable[[], T]) -> T | TasksAwsError:
    """Return what came of it, or the error; `doing` completes "Lambda could not …"."""
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
