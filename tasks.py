"""Our own chores: `invoke check`, `fix`, `build`, `bench` and `compat`."""

import os
import shlex
import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task


@task
def lint(c: Context) -> None:
    """Check format, lint, types and layers."""
    c.run("ruff format --check .")
    c.run("ruff check .")
    c.run("mypy")
    with c.cd("sample_project"):
        c.run("mypy --config-file ../pyproject.toml .")
    c.run("lint-imports")


@task(pre=[lint])
def check(c: Context) -> None:
    """Check everything: what `lint` does, and the tests with their coverage."""
    c.run("pytest --cov --cov-report=term")


@task
def fix(c: Context) -> None:
    """Format, and mend what the linter can mend."""
    c.run("ruff check --fix .")
    c.run("ruff format .")


@task
def build(c: Context) -> None:
    """Build the wheel, and import it in a fresh environment."""
    c.run("python -m build --outdir dist .")
    c.run("python -m venv --clear build/venv && build/venv/bin/pip install -q dist/*.whl")
    c.run("cd build && venv/bin/python -c 'import tasks_aws; print(tasks_aws.__version__)'")


@task
def soak(c: Context) -> None:
    """Run the long tests: every fault at every call, hundreds of kills, thousands of examples."""
    c.run("pytest --quiet -m long")
    c.run("pytest --quiet tests/properties --hypothesis-profile=long")


@task(
    help={
        "python": "minor version, such as 3.10; this one, if it is not on this machine",
        "oldest": "the oldest versions that pyproject.toml allows",
        "newest": "the newest boto3 and invoke, whatever MiniStack pins",
        "tests": "what pytest is given; all tests if nothing",
    }
)
def compat(
    c: Context, python: str = "", oldest: bool = False, newest: bool = False, tests: str = ""
) -> None:
    """Run the tests in an environment of their own, made anew, in build/compat."""
    versions = "oldest" if oldest else "newest" if newest else "usual"
    interpreter = _interpreter(python) if python else sys.executable
    if interpreter is None:
        print(f"compat    there is no Python {python} here: this one is taken", file=sys.stderr)
        interpreter = sys.executable
    folder = Path("build", "compat", f"{python or 'this'}-{versions}")
    install = f"uv pip install --quiet --python {folder}"
    c.run(f"uv venv --quiet --clear --seed --python {shlex.quote(interpreter)} {folder}")
    c.run(f"{install} --editable '.[dev]'")
    if oldest:
        # In a second step: MiniStack pins one botocore, but runs with others.
        listed = folder / "oldest.txt"
        c.run(
            "uv pip compile --quiet --resolution lowest-direct --no-header --no-annotate "
            f"--python {folder} --output-file {listed} pyproject.toml"
        )
        c.run(f"{install} --requirement {listed} fabric")  # which needs an invoke below 3
    if newest:
        c.run(f"{install} --upgrade boto3 botocore invoke")
    c.run(f"{folder / 'bin' / 'python'} -m pytest --quiet {tests}")


def _interpreter(version: str) -> str | None:
    from tasks_aws.packaging.bytecode import find_interpreter

    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    return find_interpreter(version, os.environ) or next(map(str, kept), None)


@task(help={"only": "one module of comparisons, such as packaging", "plot": "a picture to draw"})
def bench(c: Context, only: str = "", rounds: int = 7, plot: str = "") -> None:
    """Measure how fast we are beside others; they are installed once, into build/."""
    options = (only and f" --only {only}") + (plot and f" --plot {plot}")
    c.run(f"python -m tests.benchmarks.bench --rounds {rounds}{options}")
