"""How builds run: through invoke, and without the assumed session."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from invoke.context import Context

from ..auth.environment import environment_before_assume
from ..packaging.workspace import Workspace


def workspace_of(c: Context, project: Path) -> Workspace:
    """Return the workspace of a project; the output of its build commands goes to stderr."""

    def run(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        with c.cd(str(folder)):
            c.run(
                command,
                env=environ,
                replace_env=True,
                in_stream=False,
                out_stream=sys.stderr,
                dry=False,  # --dry applies to AWS: a plan needs the archives
            )

    return Workspace(project=project, environ=environment_before_assume(), run=run)
