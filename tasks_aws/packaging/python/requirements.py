"""Requirements files (pip's format), made independent of the folder that they are in.

pip and uv read the same lines differently: each has its own idea of what a relative path is
relative to, and an editable requirement leaves a link to this machine in place of the package.
Here paths count from the file that names them, and nothing is editable.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import PackageError
from .local_projects import local_path, name_of_project

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(r"(-[a-zA-Z]|--[a-z-]+)(?:\s*=\s*|\s*)(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")  # those that pip expands
_PARTS = re.compile(r"(?P<what>.*?)(?P<tail>\s*;.*|\s+--.*)?", re.DOTALL)
_NAMED = re.compile(r"([\w.-]+)\s*(\[[^\]]*\])?\s*@\s*(\S.*)")
_NAME = re.compile(r"([\w.-]+)\s*(\[[^\]]*\])?")
_EXTRAS = re.compile(r"(.*?)(\[[^\[\]]*\])?", re.DOTALL)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_EGG = re.compile(r"[#&]egg=([\w.-]+)(\[[^\]]*\])?")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_SOURCE_VERSION = re.compile(r"-[0-9][^-]*$")

_INCLUDED = ("-r", "--requirement")
_EDITABLE = ("-e", "--editable")
_PATH_OPTIONS = {"-c": "--constraint", "--constraint": "--constraint"}
_FIND_LINKS = ("-f", "--find-links")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement, or one option, of a requirements file."""

    text: str  # without extras and `tail`, when it is installed from a file, a folder or a URL
    name: str = ""  # normalised; empty for an option, and where only the installer finds out
    extras: str = ""  # such as [s3]
    tail: str = ""  # marker and hashes
    built: bool = False  # a wheel has to be built: of a folder, a repository, or other sources
    path: Path | None = None  # of a file or folder on this machine
    direct: bool = False  # it names a file, a folder or a URL

    @property
    def line(self) -> str:
        """Return it as a line of a requirements file."""
        if not self.direct:
            return self.text
        named = f"{self.name}{self.extras} @ {self.text}" if self.name else self.text + self.extras
        return f"{named} {self.tail.strip()}".rstrip()

    @property
    def changes(self) -> bool:
        """Return whether what it stands for may change while its text does not."""
        if self.is_option:
            return self.text.startswith("--find-links /")
        pinned = "--hash" in self.tail or re.search(r"@[0-9a-f]{40}(#|$)", self.text)
        return self.direct and (self.path is not None or not pinned)

    @property
    def is_option(self) -> bool:
        """Return whether it holds for the whole file, such as `--index-url`."""
        return self.text.startswith("-")


@dataclass(slots=True, kw_only=True)
class RequirementsFile:
    """What a file says, with all files that it includes."""

    requirements: list[Requirement] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)  # of the files, for a digest


def read_requirements(path: Path, environ: Mapping[str, str]) -> RequirementsFile:
    """Read a requirements file. Raises `PackageError` that names file and line."""
    found = RequirementsFile()
    _read_file(path, environ, found, set())
    return found


def parse_requirements(text: str, origin: Path, environ: Mapping[str, str]) -> list[Requirement]:
    """Parse what a tool has exported from a file: paths count from the folder of that."""
    found = RequirementsFile()
    _read_text(text, origin, environ, found, set())
    return found.requirements


def normalize(name: str) -> str:
    """Return the one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_text(path: Path) -> str:
    """Read a text file as pip does: the encoding is that of its byte order mark, or UTF-8."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        raise PackageError(
            f"{path} cannot be read.", why=f"It is not {encoding.upper()}: {error}."
        ) from error


def _read_file(
    path: Path, environ: Mapping[str, str], found: RequirementsFile, seen: set[Path]
) -> None:
    if path in seen:
        return
    seen.add(path)
    text = read_text(path)
    found.contents.append(text)
    _read_text(text, path, environ, found, seen)


def _read_text(
    text: str, origin: Path, environ: Mapping[str, str], found: RequirementsFile, seen: set[Path]
) -> None:
    for number, line in _lines(text):
        where = f"{origin}, line {number}"
        option = _OPTION.fullmatch(line) if line.startswith("-") else None
        name, value = option.groups() if option else ("", line)
        if name in _INCLUDED and not _SCHEME.match(value):
            _read_file(_existing(value, origin, where, environ), environ, found, seen)
        elif name in _PATH_OPTIONS and not _SCHEME.match(value):
            path = _existing(value, origin, where, environ)
            found.contents.append(read_text(path))
            found.requirements.append(Requirement(text=f"{_PATH_OPTIONS[name]} {path}"))
        elif name in _FIND_LINKS and (origin.parent / value).exists():
            path = (origin.parent / value).resolve()
            found.requirements.append(Requirement(text=f"--find-links {path}"))
        elif name == "--no-binary" and value != ":none:":
            raise PackageError(
                f"{where}: `{line}` cannot be used.",
                why="What is built from its source distribution is named in the settings, so "
                "that it is the same whichever tool installs it.",
                fix=f"Remove the line, and add `allow_sdist: [{value}]` to the function.",
            )
        elif name in ("--no-binary", "--only-binary"):
            continue  # only wheels are installed
        elif name and name not in _EDITABLE:
            found.requirements.append(Requirement(text=line))
        else:
            found.requirements.append(_requirement(value, origin, where, environ))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    number = 1
    for line in _CONTINUED.sub("\0", text).splitlines():
        bare = _COMMENT.sub("", line.replace("\0", " ")).strip()
        if bare:
            yield number, bare
        number += 1 + line.count("\0")


