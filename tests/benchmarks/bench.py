"""How fast we are beside a rival in the same run: ratios, medians of several rounds.

    invoke bench [--only identity|packaging|deploying] [--rounds N]

A module of comparisons has a function `groups`, which yields those that share a setting.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
from pathlib import Path

import tasks_aws
from tests.benchmarks import deploying, identity, packaging
from tests.benchmarks.measure import HEADING, measure

MODULES = {
    "identity": identity.groups,
    "packaging": packaging.groups,
    "deploying": deploying.groups,
}
CACHE = Path(__file__).parents[2] / "build" / "bench"


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODULES)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, Python "
        f"{platform.python_version()}, {arguments.rounds} rounds\n\n{HEADING}"
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    # As an installed package has it: invoke itself never writes bytecode.
    compileall.compile_dir(str(Path(tasks_aws.__file__).parent), quiet=1)
    for name, groups in MODULES.items():
        if arguments.only in (None, name):
            for group in groups(CACHE):
                for line in measure(group, arguments.rounds):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
