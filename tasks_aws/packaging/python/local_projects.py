"""Projects on this machine that a function depends on."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import PackageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FILE = re.compile(r"([\w.-]+)[^@;]*@\s*(file:[^\s;]+)")

# What setuptools leaves in a project that it builds.
_LEFT = ("build", "*.egg-info", "src/*.egg-info")


def local_path(url: str) -> str:
    r"""Return the path in a `file:` URL: that of ``file:///C:/x`` is ``C:\x`` on Windows."""
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path if "//" in url else url[5:])


def read_toml(path: Path) -> Mapping[str, Any]:
    """Return the content of a TOML file, which is parsed once. Raises `PackageError`."""
    try:
        status = path.stat()
        return _parse_toml(path, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError) as error:
        raise PackageError(f"{path} cannot be read.", why=str(error)) from error


@lru_cache
def _parse_toml(path: Path, *_status: int) -> Mapping[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def table(values: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """Return a table in tables, or an empty one."""
    found: Any = values
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def read_pyproject(folder: Path) -> Mapping[str, Any]:
    """Return the content of a folder's pyproject.toml; nothing if it has none."""
    path = folder / "pyproject.toml"
    return read_toml(path) if path.is_file() else {}


def name_of_project(folder: Path) -> str | None:
    """Return the name of a Python project, or an empty string where only building it tells.

    None if the folder has no Python project.
    """
    pyproject = read_pyproject(folder)
    for tool in (("project",), ("tool", "poetry"), ("tool", "flit", "metadata")):
        values = table(pyproject, *tool)
        if name := values.get("name") or values.get("module"):
            return str(name)
    if name := _read_setup_cfg(folder).get("metadata", "name", fallback=""):
        return name
    setup = folder / "setup.py"
    text = setup.read_text(encoding="utf-8", errors="replace") if setup.is_file() else ""
    if "setup(" in text:
        match = re.search(r"\bname\s*=\s*[\"']([\w.-]+)[\"']", text)
        return match[1] if match else ""
    return "" if "build-system" in pyproject else None


def _read_setup_cfg(folder: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    with suppress(ConfigParserError, UnicodeError):
        parser.read(folder / "setup.cfg", encoding="utf-8")
    return parser


def local_sources(folder: Path) -> dict[str, Path | None]:
    """Return what a project needs that comes from this machine, or from repositories.

    These are names, and those that they need in turn, with their folders. None stands for a
    repository, or for other sources that are elsewhere.
    """
    found: dict[str, Path | None] = {}
    _add_sources(folder, found, set())
    return found


def has_uv_sources(folder: Path) -> bool:
    """Return whether a project, or one that it needs, has `[tool.uv]` sources."""
    folders = {folder, *filter(None, local_sources(folder).values())}
    return any(
        table(read_pyproject(each), "tool", "uv", "sources") for each in folders if each.is_dir()
    )


def _add_sources(folder: Path, found: dict[str, Path | None], seen: set[Path]) -> None:
    if folder in seen:
        return
    seen.add(folder)
    root = workspace_root(folder)
    inherited = table(read_pyproject(root), "tool", "uv", "sources") if root else {}
    pyproject = read_pyproject(folder)
    own = table(pyproject, "tool", "uv", "sources")
    for name, source in table(pyproject, "tool", "poetry", "dependencies").items():
        _add_source(name, source, folder, found, seen)
    for requirement in table(pyproject, "project").get("dependencies") or ():
        if match := _FILE.match(str(requirement)):
            _add_source(match[1], {"path": local_path(match[2])}, folder, found, seen)
    for name, value in {**inherited, **own}.items():
        for source in value if isinstance(value, list) else [value]:
            _add_source(name, source, root if name not in own and root else folder, found, seen)


def _add_source(
    name: str, source: Any, folder: Path, found: dict[str, Path | None], seen: set[Path]
) -> None:
    if not isinstance(source, Mapping):
        return
    if source.get("workspace"):
        root = workspace_root(folder)
        members = workspace_members(root) if root else []
        path = next((each for each in members if name_of_project(each) == name), None)
    elif "path" in source:
        path = (folder / str(source["path"])).resolve()
    elif "git" in source or "url" in source:
        found[name] = None
        return
    else:
        return
    found[name] = path
    if path is not None and path.is_dir():
        _add_sources(path, found, seen)


def workspace_root(folder: Path) -> Path | None:
    """Return the root of the uv workspace that a project is in, which may be the project."""
    for root in (folder, *folder.parents):
        if "members" not in table(read_pyproject(root), "tool", "uv", "workspace"):
            continue
        return root if folder == root or folder in workspace_members(root) else None
    return None


def workspace_members(root: Path) -> list[Path]:
    """Return the folders of a uv workspace's members."""
    settings = table(read_pyproject(root), "tool", "uv", "workspace")

    def folders(key: str) -> Iterator[Path]:
        for pattern in settings.get(key) or ():
            yield from root.glob(str(pattern).rstrip("/"))

    excluded = set(folders("exclude"))
    members = (each for each in folders("members") if each not in excluded)
    return sorted({root, *(each for each in members if (each / "pyproject.toml").is_file())})


@contextmanager
def left_as_they_are(projects: Iterable[Path]) -> Iterator[None]:
    """Remove what building leaves in projects: it would be packaged with the sources."""
    folders = [project for project in projects if project.is_dir()]

    def leftovers() -> set[Path]:
        return {path for folder in folders for each in _LEFT for path in folder.glob(each)}

    before = leftovers()
    try:
        yield
    finally:
        for path in leftovers() - before:
            shutil.rmtree(path, ignore_errors=True)