def _existing(value: str, origin: Path, where: str, environ: Mapping[str, str]) -> Path:
    path = _absolute(value, origin, environ)
    if not path.exists():
        raise PackageError(
            f"{where}: {value} does not exist.",
            why=f"Paths are relative to {origin.parent}, the folder of the file.",
        )
    return path


def _absolute(value: str, origin: Path, environ: Mapping[str, str]) -> Path:
    expanded = _VARIABLE.sub(lambda match: environ.get(match[1], match[0]), value)
    return Path(os.path.normpath(origin.parent / Path(expanded.strip("'\"")).expanduser()))


def _requirement(body: str, origin: Path, where: str, environ: Mapping[str, str]) -> Requirement:
    match = _PARTS.fullmatch(body)
    what, tail = match.groups(default="") if match else (body, "")
    named = _NAMED.fullmatch(what)
    name, extras, target = named.groups(default="") if named else ("", "", what)
    if not named:
        target, extras = _EXTRAS.fullmatch(target).groups(default="")  # type: ignore[union-attr]
    scheme = _SCHEME.match(target)
    if scheme and scheme[1].lower() != "file" and len(scheme[1]) > 1:  # C: is a drive
        return _remote(target, name, extras, tail, where)
    if scheme and scheme[1].lower() == "file":
        target = local_path(target)
    elif not named and not _is_path(target):
        if "--hash" in tail and "==" not in what:
            raise PackageError(
                f"{where}: a hash identifies one version, but {what} allows several.",
                fix="Pin the version with `==`.",
            )
        plain = _NAME.match(what)
        return Requirement(text=body, name=normalize(plain[1]) if plain else "")
    return _local(_existing(target, origin, where, environ), name, extras, tail, where)


def _is_path(target: str) -> bool:
    return target.startswith(".") or "/" in target or os.sep in target or target.endswith(_ARCHIVES)


def _remote(target: str, name: str, extras: str, tail: str, where: str) -> Requirement:
    egg = _EGG.search(target)
    file = urlsplit(target).path.rpartition("/")[2]
    if not name and egg:
        name, extras = egg[1], egg[2] or extras
    if not name and file.endswith(_ARCHIVES) and "+" not in target.partition(":")[0]:
        name = _name_of_archive(file)
    if not name:
        raise PackageError(
            f"{where}: {_without_password(target)} has no name.",
            why="Its name is needed to build this package and no other.",
            fix="Write `name @ ` before it.",
        )
    return Requirement(
        text=_EGG.sub("", target),
        name=normalize(name),
        extras=extras,
        tail=tail,
        built=not file.endswith(".whl"),
        direct=True,
    )


def _local(path: Path, name: str, extras: str, tail: str, where: str) -> Requirement:
    if path.is_dir():
        found = name_of_project(path)
        if found is None:
            raise PackageError(
                f"{where}: {path} is not a Python project.",
                why="It has neither a pyproject.toml with a build system or a name, nor a "
                "setup.py.",
                fix="Add a pyproject.toml, or add the folder to `source`.",
            )
    else:
        found = _name_of_archive(path.name)
    return Requirement(
        text=path.as_uri(),
        name=normalize(name or found),
        extras=extras,
        tail=tail,
        built=path.suffix != ".whl",
        path=path,
        direct=True,
    )


def _name_of_archive(file: str) -> str:
    if file.endswith(".whl"):
        return file.partition("-")[0]
    stem = next((file.removesuffix(each) for each in _ARCHIVES if file.endswith(each)), file)
    return _SOURCE_VERSION.sub("", stem)


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def with_wheel(requirement: Requirement, wheel: Path, digest: str) -> Requirement:
    """Return the requirement with the wheel that was built for it; `digest` may be empty."""
    marker = re.sub(r"\s*--hash[ =]\S+", "", requirement.tail)
    if not requirement.direct:
        found = re.search(r";[^#]*?(?=\s+--|$)", requirement.text)
        marker, extras = (found[0] if found else ""), _NAME.match(requirement.text)
        requirement = replace(requirement, extras=(extras[2] or "") if extras else "")
    tail = f"{marker} --hash=sha256:{digest}" if digest else marker
    return replace(requirement, text=wheel.as_uri(), tail=tail, direct=True, built=False)
