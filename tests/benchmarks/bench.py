"""How long a command line takes beside a rival in the same run: ratios, medians of several.

    python tests/benchmarks/bench.py [--rounds N]

Each round runs all commands of a comparison in turn, so that a machine that slows down slows
all of them down. A rival that is not installed is said to be missing; it is never a pass.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tasks_aws
from tests.strict_sts import StrictSts
from tests.support import Project, clean_environment

INVOKE = [sys.executable, "-m", "invoke"]
EMPTY = "from invoke import task\n@task\ndef noop(c): pass\n"
OURS = "from invoke import task\nfrom tasks_aws import *\n@task\ndef noop(c): pass\n"

# What people did before: assume the role with the AWS CLI, cut the answer with jq, export.
SCRIPT = """
set -e
answer=$(aws sts assume-role --profile dev --role-arn {role} --role-session-name alice \
    --endpoint-url {url} --region eu-central-1 --output json)
export AWS_ACCESS_KEY_ID=$(echo "$answer" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$answer" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$answer" | jq -r .Credentials.SessionToken)
"""


@dataclass(frozen=True)
class Command:
    """A command line, and what has to be done before each of its runs."""

    words: list[str]
    folder: Path
    environ: dict[str, str]
    before: Callable[[], object] = lambda: None

    def seconds(self) -> float:
        """Run it once."""
        self.before()
        start = time.perf_counter()
        subprocess.run(
            self.words, cwd=self.folder, env=self.environ, check=True, capture_output=True
        )
        return time.perf_counter() - start


def compare(name: str, goal: float, ours: Command, rival: Command, rounds: int) -> None:
    """Print the median of the ratios of each round."""
    for each in (ours, rival):
        each.seconds()
    pairs = [(ours.seconds(), rival.seconds()) for _ in range(rounds)]
    ratios = sorted(one / other for one, other in pairs)
    medians = [statistics.median(column) * 1000 for column in zip(*pairs, strict=True)]
    print(
        f"{name:<44} {statistics.median(ratios):.3f}  (goal {goal:.2f}; "
        f"{ratios[0]:.3f} to {ratios[-1]:.3f}; {medians[0]:.0f} ms beside {medians[1]:.0f} ms)"
    )


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {rounds} rounds\n")
    # As an installed package has it: invoke itself never writes bytecode.
    compileall.compile_dir(str(Path(tasks_aws.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory() as name, StrictSts() as sts:
        root = Path(name)
        projects = {}
        for kind, text in (("empty", EMPTY), ("ours", OURS)):
            folder = root / kind
            folder.mkdir()
            projects[kind] = Project(folder, root, clean_environment(root))
            projects[kind].tasks(text)
        ours, empty = projects["ours"], projects["empty"]
        key, role = sts.user_key(), sts.role("Deployer")
        ours.profile(
            "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-central-1"
        )
        ours.settings(profile="dev", role_arn=role.arn)
        environ = {**ours.environ, "AWS_ENDPOINT_URL": sts.url}

        def invoke(project: Project, *words: str, cold: bool = False) -> Command:
            cache = root / ".aws" / "cli"
            forget = (lambda: shutil.rmtree(cache, ignore_errors=True)) if cold else lambda: None
            return Command([*INVOKE, *words], project.folder, environ, forget)

        compare(
            "invoke --list / with an empty tasks.py",
            1.05,
            invoke(ours, "--list"),
            invoke(empty, "--list"),
            rounds,
        )
        compare(
            "invoke assume noop, cached / invoke noop",
            1.15,
            invoke(ours, "assume", "noop"),
            invoke(ours, "noop"),
            rounds,
        )
        if shutil.which("aws") and shutil.which("jq"):
            script = SCRIPT.format(role=role.arn, url=sts.url)
            compare(
                "invoke assume, cold / AWS CLI and three jq",
                0.75,
                invoke(ours, "assume", cold=True),
                Command(["bash", "-c", script], ours.folder, environ),
                rounds,
            )
        else:
            print("The AWS CLI or jq is missing: no comparison with the script.")


if __name__ == "__main__":
    main()
