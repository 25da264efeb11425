"""What is declared is what ships, or a message says why not: manifest, layout, lock, tool.

The index has a stranger's `shared`: it ships where a project's own is not found.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.packaging.python.installers import find_uv
from tasks_aws.packaging.python.local_projects import local_path
from tests.packaging.support import FUNCTION, names, text
from tests.support import Project
from tests.wheels import make_sdist, make_wheel, offline

BACKEND = """
import json, pathlib, zipfile
HERE = pathlib.Path(__file__).parent
def _metadata():
    return (HERE / "METADATA").read_text()
def prepare_metadata_for_build_wheel(folder, *arguments):
    info = pathlib.Path(folder, "{name}-0.1.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(_metadata())
    return info.name
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def _wheel(folder, files):
    name = "{name}-0.1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        files = {{**files, "{name}-0.1.dist-info/METADATA": _metadata(),
            "{name}-0.1.dist-info/WHEEL": "Wheel-Version: 1.0\\nTag: py3-none-any\\n",
            "{name}-0.1.dist-info/RECORD": ""}}
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
def build_wheel(folder, *arguments):
    (HERE / "build").mkdir(exist_ok=True)
    (HERE / "build" / "old.py").write_text("")
    return _wheel(folder, {{"{name}/__init__.py": (HERE / "{name}.txt").read_text()}})
def build_editable(folder, *arguments):
    return _wheel(folder, {{"__editable__.{name}.pth": str(HERE)}})
"""


BUILD_SYSTEM = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def local_project(
    name: str, *, requires: str = "", uv: str = "", dynamic: bool = False
) -> dict[str, str]:
    """Return the files of a project that is built without an index."""
    listed = f'dependencies = ["{requires}"]' if requires else ""
    about = f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.10"\n'
    about += 'dynamic = ["dependencies"]\n' if dynamic else f"{listed}\n"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n"
    return {
        "pyproject.toml": BUILD_SYSTEM + about + uv,
        "backend.py": BACKEND.format(name=name),
        "METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{name}.txt": f"mine = '{name}'\n",
    }


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return files with their names below a folder."""
    return {f"{folder}/{name}": text for name, text in files.items()}


SHARED = below("libs/shared", local_project("shared"))
SHARED_NEEDS_PURE = below("libs/shared", local_project("shared", requires="pure"))
APP = {"src/app.py": "def handler(event, context): return event\n"}


def pyproject(*dependencies: str, more: str = "") -> str:
    """Return a pyproject.toml of an application."""
    return (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'
        f"dependencies = {list(dependencies)}\n{more}"
    )


@dataclass(frozen=True)
class Cell:
    """One project, and what is in its archive or in the message."""

    files: Mapping[str, str]
    ships: tuple[str, ...] = ()
    says: str = ""
    tools: tuple[str, ...] = ("uv", "pip")
    settings: Mapping[str, Any] = field(default_factory=dict)
    lock: tuple[str, ...] = ()  # a command in a folder: ("src", "uv", "lock")
    after: Mapping[str, str] = field(default_factory=dict)  # files written after locking


def requirements(text: str, *, ships: str = "shared", files: Any = SHARED, **more: Any) -> Cell:
    """Return the cell of a requirements.txt beside the source."""
    return Cell({**files, "src/requirements.txt": text}, ships=tuple(ships.split()), **more)


def uv(text: str, *, ships: str = "shared", files: Any = SHARED, **more: Any) -> Cell:
    """Return the cell of a pyproject.toml beside the source, which only uv understands."""
    return Cell(
        {**files, "src/pyproject.toml": text}, ships=tuple(ships.split()), tools=("uv",), **more
    )


