"""Our own chores: `invoke check`, `invoke fix`, `invoke build`, `invoke bench`."""

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


@task(help={"only": "one module of comparisons, such as packaging", "plot": "a picture to draw"})
def bench(c: Context, only: str = "", rounds: int = 7, plot: str = "") -> None:
    """Measure how fast we are beside others; they are installed once, into build/."""
    options = (only and f" --only {only}") + (plot and f" --plot {plot}")
    c.run(f"python -m tests.benchmarks.bench --rounds {rounds}{options}")
