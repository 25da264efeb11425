"""The chores of this repository; `invoke --list` shows them."""

import os
import shlex
import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task


@task
def lint(c: Context) -> None:
    """Check the format, the code, the types and the layers."""
    c.run("ruff format --check .")
    c.run("ruff check .")
    c.run("mypy")
    with c.cd("sample_project"):
        c.run("mypy --config-file ../pyproject.toml .")
    c.run("lint-imports")


@task(pre=[lint])
def check(c: Context) -> None:
    """Run `lint`, and the tests with coverage."""
    c.run("pytest --cov --cov-report=term")


@task
def fix(c: Context) -> None:
    """Format the code and apply the fixes of the linter."""
    c.run("ruff check --fix .")
    c.run("ruff format .")


@task
def build(c: Context) -> None:
    """Build the wheel and import it in a new environment."""
    c.run("python -m build --outdir dist .")
    c.run("python -m venv --clear build/venv && build/venv/bin/pip install -q dist/*.whl")
    c.run("cd build && venv/bin/python -c 'import tasks_aws; print(tasks_aws.__version__)'")


@task
def docs(c: Context) -> None:
    """Build the documentation into build/docs; needs docs/requirements.txt."""
    c.run("python -m sphinx --fail-on-warning --keep-going -qE docs build/docs")
    print("build/docs/index.html")


@task
def screens(c: Context) -> None:
    """Record the screens of the documentation from real runs."""
    c.run("python -m docs.screens")


@task
def soak(c: Context) -> None:
    """Run the long tests: half an hour on two cores."""
    c.run("pytest --quiet -m long")
    c.run("pytest --quiet --emulator moto tests/aws_lambda")
    c.run("pytest --quiet tests/properties --hypothesis-profile=long")


@task(
    help={
        "python": "Minor version, such as 3.10. Default: the running one, also if it is missing.",
        "oldest": "Use the oldest versions that pyproject.toml allows.",
        "newest": "Use the newest boto3 and invoke, whatever MiniStack pins.",
        "tests": "Arguments for pytest. Default: all tests.",
    }
)
def compat(
    c: Context, python: str = "", oldest: bool = False, newest: bool = False, tests: str = ""
) -> None:
    """Run the tests in a new environment, in build/compat."""
    versions = "oldest" if oldest else "newest" if newest else "usual"
    interpreter = _interpreter(python) if python else sys.executable
    if interpreter is None:
        print(f"compat    Python {python} is not installed: using the running one", file=sys.stderr)
        interpreter = sys.executable
    folder = Path("build", "compat", f"{python or 'this'}-{versions}")
    install = f"uv pip install --quiet --python {folder}"
    c.run(f"uv venv --quiet --clear --seed --python {shlex.quote(interpreter)} {folder}")
    c.run(f"{install} --editable '.[dev]'")
    if oldest:
        # A second step, because MiniStack pins one botocore but runs with others.
        listed = folder / "oldest.txt"
        c.run(
            "uv pip compile --quiet --resolution lowest-direct --no-header --no-annotate "
            f"--python {folder} --output-file {listed} pyproject.toml"
        )
        c.run(f"{install} --requirement {listed} fabric")  # it requires invoke < 3
    if newest:
        c.run(f"{install} --upgrade boto3 botocore invoke")
    c.run(f"{folder / 'bin' / 'python'} -m pytest --quiet {tests}")


def _interpreter(version: str) -> str | None:
    from tasks_aws.packaging.bytecode import find_interpreter

    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    return find_interpreter(version, os.environ) or next(map(str, kept), None)


@task(
    help={
        "only": "One module of comparisons, such as packaging.",
        "rounds": "How often to measure each.",
        "plot": "SVG file to draw.",
        "dashboard": "Markdown file whose table is replaced.",
        "rtt": "Round-trip time to AWS in milliseconds, such as 60 or 200.",
    }
)
def bench(
    c: Context,
    only: str = "",
    rounds: int = 7,
    plot: str = "",
    dashboard: str = "",
    rtt: int = 0,
) -> None:
    """Compare speed with other tools, which are installed once, into build/."""
    given = {"only": only, "plot": plot, "dashboard": dashboard}
    options = [f" --{name} {shlex.quote(value)}" for name, value in given.items() if value]
    c.run(f"python -m tests.benchmarks.bench --rounds {rounds} --rtt {rtt}{''.join(options)}")


@task(
    help={
        "only": "Tools, by parts of their names, such as restic,osls: other rows stay.",
        "install": "Install the tools only.",
    }
)
def downstream(c: Context, only: str = "", install: bool = False) -> None:
    """Run many tools after `assume`; write docs/reference/downstream.md."""
    options = (only and f" --only {shlex.quote(only)}") + (" --install" if install else "")
    c.run(f"python -m tests.downstream.matrix{options}")
