"""How fast we are beside rivals in the same run: ratios, medians of several rounds.

    invoke bench [--only identity|packaging|deploying] [--rounds N] [--rtt MS] [--plot FILE.svg]

A module of comparisons has a function `groups`, which yields those that share a setting. The
rivals from PyPI are installed once, each into an environment of its own; zip, 7z, jq and npm are
the system's. A rival that is missing is said to be, which is never a pass.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import tasks_aws
from tasks_aws.packaging.python.installers import find_uv
from tests.benchmarks import deploying, distance, identity, packaging
from tests.benchmarks.measure import HEADING, Result, measure

MODULES = {
    "identity": identity.groups,
    "packaging": packaging.groups,
    "deploying": deploying.groups,
}
RIVALS = ("awscli", "awsume", "aws-sam-cli", "chalice")
CACHE = Path(__file__).parents[2] / "build" / "bench"


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODULES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--rtt", type=int, default=0, help="round-trip time, such as 60 or 200 ms")
    arguments = parser.parse_args()
    distance.round_trip_seconds = arguments.rtt / 1000
    CACHE.mkdir(parents=True, exist_ok=True)
    _install_rivals()
    # As an installed package has it: invoke itself never writes bytecode.
    compileall.compile_dir(str(Path(tasks_aws.__file__).parent), quiet=1)
    machine = (
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python "
        f"{platform.python_version()}, {arguments.rounds} rounds, TLS, {arguments.rtt} ms away"
    )
    print(f"{machine}\n\n{HEADING}")
    results = list(_results(arguments.only, arguments.rounds))
    if arguments.plot:
        from tests.benchmarks.plot import plot

        plot(results, machine, arguments.plot)


def _install_rivals() -> None:
    uv = find_uv(os.environ) or "uv"
    tools = {"UV_TOOL_DIR": str(CACHE / "tools"), "UV_TOOL_BIN_DIR": str(CACHE / "bin")}
    for rival in RIVALS:
        if not (CACHE / "tools" / rival).exists():
            words = [uv, "tool", "install", "--quiet", "--compile-bytecode", rival]
            subprocess.run(words, env={**os.environ, **tools}, check=True)
    os.environ["PATH"] = f"{CACHE / 'bin'}{os.pathsep}{os.environ['PATH']}"


def _results(only: str | None, rounds: int) -> Iterator[Result]:
    for name, groups in MODULES.items():
        if only in (None, name):
            for group in groups(CACHE):
                for each in group:
                    if each.missing:
                        print(
                            f"{each.name:<44} not measured, for want of {', '.join(each.missing)}"
                        )
                for result in measure([each for each in group if not each.missing], rounds):
                    print(result, flush=True)
                    yield result


if __name__ == "__main__":
    main()