LOCKED: dict[str, Any] = {"lock": ("src", "uv", "lock")}
PATH_SOURCE = '[tool.uv.sources]\nshared = {path = "../libs/shared"}\n'
EDITABLE = PATH_SOURCE.replace("}", ", editable = true}")
NEEDS_UV = "[tool.uv] sources, which only uv understands"
WORKSPACE = {
    "pyproject.toml": '[tool.uv.workspace]\nmembers = ["services/*", "libs/*"]\n',
    "services/one/pyproject.toml": pyproject(
        "shared", more="[tool.uv.sources]\nshared = {workspace = true}\n"
    ),
    "services/one/src/app.py": APP["src/app.py"],
    "services/two/pyproject.toml": pyproject("other").replace('"x"', '"two"'),
    **SHARED_NEEDS_PURE,
}
MEMBER: dict[str, Any] = {
    "tools": ("uv",),
    "settings": {"source": "services/one/src"},
    "ships": ("shared", "pure"),
}
GROUPS = '[dependency-groups]\nreport = ["other", {include-group = "base"}]\nbase = ["pure"]\n'
GROUPS += 'dev = ["devtool"]\nlint = ["devtool"]\n[project.optional-dependencies]\nx = ["extra"]\n'
PYLOCK = """lock-version = "1.0"
created-by = "test"
extras = ["x"]
[[packages]]
name = "shared"
directory = {path = "../libs/shared", editable = true}
[[packages]]
name = "pure"
version = "1.0"
[[packages]]
name = "extra"
version = "1.0"
marker = "'x' in extras"
[[packages]]
name = "other"
version = "1.0"
marker = "sys_platform == 'win32'"
"""

