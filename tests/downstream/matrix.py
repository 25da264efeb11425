"""Write docs/reference/downstream.md: who each tool is after `assume`.

    invoke downstream [--only restic,osls] [--install]

Packages of PyPI and npm are installed once, into build/downstream, and those of Debian on the
machine, if this is root. A tool that cannot be had keeps its row. What the tools print is left in
build/downstream/runs.
"""

from __future__ import annotations

import argparse
import datetime
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from tasks_aws.packaging.python.installers import find_uv
from tests.downstream.lab import (
    ANONYMOUS,
    NONE,
    PROFILE,
    ROLE,
    SURROUNDINGS,
    WARNED,
    WAYS,
    cells,
    hindrance,
)
from tests.downstream.tools import CACHE, ROOT, TOOLS, Tool

PAGE = ROOT / "docs" / "reference" / "downstream.md"
LEGEND = {
    ROLE: "every request was signed with the session",
    PROFILE: "the profile that the tool names, without the role: it takes precedence over keys",
    NONE: "no request: the tool found no credentials, and said so",
    ANONYMOUS: "requests without a signature, which AWS refuses",
    WARNED: "the first keys in `~/.aws/credentials`; `assume --keep-fresh` warned of that",
}
INTRODUCTION = """\
# Tools and SDKs

Who other programs are after `assume`, and after `assume --keep-fresh`: what counts is the key that
signed each of their requests. The *laptop* has somebody else's keys in the profile `[default]` of
`~/.aws/credentials`. The *machine* has no such file, but a metadata service with a role of its own.
`invoke downstream` tries them and writes this page. A deployment ends where it would make changes.
[Recipes for other tools](../how-to/tools.md) say how to run them in tasks.
"""
MISSING = """\
## Not tried

The SDKs for .NET, PHP and Rust, the SDK for Java v2, Terraform's AWS provider, OpenTofu and Pulumi
are not to be had from PyPI, npm or Debian. `docker-credential-ecr-login` (SDK for Go v1) and
`git-remote-codecommit` (botocore) know no endpoint but AWS's own.
"""


def main() -> None:
    """Install the tools, run them, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="parts of names; other rows stay")
    parser.add_argument("--install", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    only = [each for each in arguments.only.lower().split(",") if each]
    tools = [each for each in TOOLS if not only or any(part in each.name.lower() for part in only)]
    install(tools)
    if arguments.install:
        return
    if reason := hindrance():
        sys.exit(reason)
    rows = {**written(), **try_out(tools)}
    PAGE.write_text(page([rows[tool.name] for tool in TOOLS if tool.name in rows]), "utf-8")
    print("\n".join(rows[tool.name] for tool in tools if tool.name in rows))


def install(tools: Iterable[Tool]) -> None:
    """Install what is not there yet, as far as it can be had."""
    environ = {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir}  # tests have another one
    missing = [tool for tool in tools if not tool.installed()]
    run = partial(subprocess.run, env=environ, stdout=subprocess.DEVNULL)
    debian = sorted({package for tool in missing for package in tool.apt})
    if debian and os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "update", "-qq"])
        for package in debian:
            run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])
    uv = find_uv(environ) or "uv"
    downloaded = [tool for tool in missing if tool.pip or tool.npm]
    for folder, tool in {tool.folder: tool for tool in downloaded}.items():
        if tool.pip:
            run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
            run([uv, "pip", "install", "--quiet", "--python", str(folder), *tool.pip])
        if tool.npm and shutil.which("npm"):
            words = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
            run([*words, "--prefix", str(folder), *tool.npm])


def try_out(tools: Sequence[Tool]) -> dict[str, str]:
    """Return a row for each of the tools that are here, by its name."""
    with ThreadPoolExecutor(2) as pool:
        versions = dict(zip(tools, pool.map(Tool.installed, tools), strict=True))
    present = [tool for tool, version in versions.items() if version]
    found = {each: cells(each, present, CACHE / "runs") for each in SURROUNDINGS}
    today = str(datetime.datetime.now(datetime.timezone.utc).date())
    return {
        tool.name: _row(
            (tool.name, versions[tool], today),
            (found[each][tool.name][way] for each in SURROUNDINGS for way in WAYS),
            (tool.advice,),
        )
        for tool in present
    }


def page(rows: Iterable[str]) -> str:
    """Return the page that has these rows."""
    ways = [" ".join(("assume", *words)) for words in WAYS.values()]
    columns = [f"{each}: `{way}`" for each in SURROUNDINGS for way in ways]
    heading = _row(("tool", "version", "tried"), columns, ("what to do",))
    line = "|---" * (len(columns) + 4) + "|"
    legend = [_row((cell, text)) for cell, text in LEGEND.items()]
    lines = [heading, line, *rows, "", "| cell | meaning |", "|---|---|", *legend]
    return "\n".join([INTRODUCTION, *lines, "", MISSING])


def written() -> dict[str, str]:
    """Return the rows of the page, by the name of the tool."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    rows = {cells_of(line)[0]: line for line in lines if line.startswith("| ")}
    return {tool.name: rows[tool.name] for tool in TOOLS if tool.name in rows}


def cells_of(row: str) -> list[str]:
    """Return the cells of a row of a table."""
    return [cell.strip() for cell in row.strip("|").split("|")]


def _row(*cells: Iterable[str]) -> str:
    return f"| {' | '.join(chain(*cells))} |"


if __name__ == "__main__":
    main()
