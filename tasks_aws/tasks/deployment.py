"""From sources to functions: `clean`, `build`, `package`, `plan` and `deploy`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from .declare import FUNCTION, aws_task, listed

if TYPE_CHECKING:
    from ..config.functions import Function

_TARGET = "Name under aws.targets; repeatable. Default: where `assume` leads."


@aws_task(help={"function": FUNCTION}, iterable=["function"])
def clean(c: Context, function: Iterable[str] | None = None) -> None:
    """Remove build output and archives."""
    from ..auth.active import settings_in_force
    from ..packaging.build import clean as remove
    from ..ui.output import say

    settings = settings_in_force(c)
    functions = settings.named(function) if function else []
    for path in remove(functions, settings.project, everything=not function):
        say("clean", str(path.relative_to(settings.project)))


@aws_task(help={"function": FUNCTION}, iterable=["function"])
def build(c: Context, function: Iterable[str] | None = None) -> None:
    """Stage a function and its layers, with their dependencies."""
    from ..auth.active import settings_in_force
    from ..auth.environment import as_before_export
    from ..aws_lambda.layers import validate_layers
    from ..packaging.build import build as stage

    settings = settings_in_force(c)
    functions = list(_with_code(settings.named(function)))
    with as_before_export():
        for staged in (*validate_layers(settings, functions), *functions):
            stage(staged, settings.project, _runner(c))


@aws_task(help={"function": FUNCTION}, iterable=["function"])
def package(c: Context, function: Iterable[str] | None = None) -> None:
    """Build a function and its layers, and zip them, reproducibly."""
    from ..auth.active import settings_in_force
    from ..auth.environment import as_before_export
    from ..aws_lambda.layers import validate_layers
    from ..packaging.build import package as make
    from ..packaging.limits import check_together

    settings = settings_in_force(c)
    functions = list(_with_code(settings.named(function)))
    layers = validate_layers(settings, functions)
    with as_before_export():
        archives = {each.name: make(each, settings.project, _runner(c)) for each in layers}
        for each in functions:
            archive = make(each, settings.project, _runner(c))
            check_together(each.name, archive, {name: archives[name] for name in each.layer_names})


@aws_task(
    help={
        "function": FUNCTION,
        "target": _TARGET,
        "prune": "Count event source mappings that the settings do not name.",
        "exit_code": "Exit with 2 when there is something to do.",
        "show_values": "Show the values of environment variables.",
    },
    iterable=["function", "target"],
)
def plan(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    prune: bool = False,
    exit_code: bool = False,
    show_values: bool = False,
) -> None:
    """Show what `deploy` would change."""
    from ..commands.deployment import DeployOptions, plan_all

    options = DeployOptions(
        functions=listed(function), targets=listed(target), prune=prune, show_values=show_values
    )
    jobs = plan_all(c, options, _runner(c))
    if exit_code and not all(job.plan and job.plan.is_empty for job in jobs):
        raise Exit(code=2)


@aws_task(
    help={
        "function": FUNCTION,
        "target": _TARGET,
        "dry_run": "Show what would change, and change nothing.",
        "force": "Upload the code even when it is unchanged, and overwrite others' changes.",
        "prune": "Remove event source mappings that the settings do not name.",
        "show_values": "Show the values of environment variables in a dry run.",
        "parallel": "How many functions to change at once. Default: 16.",
    },
    iterable=["function", "target"],
)
def deploy(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    dry_run: bool = False,
    force: bool = False,
    prune: bool = False,
    show_values: bool = False,
    parallel: str = "16",
) -> None:
    """Package functions, and create or update them on Lambda.

    An unchanged function costs one read. Under invoke's own --dry nothing is changed either.
    """
    from ..collector import without_collector

    with without_collector():
        from ..commands.deployment import DeployOptions, deploy_all, plan_all
        from ..config.parsers import whole_number

    options = DeployOptions(
        functions=listed(function),
        targets=listed(target),
        force=force,
        prune=prune,
        show_values=show_values,
        parallel=whole_number(1, 16)(parallel, "--parallel"),
    )
    (plan_all if dry_run or c.config.run.dry else deploy_all)(c, options, _runner(c))


def _with_code(functions: list[Function]) -> Iterator[Function]:
    """Check the functions' settings, and pass over those whose code is a container image."""
    from ..aws_lambda.validation import validate_function
    from ..ui.output import say

    for each in functions:
        if validate_function(each).image:
            say("package", f"{each.name}  is a container image, there is nothing to package")
        else:
            yield each


def _runner(c: Context) -> Callable[[str, Path, dict[str, str]], None]:
    """Return what runs a build command through invoke; its output goes to stderr."""

    def run(command: str, folder: Path, environ: dict[str, str]) -> None:
        with c.cd(str(folder)):
            # Also under --dry, which is for what happens on AWS: a plan needs what is built.
            c.run(command, env=environ, in_stream=False, out_stream=sys.stderr, dry=False)

    return run