CELLS = {
    "requirements": requirements("pure\n", ships="pure"),
    "editable": requirements("-e ../libs/shared\n"),
    "editable, long": requirements("--editable=../libs/shared\n", tools=("uv",)),
    "folder": requirements("../libs/shared  # ours\n"),
    "folder that needs another": requirements(
        "../libs/shared\n", files=SHARED_NEEDS_PURE, ships="shared pure"
    ),
    "named folder": requirements("shared @ ../libs/shared\n"),
    "url of a folder": requirements("file:../libs/shared\n", tools=("uv",)),
    "folder with a marker": requirements("../libs/shared ; python_version > '3'\n", tools=("uv",)),
    "folder without dots": Cell({**SHARED, "requirements.txt": "libs/shared\n"}, ships=("shared",)),
    "wheel": requirements("../pure-1.0-py3-none-any.whl\n", ships="pure"),
    "source distribution": requirements("../source-1.0.tar.gz\n", ships="source.py"),
    "included": requirements(
        "-r ../libs/more.txt\n", files={**SHARED, "libs/more.txt": "-e ./shared\n"}
    ),
    "constraint": requirements(
        "pure\n-c more/limits.txt\n", files={"src/more/limits.txt": "pure==1.0\n"}, ships="pure"
    ),
    "repository": requirements("shared @ git+file://localhost{root}/repository\n"),
    "editable repository": requirements("-e git+file://localhost{root}/repository#egg=shared\n"),
    "itself": Cell(
        {**below("src", local_project("shared")), **APP, "src/requirements.txt": ".\n"},
        ships=("shared",),
    ),
    "hashes and a folder": requirements(
        "../libs/shared\npure==1.0 --hash=sha256:{pure}\n", ships="shared pure"
    ),
    "hash without a version": requirements(
        "pure --hash=sha256:{pure}\n", says="Pin the version with `==`"
    ),
    "repository without a name": requirements(
        "git+file://localhost{root}/repository\n", says="Write `name @ ` before it."
    ),
    "missing folder": requirements("../libs/missing\n", says="../libs/missing does not exist."),
    "missing file": requirements("-r missing.txt\n", says="line 1: missing.txt does not exist."),
    "no project": requirements(
        "../libs\n", says="libs is not a Python project", files={"libs/x.txt": ""}
    ),
    "no-binary": requirements("pure\n--no-binary pure\n", says="add `allow_sdist: [pure]`"),
    "above the source": Cell({"requirements.txt": "pure\n"}, ships=("pure",)),
    "above a file": Cell(
        {"requirements.txt": "pure\n"}, ships=("pure",), settings={"source": "src/app.py"}
    ),
    "two sources": Cell(
        {
            "src/requirements.txt": "pure\n",
            "more/requirements.txt": "other\n",
            "more/helper.py": "",
        },
        ships=("pure", "other"),
        settings={"source": ["src", {"more": "more"}]},
    ),
    "requirements have no groups": requirements(
        "pure\n", says="requirements.txt has no groups.", settings={"groups": ["dev"]}
    ),
    "pyproject": Cell({"src/pyproject.toml": pyproject("pure")}, ships=("pure",)),
    "pyproject with a folder": Cell(
        {**SHARED, "src/pyproject.toml": pyproject("shared @ file:../libs/shared")},
        ships=("shared",),
        tools=("pip",),
    ),
    "groups": Cell(
        {"src/pyproject.toml": pyproject("extra", more=GROUPS)},
        ships=("extra", "other", "pure"),
        settings={"groups": ["report"]},
    ),
    "extras": Cell(
        {"src/pyproject.toml": pyproject(more=GROUPS)},
        ships=("extra",),
        settings={"extras": ["x"]},
    ),
    "no such group": Cell(
        {"src/pyproject.toml": pyproject("pure", more=GROUPS)},
        says="has no group `nope`.",
        settings={"groups": ["nope"]},
    ),
    "path source": uv(pyproject("shared", more=PATH_SOURCE)),
    "path source of a wheel": uv(
        pyproject(
            "pure", more='[tool.uv.sources]\npure = {path = "../pure-1.0-py3-none-any.whl"}\n'
        ),
        ships="pure",
    ),
    "uv.lock with a wheel": uv(
        pyproject(
            "pure", more='[tool.uv.sources]\npure = {path = "../pure-1.0-py3-none-any.whl"}\n'
        ),
        ships="pure",
        **LOCKED,
    ),
    "editable path source": uv(pyproject("shared", more=EDITABLE)),
    "sources of a source": uv(
        pyproject("middle", more='[tool.uv.sources]\nmiddle = {path = "../libs/middle"}\n'),
        files={
            **SHARED,
            **below(
                "libs/middle",
                local_project(
                    "middle",
                    requires="shared",
                    uv='[tool.uv.sources]\nshared = {path = "../shared"}\n',
                ),
            ),
        },
        ships="shared middle",
    ),
    "git source": uv(
        pyproject(
            "shared",
            more='[tool.uv.sources]\nshared = {git = "file://localhost{root}/repository"}\n',
        )
    ),
    "folder whose sources are local": requirements(
        "../libs/middle\n",
        files={
            **SHARED,
            **below(
                "libs/middle",
                local_project(
                    "middle",
                    requires="shared",
                    uv='[tool.uv.sources]\nshared = {path = "../shared"}\n',
                ),
            ),
        },
        ships="shared middle",
        tools=("uv",),
    ),
    "groups above the source": Cell(
        {"pyproject.toml": pyproject("extra", more=GROUPS)},
        ships=("extra", "other", "pure"),
        settings={"groups": ["report"]},
    ),
    "two sources with requirements.txt": Cell(
        {"src/requirements.txt": "pure\n", "more/requirements.txt": "other\n", "more/m.py": ""},
        ships=("pure", "other"),
        settings={"source": ["src", "more"]},
    ),
    "itself above the source": Cell(
        {
            **local_project("shared"),
            "requirements.txt": "-e .\n",
            "src/shared/__init__.py": "mine = 'shared'\n",
        },
        ships=("shared",),
    ),
    "setup.cfg of a linter": Cell(
        {"src/setup.cfg": "[flake8]\nmax-line-length = 100\n", "requirements.txt": "pure\n"},
        ships=("pure",),
    ),
    "requirements that are a folder": Cell(
        {}, says="which is a folder.", settings={"requirements": "src"}
    ),
    "path source, pip": Cell(
        {**SHARED, "src/pyproject.toml": pyproject("shared", more=PATH_SOURCE)},
        says="which only uv understands",
        tools=("pip",),
    ),
    "folder with sources, pip": requirements(
        "../libs/middle\n",
        files=below("libs/middle", local_project("middle", requires="shared", uv=PATH_SOURCE)),
        says="which only uv understands",
        tools=("pip",),
    ),
    "dynamic": Cell(
        {**below("src", local_project("shared", requires="pure", dynamic=True)), **APP},
        ships=("pure",),
    ),
    "workspace without a lock": Cell(WORKSPACE, **MEMBER),
    "workspace": Cell(WORKSPACE, lock=("services/one", "uv", "lock"), **MEMBER),
    "workspace whose lock is named": Cell(
        WORKSPACE,
        lock=("services/one", "uv", "lock"),
        **{**MEMBER, "settings": {"source": "services/one/src", "requirements": "uv.lock"}},
    ),
    "lock above the project": Cell(
        {
            "../pyproject.toml": pyproject("pure"),
            "src/app.py": APP["src/app.py"],
        },
        ships=("pure",),
        tools=("uv",),
        lock=("..", "uv", "lock"),
        settings={"requirements": "../uv.lock"},
    ),
    "workspace that is no project": Cell(
        {**WORKSPACE, **APP},
        lock=("services/one", "uv", "lock"),
        says="does not say what hello needs.",
    ),
    "uv.lock": uv(pyproject("pure", more=GROUPS), ships="pure", **LOCKED),
    "uv.lock and groups": uv(
        pyproject("pure", more=GROUPS),
        ships="pure other extra",
        settings={"groups": ["report"], "extras": ["x"]},
        **LOCKED,
    ),
    "uv.lock with default groups": uv(
        pyproject("pure", more=f'{GROUPS}[tool.uv]\ndefault-groups = ["dev", "lint"]\n'),
        ships="pure",
        **LOCKED,
    ),
    "uv.lock with a folder": uv(pyproject("shared", more=EDITABLE), **LOCKED),
    "uv.lock above the source": Cell(
        {**SHARED, "pyproject.toml": pyproject("shared", more=EDITABLE.replace("../", ""))},
        ships=("shared",),
        tools=("uv",),
        lock=(".", "uv", "lock"),
    ),
    "uv.lock with a folder, installed by pip": Cell(
        {**SHARED, "src/pyproject.toml": pyproject("shared", "pure", more=EDITABLE)},
        ships=("shared", "pure"),
        tools=("uv",),
        settings={"installer": "pip"},
        **LOCKED,
    ),
    "stale uv.lock": uv(
        pyproject("pure"),
        says="needs to be updated",
        after={"src/pyproject.toml": pyproject("pure", "other")},
        **LOCKED,
    ),
    "pylock.toml": Cell({**SHARED, "src/pylock.toml": PYLOCK}, ships=("shared", "pure")),
    "pylock.toml and extras": Cell(
        {**SHARED, "src/pylock.toml": PYLOCK},
        ships=("shared", "pure", "extra"),
        settings={"extras": ["x"]},
    ),
    "poetry without a lock": Cell(
        {"src/pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.10"\npure = "^1.0"\n'},
        says="Run `poetry lock`",
    ),
    "Pipfile without a lock": Cell(
        {"src/Pipfile": '[packages]\npure = "*"\n'}, says="Run `pipenv lock`"
    ),
    "conda": Cell({"environment.yml": "dependencies: [pure]\n"}, says="List the packages in"),
    "setup.py": Cell(
        {
            **below("src", local_project("shared", requires="pure")),
            "src/pyproject.toml": BUILD_SYSTEM,
            "src/setup.py": "",
        },
        ships=("pure",),
    ),
}


@pytest.fixture
def index(project: Project, tmp_path: Path) -> Path:
    """A folder of packages that is all that an installer sees, with a stranger's `shared`."""
    folder = tmp_path / "wheels"
    for name in ("pure", "other", "extra", "devtool"):
        make_wheel(folder, name, tag="py3-none-any", files={f"{name}/__init__.py": ""})
    make_wheel(folder, "shared", tag="py3-none-any", files={"stranger.py": ""})
    project.environ.update(offline(folder))
    return folder


@pytest.mark.parametrize(
    ("cell", "tool"),
    [
        pytest.param(cell, tool, id=f"{name} ({tool})")
        for name, cell in CELLS.items()
        for tool in cell.tools
    ],
)
def test_a_project(
    request: pytest.FixtureRequest, project: Project, index: Path, cell: Cell, tool: str
) -> None:
    request.getfixturevalue(f"with_{tool}")
    write(project, index, {**APP, **cell.files})
    if cell.lock:
        folder, _, *words = cell.lock
        command = [str(find_uv(project.environ)), *words, "--quiet"]
        subprocess.run(command, cwd=project.folder / folder, env=project.environ, check=True)
    write(project, index, cell.after)
    project.settings(functions={"hello": {**FUNCTION, **cell.settings}})

    result = project.run("package", code=1 if cell.says else 0)

    if cell.says:
        assert cell.says in result.err
        return
    archive = project.folder / ".tasks_aws" / "hello.zip"
    found = names(archive)
    for each in ("shared", "pure", "other", "extra"):
        assert (f"{each}/__init__.py" in found) is (each in cell.ships), found
    assert all(each in found for each in cell.ships if each.endswith(".py"))
    assert not {"stranger.py", "devtool/__init__.py"} & {*found}
    assert not [name for name in found if name.endswith(".pth") or name.startswith("build/")]
    content = archive.read_bytes()
    assert str(project.folder).encode() not in content
    if "shared" in cell.ships and tool == "uv":  # what building leaves is not packaged then
        project.run("package")
        assert archive.read_bytes() == content


def write(project: Project, index: Path | None, files: Mapping[str, str]) -> None:
    """Write a project's files, and those of the repository and archives that some of them name."""
    root, digest = str(project.folder.parent), ""
    if any("{root}" in text for text in files.values()):
        make_repository(project.folder.parent / "repository")
    if index is not None:
        wheel = index / "pure-1.0-py3-none-any.whl"
        shutil.copy(wheel, project.folder)
        make_sdist(project.folder, "source", builds="py3-none-any")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for name, content in files.items():
        path = project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("{root}", root).replace("{pure}", digest))


