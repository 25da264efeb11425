"""What tasks need for the functions and layers in the settings, and what explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from ..auth.partitions import partition_of
from ..auth.request import region_in_force
from ..aws_lambda.iam_actions import TASKS, Subject, TaskName
from ..aws_lambda.iam_policy import Permission, list_permissions
from ..aws_lambda.lookups import fill_in_locally
from ..config.functions import Function, Layer
from ..config.settings import Settings
from ..errors import SettingsError, TasksAwsError
from .trust import account_of, accounts_of_roles

# What deletes functions or what others have attached, and what looks around, is only allowed if it
# is asked for.
DEPLOYING = [each for each in TASKS if each not in ("deploy --prune", "destroy", "init")]


def place_of(settings: Settings, functions: Iterable[Function]) -> tuple[str, str]:
    """Return the account and the region that `policy` prints policies for.

    The account is that of the settings, of the role to assume, or else of all execution roles.
    """
    region = region_in_force(settings)
    if settings.account_id:
        return settings.account_id, region
    own = settings.role_arn and account_of(settings.role_arn)
    found = {*filter(None, [own])} if settings.role_arn else accounts_of_roles(functions)
    if len(found) != 1:
        raise SettingsError(
            "Cannot tell which account the policy is for.",
            why="Neither `aws.account_id` nor `aws.role_arn` is set, and the roles of the "
            f"functions name {'several accounts' if found else 'none'}.",
            fix='Set `aws.account_id`, such as account_id: "123456789012".',
        )
    return found.pop(), region


def explain_place(read: Callable[[], Settings], account: str, region: str) -> str:
    """Return a sentence, after a space, on the place that `policy` is for if this is another one.

    An option of `assume` leads to another one than the settings that are read say.
    """
    with suppress(TasksAwsError):
        settings = read()
        place, here = place_of(settings, settings.functions.values()), (account, region)
        if account and place != here:
            return (
                f" It prints that for {', '.join(place)}, as in the settings: the role needs the "
                f"same for {', '.join(here)}."
            )
    return ""


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
