"""What tasks need for the functions and layers in the settings, and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from ..auth.partitions import partition_of
from ..aws_lambda.iam_actions import TASKS, Subject, TaskName
from ..aws_lambda.iam_policy import Permission, list_permissions
from ..aws_lambda.lookups import fill_in_locally
from ..config.functions import Layer
from ..config.settings import Settings

# What deletes functions or what others have attached, and what looks around, is only allowed if it
# is asked for.
DEPLOYING = [each for each in TASKS if each not in ("deploy --prune", "destroy", "init")]


def list_needed(
    described: Iterable[Layer], account: str, region: str, tasks: Sequence[TaskName]
) -> Iterator[Permission]:
    """Yield what tasks need for functions and layers of an account and region."""
    for each in described:
        subject = Subject(
            layer=fill_in_locally(each, account_id=account, region=region),
            partition=partition_of(region),
            region=region,
            account_id=account,
        )
        yield from list_permissions(each, subject, tasks)


def explain_action(
    action: str, settings: Settings, account: str, region: str, *, command: str | None
) -> str:
    """Return a sentence, after a space, with the command that says what needs an action.

    It is empty if `policy` does not print the action for these settings. `command` runs `policy`;
    None if tasks.py does not have it.
    """
    functions = [*settings.functions.values()]
    for tasks in (DEPLOYING, *([each] for each in TASKS if each not in DEPLOYING)):
        for described in (*functions, *settings.layers_of(functions)):
            # What is wrong with another function is no part of the error that is explained.
            with suppress(Exception):
                needed = list_needed([described], account, region, tasks)
                if any(each.action == action for each in needed):
                    return _explanation(command, tasks, settings.target)
    return ""


def _explanation(command: str | None, tasks: Sequence[TaskName], target: str | None) -> str:
    task = f"--task {tasks[0]!r}" if " " in tasks[0] else f"--task {tasks[0]}"
    words = [
        *([] if tasks == DEPLOYING else [task]),
        *([f"--target {target}"] if target else []),
        "--explain",
    ]
    line = " ".join([command or "invoke policy", *words])
    imported = "" if command else ", once tasks.py imports `policy`,"
    return f" `{line}`{imported} says which setting needs it."