def make_repository(folder: Path) -> None:
    """Make a git repository of the project `shared`."""
    for name, content in local_project("shared").items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    commit(folder)


def commit(folder: Path) -> None:
    """Commit all that has changed in a repository."""
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", *who, "commit", "--quiet", "--message=x"], cwd=folder, check=True)


@pytest.mark.parametrize(
    "line",
    [
        "-e ../libs/shared\n",
        "../pure-1.0-py3-none-any.whl\n",
        "shared @ git+file://localhost{root}/repository\n",
        "--no-index\n--find-links ../\npure\n",
    ],
)
def test_what_changes_without_its_requirement_is_installed_anew(
    project: Project, index: Path, installer: str, line: str
) -> None:
    write(project, index, {**APP, **SHARED, "src/requirements.txt": line})
    project.settings(functions={"hello": FUNCTION})
    archive = project.folder / ".tasks_aws" / "hello.zip"
    project.run("package")

    changed = {"pure/__init__.py": "new = 1\n", "shared/__init__.py": "mine = 'new'\n"}
    make_wheel(project.folder, "pure", tag="py3-none-any", files=changed)
    (project.folder / "libs/shared/shared.txt").write_text("mine = 'new'\n")
    if "git+" in line:
        repository = project.folder.parent / "repository"
        (repository / "shared.txt").write_text("mine = 'new'\n")
        commit(repository)
    project.run("package")

    found = set(names(archive)) & set(changed)
    assert found
    assert {name: text(archive, name) for name in found} == {each: changed[each] for each in found}


def test_files_of_every_encoding_with_a_mark_are_read(
    project: Project, index: Path, installer: str
) -> None:
    write(project, index, APP)
    (project.folder / "src/requirements.txt").write_bytes("pure\n".encode("utf-16"))
    project.settings(functions={"hello": FUNCTION})

    project.run("package")

    assert "pure/__init__.py" in names(project.folder / ".tasks_aws" / "hello.zip")


def test_the_path_in_a_url_is_one_of_this_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_path("file:../libs/a%20b") == "../libs/a b"
    assert local_path("file:///libs/a%20b") == "/libs/a b"

    def on_windows(path: str) -> str:
        return path.removeprefix("/").replace("/", "\\")

    monkeypatch.setattr("urllib.request.url2pathname", on_windows)
    assert local_path("file:///C:/libs/a") == r"C:\libs\a"
