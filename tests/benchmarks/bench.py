"""How fast we are beside rivals in the same run: ratios, medians of several rounds.

    invoke bench [--only identity|packaging|deploying] [--rounds N] [--rtt MS]
                 [--plot FILE.svg] [--dashboard FILE.md]

A module of comparisons has a function `groups`, which yields those that share a setting. The
rivals from PyPI and npm are installed once, into build/, and ours each time; zip, 7z and jq are the
system's. At the end it says of each goal whether it was met. A rival that is missing is skipped,
and one that fails has failed: neither is ever a pass.
"""

from __future__ import annotations

import argparse
import compileall
import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tasks_aws
from tasks_aws.packaging.python.installers import find_uv
from tests.benchmarks import deploying, distance, identity, packaging
from tests.benchmarks.measure import (
    CACHE,
    HEADING,
    PYTHON,
    Comparison,
    Result,
    format_goals,
    measure,
)

MODULES = {
    "identity": identity.groups,
    "packaging": packaging.groups,
    "deploying": deploying.groups,
}
RIVALS = ("awscli", "awsume", "aws-sam-cli", "chalice")
RIVALS_FROM_NPM = ("osls",)
DASHBOARD = re.compile(r"(?<=<!-- invoke bench -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODULES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--dashboard", type=Path, help="file whose table is replaced")
    parser.add_argument("--rtt", type=int, default=0, help="round-trip time, such as 60 or 200 ms")
    arguments = parser.parse_args()
    distance.round_trip_seconds = arguments.rtt / 1000
    CACHE.mkdir(parents=True, exist_ok=True)
    uv = find_uv(os.environ) or "uv"
    _install_ours(uv)
    _install_rivals(uv)
    # As an installed package has it: invoke itself never writes bytecode.
    compileall.compile_dir(str(Path(tasks_aws.__file__).parent), quiet=1)
    machine = (
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {platform.system()}, Python "
        f"{platform.python_version()}, {arguments.rounds} rounds, TLS, {arguments.rtt} ms away"
    )
    print(f"{machine}\n\n{HEADING}")
    outcomes = list(_outcomes(arguments.only, arguments.rounds))
    print(f"\n{(goals := format_goals(outcomes))}")
    if arguments.dashboard:
        text = f"{datetime.date.today()}, {machine}:\n\n{goals}\n"  # as read here
        path: Path = arguments.dashboard
        path.write_text(DASHBOARD.sub(lambda _: text, path.read_text("utf-8")), "utf-8")
    if arguments.plot:
        from tests.benchmarks.plot import plot

        plot([each for each in outcomes if isinstance(each, Result)], arguments.plot)


def _install_ours(uv: str) -> None:
    environment, project = Path(PYTHON).parents[1], Path(__file__).parents[2]
    making = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)]
    subprocess.run(making, check=True)
    installing = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", PYTHON]
    subprocess.run([*installing, "--editable", f"{project}[uv]"], check=True)


def _install_rivals(uv: str) -> None:
    tools = {"UV_TOOL_DIR": str(CACHE / "tools"), "UV_TOOL_BIN_DIR": str(CACHE / "bin")}
    for rival in RIVALS:
        if not (CACHE / "tools" / rival).exists():
            words = [uv, "tool", "install", "--quiet", "--compile-bytecode", rival]
            subprocess.run(words, env={**os.environ, **tools}, check=True)
    programs = CACHE / "npm" / "node_modules" / ".bin"
    if shutil.which("npm") and not programs.exists():
        words = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run([*words, "--prefix", str(CACHE / "npm"), *RIVALS_FROM_NPM], check=True)
    folders = (str(CACHE / "bin"), str(programs), os.environ["PATH"])
    os.environ["PATH"] = os.pathsep.join(folders)


def _outcomes(only: str | None, rounds: int) -> Iterator[Result | tuple[Comparison, str]]:
    """Yield the result of each comparison, or why it has none."""
    groups = [groups(CACHE) for name, groups in MODULES.items() if only in (None, name)]
    for group in (group for each in groups for group in each):
        present = [each for each in group if not each.missing]
        for each in group:
            if each.missing:
                print(f"{each.name:<46} skipped, for want of {', '.join(each.missing)}")
                yield each, "skipped"
        try:
            for result in measure(present, rounds):
                print(result, flush=True)
                yield result
        except subprocess.CalledProcessError as error:
            print(f"{error}\n{(error.stderr or b'').decode()[-2000:]}", file=sys.stderr)
            for each in present:
                yield each, "failed"


if __name__ == "__main__":
    main()
