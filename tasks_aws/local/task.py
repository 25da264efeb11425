"""The task `local`, and its options."""

from __future__ import annotations

from invoke.context import Context

from ..errors import SettingsError
from ..process.importing import own_imports
from ..tasks.decorator import aws_task


@aws_task(
    help={
        "keep": "Keep what is in it for the next `local --keep`",
        "reset": "Forget what is kept",
        "policy": "File with the policy to try, instead of what `policy` prints",
    }
)
def local(c: Context, keep: bool = False, reset: bool = False, policy: str | None = None) -> None:
    """Replace AWS by an emulator for the tasks that follow.

    It starts MiniStack with permissions enforced, and makes there what
    the settings name: the users of profiles, roles, buckets, queues,
    parameters, secrets. Without --keep it ends with the command line.
    """
    with own_imports():
        from .rehearsal import begin, forget

    is_all = reset and not keep and _is_last()
    if is_all and policy is not None:
        raise SettingsError(
            "`--policy` has no effect after `--reset`: nothing follows that would need it.",
            fix="Leave it out, or add the tasks to try.",
        )
    if reset:
        forget(c)
    if is_all:
        return
    begin(c, keep=keep, policy=policy)


def _is_last() -> bool:
    """Return whether no task follows on the command line of invoke."""
    with own_imports():
        from ..ui.program import running_program

    program = running_program()
    if not (program and program.tasks):
        return False
    return program.collection[program.tasks[-1].name].body is local.body
