"""Deployment, from sources to functions: `clean`, `build`, `package`, `plan` and `deploy`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invoke.config import Config
from invoke.context import Context

from ..errors import SettingsError, refuse_beside
from ..process.importing import own_imports
from .decorator import FUNCTION_HELP, JSON_HELP, SHARD_HELP, TARGETS_HELP, as_names, aws_task

if TYPE_CHECKING:
    from ..results import Deployment

__all__ = ["build", "clean", "deploy", "package", "plan"]


@aws_task(help={"function": FUNCTION_HELP}, iterable=["function"])
def clean(c: Context, function: Iterable[str] | None = None) -> None:
    """Remove build output and archives."""
    with own_imports():
        from ..commands.packaging import clean_all

    clean_all(c, as_names(function))


@aws_task(help={"function": FUNCTION_HELP}, iterable=["function"])
def build(c: Context, function: Iterable[str] | None = None) -> None:
    """Stage functions and their layers, with their dependencies."""
    with own_imports():
        from ..commands.packaging import build_all

    build_all(c, as_names(function))


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "shard": SHARD_HELP,
        "report": "Write a page about each archive: what takes up the space, and what is imported",
    },
    iterable=["function"],
)
def package(
    c: Context,
    function: Iterable[str] | None = None,
    shard: str = "1/1",
    report: bool = False,
) -> None:
    """Build functions and their layers, and zip them reproducibly."""
    with own_imports():
        from ..commands.packaging import package_all
        from .options import parse

    package_all(c, as_names(function), parse("shard", shard), report=report)


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "shard": SHARD_HELP,
        "prune": "Include the removal of what is attached and not in the settings",
        "exit_code": "Exit with 2 if there are changes",
        "show_values": "Show the values of environment variables",
        "json": JSON_HELP,
    },
    iterable=["function", "target"],
)
def plan(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    shard: str = "1/1",
    prune: bool = False,
    exit_code: bool = False,
    show_values: bool = False,
    json: bool = False,
) -> list[Deployment]:
    """Show what `deploy` would change."""
    with own_imports():
        from ..commands.deployment import DeployOptions, plan_all
        from .options import parse

    options = DeployOptions(
        functions=as_names(function),
        targets=as_names(target),
        shard=parse("shard", shard),
        prune=prune,
        exit_code=exit_code,
        show_values=show_values,
        json=json,
    )
    return plan_all(c, options)


def _check_deploy(
    config: Config,
    *,
    target: str | Iterable[str] | None,
    shard: str,
    dry_run: bool,
    force: bool,
    prune: bool,
    show_values: bool,
    json: bool,
    watch: bool,
    **others: Any,
) -> None:
    if watch:
        with own_imports():
            from ..config.shards import WHOLE
            from .options import parse

        refused = {
            "--dry": config.run.dry,
            "--dry-run": dry_run,
            "--force": force,
            "--json": json,
            "--prune": prune,
            "--shard": parse("shard", shard) != WHOLE,
            "--show-values": show_values,
        }
        why = "`--watch` updates code and configuration again and again, and nothing else."
        refuse_beside("--watch", refused, why=why)
        if len(set(as_names(target))) > 1:
            raise SettingsError(
                "`--watch` takes one target.",
                fix="Start it for each target, in terminals of their own.",
            )
    if show_values and not (dry_run or json or config.run.dry):
        raise SettingsError(
            "`--show-values` needs `--dry-run` or `--json`.",
            why="Without them, `deploy` prints no values.",
        )


@aws_task(
    help={
        "function": FUNCTION_HELP,
        "target": TARGETS_HELP,
        "shard": SHARD_HELP,
        "dry_run": "Show the plan without changing anything",
        "force": "Upload unchanged code, too, and overwrite changes made by others",
        "prune": "List and remove what is attached but not in the settings",
        "yes": "Do not ask before --prune removes, nor where a target is protected",
        "show_values": "Show the values of environment variables in a dry run, or with --json",
        "json": JSON_HELP,
        "parallel": "How many functions to change at once [default: 16]",
        "watch": "Deploy code and configuration to $LATEST, again at each save, and print the log, "
        "until Ctrl-C",
    },
    iterable=["function", "target"],
    check=_check_deploy,
)
def deploy(
    c: Context,
    function: Iterable[str] | None = None,
    target: Iterable[str] | None = None,
    shard: str = "1/1",
    dry_run: bool = False,
    force: bool = False,
    prune: bool = False,
    yes: bool = False,
    show_values: bool = False,
    json: bool = False,
    parallel: str = "16",
    watch: bool = False,
) -> list[Deployment]:
    """Package functions, and create or update them on Lambda.

    An up-to-date function costs one API call. Under invoke's own --dry,
    nothing on AWS changes.
    """
    with own_imports():
        from ..commands.deployment import DeployOptions, deploy_all, plan_all
        from .options import parse

    options = DeployOptions(
        functions=as_names(function),
        targets=as_names(target),
        shard=parse("shard", shard),
        force=force,
        prune=prune,
        yes=yes,
        show_values=show_values,
        json=json,
        parallel=parse("parallel", parallel),
    )
    if watch:
        with own_imports():
            from ..commands.watch import watch_all

        watch_all(c, options)
        return []
    return (plan_all if dry_run or c.config.run.dry else deploy_all)(c, options)
