"""What the tasks `clean`, `build` and `package` do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from invoke.context import Context

from ..auth.active import settings_in_force
from ..auth.environment import environment_before_assume
from ..aws_lambda.layers import validate_layers
from ..aws_lambda.validation import validate_function
from ..config.functions import Function
from ..packaging.build import build, clean, package
from ..packaging.limits import check_together
from ..packaging.workspace import Workspace
from ..ui.output import say


def clean_all(c: Context, names: Sequence[str]) -> None:
    """Remove what was built for these functions, or everything that was built."""
    settings = settings_in_force(c)
    functions = settings.named(names) if names else []
    for path in clean(functions, settings.project, everything=not names):
        say("clean", str(path.relative_to(settings.project)))


def build_all(c: Context, names: Sequence[str]) -> None:
    """Stage functions and their layers."""
    settings = settings_in_force(c)
    functions = list(_with_code(settings.named(names)))
    workspace = workspace_of(c, settings.project)
    for each in (*validate_layers(settings, functions), *functions):
        build(each, workspace)


def package_all(c: Context, names: Sequence[str]) -> None:
    """Zip functions and their layers."""
    settings = settings_in_force(c)
    functions = list(_with_code(settings.named(names)))
    layers = validate_layers(settings, functions)
    workspace = workspace_of(c, settings.project)
    archives = {each.name: package(each, workspace) for each in layers}
    for each in functions:
        own = {name: archives[name] for name in each.layer_names}
        check_together(each.name, package(each, workspace, [*own.values()]), own)


def workspace_of(c: Context, project: Path) -> Workspace:
    """Return the workspace of a project, whose builds run without the session of `assume`.

    Build commands run through invoke; their output goes to stderr.
    """

    def run(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        with c.cd(str(folder)):
            c.run(
                command,
                env=environ,
                replace_env=True,
                in_stream=False,
                out_stream=sys.stderr,
                dry=False,  # --dry is about AWS: a plan needs the archives
            )

    return Workspace(project=project, environ=environment_before_assume(), run=run)


def _with_code(functions: list[Function]) -> Iterator[Function]:
    """Check the functions' settings, and skip those whose code is a container image."""
    for each in functions:
        if validate_function(each).image:
            say("package", f"{each.name}  is a container image: nothing to package")
        else:
            yield each
