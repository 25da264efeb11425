"""Archives beside `zip -6` of the same tree, and dependencies beside a bare `uv pip install`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks_aws.packaging.installs import install_cached
from tasks_aws.packaging.python.installers import find_uv
from tasks_aws.packaging.workspace import output_folder
from tests.benchmarks.measure import INVOKE, Command, Comparison, Run
from tests.benchmarks.trees import (
    BIG,
    DIFFERENT,
    SHARED,
    SMALL,
    change,
    dependencies,
    files,
    node_tree,
    python_tree,
)

REPOSITORY = Path(__file__).parents[2]
PEAK_MIB = 150.0
PACKAGE = (*INVOKE, "package")
AT_ONCE = 8  # as many as ours
SETTLED_SECONDS = 2.1  # what has changed later than this ago is read once more


def groups(cache: Path) -> Iterator[list[Comparison]]:
    """Yield the comparisons of each tree, then those of installing."""
    with TemporaryDirectory(dir=cache) as name:
        work = Path(name)
        big, small = (cache / "big", BIG), (cache / "small", SMALL)
        yield _archives(python_tree(*big), work, first=0.20, one_line=0.04, nothing=0.02)
        node = node_tree(cache / "node") if shutil.which("npm") else cache / "node"
        yield _archives(node, work, needs=["npm"], one_line=0.08, nothing=0.06)
        yield _archives(python_tree(*small), work, first=1.0)
        yield [_chalice(work)]
        yield [_memory(work, files=1, megabytes=200), _memory(work, files=6, megabytes=33)]
        for warm in (False, True):
            yield [_installing(*big, work, warm=warm)]
        yield [_shared(work)]
        yield [_different(work)]


class Packaging:
    """Runs of `package` in processes of their own, timed there; with the peak of the last."""

    def __init__(self, tree: Path, work: Path) -> None:
        self.tree = tree
        self.project = work / f"{tree.name}.project"
        self.project.mkdir()
        self.peak = 0.0  # MiB

    @property
    def archive(self) -> Path:
        return output_folder(self.project) / "bench.zip"

    def first(self) -> float:
        """Package without anything from before."""
        shutil.rmtree(output_folder(self.project), ignore_errors=True)
        return self._milliseconds()

    def one_line(self) -> float:
        """Package after a line has changed."""
        change(self.tree, str(time.time_ns()))
        return self._milliseconds()

    def nothing(self) -> float:
        """Package when nothing has changed."""
        time.sleep(SETTLED_SECONDS)
        self._milliseconds()
        return self._milliseconds()

    def _milliseconds(self) -> float:
        words = [sys.executable, "-m", "tests.benchmarks.package_once"]
        words += [str(self.project), str(self.tree)]
        process = subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True)
        answer = json.loads(process.stdout)
        self.peak = answer["peak"]
        return float(answer["ms"])


def _archives(
    tree: Path,
    work: Path,
    *,
    needs: Sequence[str] = (),
    first: float | None = None,
    one_line: float | None = None,
    nothing: float | None = None,
) -> list[Comparison]:
    ours, theirs = Packaging(tree, work), work / f"{tree.name}.zip"
    words = ["zip", "-r", "-q", "-6", str(theirs), "."]
    zipped = Command(words, tree, before=lambda: theirs.unlink(missing_ok=True))

    others = work / f"{tree.name}.7z.zip"
    words = ["7z", "a", "-bd", "-bso0", "-tzip", "-mx=5", str(others), "."]
    seven_zip = Command(words, tree, before=lambda: others.unlink(missing_ok=True))

    def row(
        what: str,
        goal: float | None,
        run: Run,
        rival: Run = zipped,
        limit: Run | None = None,
        unit: str = "ms",
        zipper: str = "zip",
        caption: tuple[str, str] | None = None,
    ) -> Comparison:
        return Comparison(
            name=f"{tree.name}: {what}",
            goal=goal,
            ours=run,
            rival=rival,
            limit=limit,
            unit=unit,
            needs=(zipper, *needs),
            caption=caption,
        )

    return [
        row(
            "first archive / zip -6",
            first,
            ours.first,
            limit=lambda: _copied(tree, ours.archive),
            caption=("zip 200 MB", "zip -6") if tree.name == "big" else None,
        ),
        row("first archive / 7z", None, ours.first, seven_zip, zipper="7z"),
        row(
            "its size", 1.0, lambda: _megabytes(ours.archive), lambda: _megabytes(theirs), unit="MB"
        ),
        row("its peak memory / 150 MiB", 1.0, lambda: ours.peak, lambda: PEAK_MIB, unit="MiB"),
        row("one line / zip -6", one_line, ours.one_line, limit=lambda: _again(tree, ours.archive)),
        row("nothing / zip -6", nothing, ours.nothing, limit=lambda: _stats(tree)),
    ]


def _chalice(work: Path) -> Comparison:
    """Compare whole processes that install what a small function needs, and zip it."""
    ours, theirs = work / "ours", work / "chalice"
    for folder in (ours, theirs / ".chalice"):
        folder.mkdir(parents=True)
    (ours / "tasks.py").write_text("from tasks_aws import *\n")
    (ours / "invoke.yaml").write_text(
        f"aws: {{functions: {{small: {{source: ., Handler: handler.handler, "
        f"Runtime: python3.{sys.version_info.minor}}}}}}}\n"
    )
    change(ours, "hello")
    (theirs / "app.py").write_text(
        "from chalice import Chalice\napp = Chalice('small')\n"
        "@app.lambda_function()\ndef hello(event, context): return 'hello'\n"
    )
    (theirs / ".chalice" / "config.json").write_text('{"version": "2.0", "app_name": "small"}')
    for folder in (ours, theirs):
        (folder / "requirements.txt").write_text("\n".join(SMALL) + "\n")
    environ = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1"}

    def command(words: Sequence[str], folder: Path, made: Path) -> Command:
        return Command(words, folder, environ, lambda: shutil.rmtree(made, ignore_errors=True))

    return Comparison(
        name="small: install and zip / chalice package",
        goal=None,
        ours=command(PACKAGE, ours, output_folder(ours)),
        rival=command(["chalice", "package", "out"], theirs, theirs / ".chalice" / "deployments"),
        needs=("chalice",),
    )


def _memory(work: Path, *, files: int, megabytes: int) -> Comparison:
    """Compare the peak with its bound, for files that do not get smaller."""
    tree = work / f"{files} of {megabytes} MB"
    tree.mkdir()
    change(tree, "new")
    for number in range(files):
        (tree / f"{number}").write_bytes(os.urandom(megabytes * 1_000_000))
    packaging = Packaging(tree, work)

    def peak() -> float:
        packaging.first()
        return packaging.peak

    return Comparison(
        name=f"{tree.name}: peak memory / 150 MiB",
        goal=1.0,
        ours=peak,
        rival=lambda: PEAK_MIB,
        unit="MiB",
    )


def _installing(tree: Path, packages: list[str], work: Path, *, warm: bool) -> Comparison:
    """Compare with uv alone, which gets the same platform, so that it takes the same wheels."""
    cache, target = work / "uv", work / "installed"
    environ = {**os.environ, "UV_CACHE_DIR": str(cache)}
    needed = dependencies(tree, packages, environ)
    words = [find_uv(environ) or "uv", "pip", "install", "--quiet", "--python-version", "3.13"]
    words += ["--python-platform", "x86_64-manylinux_2_34", "--target", str(target)]

    def forget() -> None:
        shutil.rmtree(target, ignore_errors=True)
        if not warm:
            shutil.rmtree(cache, ignore_errors=True)

    def ours() -> float:
        forget()
        start = time.perf_counter()
        install_cached(needed, target)
        return (time.perf_counter() - start) * 1000

    return Comparison(
        name=f"install, {'warm' if warm else 'cold'} / uv pip install",
        goal=1.2,
        ours=ours,
        rival=Command([*words, *packages], work, environ, forget),
        limit=lambda: _linked(tree, target),
        needs=(words[0],),
    )


def _shared(work: Path) -> Comparison:
    """Compare ten functions that require the same with one of them, ten times."""
    many = _package(work / "many that share", [SHARED] * 10)
    one = _package(work / "one of them", [SHARED])
    return Comparison(
        name="10 functions, same requirements / 10 x one",
        goal=0.25,
        caption=("package 10 functions with pandas", "10 times one of them"),
        ours=many,
        rival=lambda: 10 * one(),
    )


def _different(work: Path) -> Comparison:
    """Compare functions that require different packages with uv alone, which zips nothing."""
    project, target = work / "many that differ", work / "installed apart"
    ours = _package(project, [[each] for each in DIFFERENT])
    words = [find_uv(os.environ) or "uv", "pip", "install", "--quiet", "--only-binary", ":all:"]
    words += ["--python", sys.executable, "--python-version", "3.13"]
    words += ["--python-platform", "x86_64-manylinux_2_34"]

    def install(number: int) -> None:
        named = project / f"f{number}" / "requirements.txt"
        into = ["--target", str(target / str(number)), "--requirement", str(named)]
        subprocess.run([*words, *into], check=True, capture_output=True)

    def theirs() -> float:
        shutil.rmtree(target, ignore_errors=True)
        start = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(install, range(len(DIFFERENT))))
        return (time.perf_counter() - start) * 1000

    return Comparison(
        name=f"{len(DIFFERENT)} functions, other requirements / uv",
        goal=1.5,
        ours=ours,
        rival=theirs,
        needs=(words[0],),
    )


def _package(project: Path, requirements: Sequence[Sequence[str]]) -> Command:
    """Return a whole process that installs and zips a function for each of these requirements."""
    functions = {}
    for number, packages in enumerate(requirements):
        name = f"f{number}"
        (project / name).mkdir(parents=True)
        change(project / name, name)
        (project / name / "requirements.txt").write_text("\n".join(packages) + "\n")
        functions[name] = {"source": name, "Handler": "handler.handler", "Runtime": "python3.13"}
    (project / "tasks.py").write_text("from tasks_aws import *\n")
    (project / "invoke.yaml").write_text(json.dumps({"aws": {"functions": functions}}))
    output = output_folder(project)
    return Command(PACKAGE, project, before=lambda: shutil.rmtree(output, ignore_errors=True))


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6


def _stats(tree: Path) -> float:
    """Return how long it takes to look at every file."""
    start = time.perf_counter()
    for entry in files(tree):
        entry.stat()
    return (time.perf_counter() - start) * 1000


def _copied(tree: Path, archive: Path) -> float:
    """Return how long it takes to read and hash every file, and to write the archive."""
    content = archive.read_bytes()
    start = time.perf_counter()
    for entry in files(tree):
        hashlib.sha256(Path(entry.path).read_bytes())
    archive.with_suffix(".copy").write_bytes(content)
    return (time.perf_counter() - start) * 1000


def _again(tree: Path, archive: Path) -> float:
    """Return how long it takes to look at every file, and to copy and hash the archive."""
    looking, start = _stats(tree), time.perf_counter()
    content = archive.read_bytes()
    hashlib.sha256(content)
    archive.with_suffix(".copy").write_bytes(content)
    return looking + (time.perf_counter() - start) * 1000


def _linked(tree: Path, target: Path) -> float:
    """Return how long it takes to make links to files that are there."""
    shutil.rmtree(target, ignore_errors=True)
    start = time.perf_counter()
    shutil.copytree(tree, target, copy_function=os.link)
    return (time.perf_counter() - start) * 1000
