"""What the tasks `clean`, `build` and `package` do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

from invoke.config import Config
from invoke.context import Context

from ..auth.active import settings_in_force
from ..auth.environment import users_environment
from ..config.functions import Function, Layer
from ..config.shards import WHOLE, Shard
from ..errors import PackageError, TasksAwsError, raise_failures
from ..packaging.archive import Archive
from ..packaging.build import build, clean, package
from ..packaging.limits import check_together
from ..packaging.workspace import CommandFailedError, Workspace
from ..process.garbage_collection import paused_collection
from ..ui.in_order import print_line, run_in_order
from ..ui.output import format_duration, say
from ..ui.progress import DISPLAY
from .selection import Selection, say_what_is_selected, select

L = TypeVar("L", bound=Layer)
T = TypeVar("T")

_STDERR = 2  # not `sys.stderr`, which a notebook replaces by an object without a file


def clean_all(c: Context, names: Sequence[str]) -> None:
    """Remove what was built for these functions, or everything that was built."""
    settings = settings_in_force(c)
    functions = settings.named(names) if names else []
    dry = c.config.run.dry
    for path in clean(functions, settings.project, everything=not names, dry=dry):
        say("clean", f"{'would remove ' if dry else ''}{path.relative_to(settings.project)}")


def build_all(c: Context, names: Sequence[str]) -> None:
    """Stage functions and their layers. Raises the error of one, or one for all that failed."""
    settings = settings_in_force(c)
    selection = select(settings, names)
    workspace = workspace_of(c, settings.project)
    with workspace.shared.run():
        _try_each(selection, lambda each: build(each, workspace), "could not be built")


@paused_collection()
def package_all(
    c: Context, names: Sequence[str], shard: Shard = WHOLE, *, report: bool = False
) -> None:
    """Zip a shard of functions and their layers; with `report`, write a page about each archive.

    Raises the error of one, or one for all that failed.
    """
    settings = settings_in_force(c)
    selection = select(settings, names, shard)
    say_what_is_selected(selection)
    package_functions(c, selection, report=report)


def package_functions(
    c: Context, selection: Selection, *, report: bool = False
) -> dict[Function, list[Archive]]:
    """Zip functions and their layers; return each function's archive, followed by its layers'.

    Raises the error of one, or one for all that failed.
    """
    workspace = workspace_of(c, selection.settings.project)
    of_layers: dict[str, Archive] = {}
    archives: dict[Function, list[Archive]] = {}

    def package_one(each: Layer) -> None:
        if not isinstance(each, Function):
            of_layers[each.name] = package(each, workspace, report=report)
            return
        if failed := [name for name in each.layer_names if name not in of_layers]:
            raise PackageError(
                f"{each.label} was not packaged.",
                why=f"It needs {', '.join(f'layer {name}' for name in failed)}, which failed.",
            )
        own = {name: of_layers[name] for name in each.layer_names}
        archive = package(each, workspace, [*own.values()], report=report)
        check_together(each.name, archive, own)
        archives[each] = [archive, *own.values()]

    with workspace.shared.run():
        _try_each(selection, package_one, "could not be packaged")
    return archives


def _try_each(selection: Selection, action: Callable[[Layer], object], failed: str) -> None:
    """Do something with each layer, then with each function; one failure hides no other."""
    layers, functions = selection.layers, selection.zipped
    for each, parameters in selection.functions.items():
        if parameters.image:
            say("package", f"{each.name}  is a container image: nothing to package")
    outcomes = [*do_with_each(layers, action), *do_with_each(functions, action)]
    labels = [each.label for each in (*layers, *functions)]
    things = "functions and layers" if layers else "functions"
    raise_failures(zip(labels, outcomes, strict=True), what=failed, things=things)


def do_with_each(
    functions: Sequence[L], action: Callable[[L], T], *, brief: bool = False
) -> list[T | TasksAwsError]:
    """Do something with functions or layers at once; return the results, or errors, in order.

    With `brief`, steps that went well leave no line. One with build commands has to itself what
    they may read and write: the project.
    """
    calls: list[Callable[[], T]] = [partial(action, each) for each in functions]
    if len(calls) > 1:
        alone = [bool(each.build) for each in functions]
        calls = [each.result for each in run_in_order(calls, alone, brief=brief)]
    return [_outcome(each) for each in calls]


def _outcome(call: Callable[[], T]) -> T | TasksAwsError:
    try:
        return call()
    except TasksAwsError as error:
        return error


def workspace_of(c: Context, project: Path) -> Workspace:
    """Return the workspace of a project, whose builds run without the session of `assume`.

    Build commands run in the shell that invoke uses (`run.shell`), also with ``--dry``, which is
    about AWS: a plan needs the archives. With ``--echo`` their output is shown as it comes.
    """

    def run(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        # Not `c.run`: it changes to a folder by a `cd` in the command, which some paths break, and
        # which holds for the first part of `a & b` alone.
        with DISPLAY.hide() if c.config.run.echo else nullcontext():
            if c.config.run.echo:
                print_line(command)
            _run_in_shell(command, folder=folder, environ=environ, config=c.config)

    return Workspace(project=project, environ=users_environment(), run=run)


def _run_in_shell(
    command: str, *, folder: Path, environ: Mapping[str, str], config: Config
) -> None:
    limit = config.timeouts.command  # from a variable it is a string
    try:
        done = subprocess.run(  # noqa: S602  # the setting is a command of the shell
            command,
            shell=True,
            executable=config.run.shell,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR if config.run.echo else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=float(limit) if limit else None,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"did not end within {format_duration(error.timeout)}"
        raise CommandFailedError(reason, _decode(error.output)) from error
    except OSError as error:
        reason = f"could not be run by {config.run.shell}: {error.strerror}"
        raise CommandFailedError(reason) from error
    if done.returncode < 0:
        raise CommandFailedError(f"was ended by signal {-done.returncode}", _decode(done.stdout))
    if done.returncode:
        reason = f"failed with exit code {done.returncode}"
        raise CommandFailedError(reason, _decode(done.stdout))


def _decode(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")
