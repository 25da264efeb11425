"""Any tree of files: an archive that equals it, always the same, or one clear message."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import unicodedata
import zipfile
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

import tasks_aws
from tests.properties.sandbox import Sandbox, sandbox

# With everything that is left out by default brought back, and nothing installed or looked for.
FUNCTION = {
    "source": "src",
    "include": ["*"],
    "requirements": "none",
    "Handler": "Handler",
    "Runtime": "java21",
    "Role": "arn:aws:iam::123456789012:role/x",
}
AWS = {"functions": {"f": FUNCTION}}


class Node(NamedTuple):
    """A file, a folder, a link or a pipe of a tree."""

    path: bytes
    kind: str
    content: bytes = b""  # of a link, where it leads
    mode: int = 0o644
    seconds: int = 0  # of its time


_ODD_NAMES = [
    *("a", "A", "ab", "b", "app.py", "ß", "ss", "SS", "ü", "u\u0308", "é", "e\u0301", "\u0130"),
    *("\ufb01", "fi", "💥", "new\nline", "tab\t", "\x1b[31m", "\x7f", "\u202eb", "back\\slash"),
    *("C:", "CON", "con.py", "a ", " a", "a.", "-rf", "*", "?", "[a]", "!a", "#a", "~", "$(x)"),
    *("%s", "..a", "...", ".git", ".env", "x.pem", "__pycache__", "x.pyc", ".lambdaignore."),
    *("n" * 255, "ü" * 127),
]
_name = st.one_of(
    st.sampled_from(_ODD_NAMES).map(os.fsencode),
    st.sampled_from(["a", "b", "c"]).map(os.fsencode),
    st.text(min_size=1, max_size=8).map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(min_size=1, max_size=6),
).filter(lambda name: name not in (b".", b"..", b".lambdaignore") and not {0, 47} & {*name})
_path = st.lists(_name, min_size=1, max_size=4).map(b"/".join)
# None that leads to the whole machine, which would be packaged.
_targets = st.one_of(
    _path,
    st.sampled_from([b".", b"..", b"../src", b"../outside", b"../outside/file", b"/etc/passwd"]),
    st.sampled_from([b"/opt/x", b"/tmp/x", b"/var/task", b"/dev/zero", b"/proc/self/fd/0"]),
    st.sampled_from([b"a", b"a/b", b"b", b"../a", b"../src/a", b"nowhere", b"\xff", b"x" * 300]),
)
_seconds = st.integers(-(2**31), 2**33)
_contents = st.one_of(st.binary(max_size=200), st.sampled_from([b"", b"a" * 3000, bytes(3)]))
_plain = st.builds(
    Node,
    _path,
    st.sampled_from(["file", "file", "folder"]),
    _contents,
    st.sampled_from([0o644, 0o755, 0o600, 0o000, 0o777, 0o6755, 0o111]),
    _seconds,
)
_links = st.builds(Node, _path, st.just("link"), _targets)
_pipes = st.builds(Node, _path, st.just("pipe"))
trees = st.lists(st.one_of(_plain, _plain, _plain, _links, _pipes), max_size=8)


def build(root: Path, nodes: list[Node]) -> None:
    """Make as much of a tree as the file system lets one make; what comes first wins."""
    root.mkdir()
    for node in nodes:
        path = root / os.fsdecode(node.path)
        try:
            for parent in [*path.parents][-len(root.parts) - 1 :: -1]:
                parent.mkdir(exist_ok=True)
            if not path.parent.resolve().is_relative_to(root.resolve()):
                continue  # it would be made elsewhere, through a link of the tree
            if node.kind == "file":
                with path.open("xb") as file:
                    file.write(node.content)
                path.chmod(node.mode)
                os.utime(path, (node.seconds, node.seconds))
            elif node.kind == "folder":
                path.mkdir()
            elif node.kind == "link":
                path.symlink_to(os.fsdecode(node.content))
            else:
                os.mkfifo(path)
        except (OSError, OverflowError, RuntimeError):
            continue


def composed(path: str) -> str:
    return unicodedata.normalize("NFC", os.fsencode(path).decode())


def walk(root: Path) -> tuple[dict[str, Path], list[str], bool]:
    """Return a tree's files and its links, by name, and whether there is anything else in it."""
    files, links, odd = {}, [], False
    for folder, names, others in os.walk(root):
        for path in (Path(folder, name) for name in [*names, *others]):
            name, mode = str(path.relative_to(root)), path.lstat().st_mode
            if stat.S_ISLNK(mode):
                links.append(name)
            elif stat.S_ISREG(mode):
                files[name] = path
            elif not stat.S_ISDIR(mode):
                odd = True
    return files, links, odd


def snapshot(box: Sandbox) -> dict[str, Any]:
    """Return everything outside of the build folder, by path; links are not followed."""
    found: dict[str, Any] = {}
    built = box.project / ".tasks_aws"
    for folder, names, others in os.walk(box.project.parent):
        names[:] = [name for name in names if Path(folder, name) != built or built.is_symlink()]
        for path in (Path(folder, name) for name in [*names, *others]):
            mode = path.lstat().st_mode
            content: Any = None
            if stat.S_ISREG(mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(mode):
                content = path.readlink()
            found[str(path)] = (mode, content)
    return found


def packaged(nodes: list[Node], aws: dict[str, Any] = AWS) -> tuple[str | None, bytes]:
    """Package a tree; return what was said and the archive, once all is seen to be in order."""
    with sandbox() as box:
        outside = box.project / "outside"
        outside.mkdir()
        (outside / "file").write_text("outside")
        (outside / "again").symlink_to("../outside")
        source = box.project / "src"
        build(source, nodes)
        before = snapshot(box)

        said = box.refused(tasks_aws.package, aws)

        assert snapshot(box) == before
        archive = box.project / ".tasks_aws" / "f.zip"
        if said is not None:
            assert not archive.exists()
            _check_refusal(source, said)
            return said, b""
        _check_archive(source, archive)
        content = archive.read_bytes()
        assert box.refused(tasks_aws.package, aws) is None
        assert archive.read_bytes() == content
        return None, content


def _check_refusal(source: Path, said: str) -> None:
    """Plain files of distinct names are never refused."""
    files, links, odd = walk(source)
    if links or odd or not files:
        return
    try:
        names = [composed(name) for name in files]
    except UnicodeDecodeError:
        assert "not UTF-8" in said
        return
    folded = {name.casefold() for name in names}
    folders = {str(folder) for name in folded for folder in PurePosixPath(name).parents}
    assert len(folded) < len(names) or folders & folded, said


def _check_archive(source: Path, archive: Path) -> None:
    files, links, odd = walk(source)
    assert not odd
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None
        infos = {info.filename: info for info in found.infolist()}
        assert len(infos) == len(found.infolist())
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in infos.values())
        for name, path in files.items():
            info = infos.pop(composed(name))
            executable = path.stat().st_mode & stat.S_IXUSR
            assert info.external_attr >> 16 == stat.S_IFREG | (0o755 if executable else 0o644)
            assert found.read(info) == path.read_bytes()
        through = [composed(link) for link in links]
        for name, info in infos.items():  # what is left is a link, or was found behind one
            assert any(name == link or name.startswith(f"{link}/") for link in through)
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            if stat.S_ISLNK(info.external_attr >> 16):
                target = found.read(info).decode()
                leads = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
                on_lambda = f"{target}/".startswith(("/opt/", "/tmp/", "/var/task/"))
                assert on_lambda or not leads.startswith(("..", "/"))
    event("with links" if links else "without links")


@given(trees)
@example([Node(b"a", "file"), Node(b"A", "file")])
@example([Node(b"a", "folder"), Node(b"b", "link", b"a")])
@example([Node(b"a", "link", b"../outside"), Node(b"b", "file")])
@example([Node(b"a", "link", b"..")])
@example([Node(b"a", "file"), Node(b"a/a", "file")])
def test_any_tree(nodes: list[Node]) -> None:
    said, content = packaged(nodes)
    event("refused" if said else "packaged")
    if said is None:
        again = [node._replace(seconds=node.seconds // 2) for node in nodes]
        paths = sorted({node.path + b"/" for node in nodes if node.kind == "file"})
        apart = not any(later.startswith(path) for path, later in pairwise(paths))
        if len(paths) == len(nodes) and apart:
            again.reverse()  # made in another order, the same tree comes of it
        assert packaged(again) == (None, content)


@given(
    st.lists(_plain, max_size=6),
    st.binary(max_size=40)
    | st.sampled_from([b"**/" * 20, b"[" * 30, b"!", b"\\", b"a\0b", b"*" * 60 + b"b"]),
    st.binary(max_size=30),
)
@example([Node(b"n" * 255, "file")], b"*" * 60 + b"b", b"")
def test_any_ignore_file(nodes: list[Node], own: bytes, of_project: bytes) -> None:
    with sandbox() as box:
        build(box.project / "src", [Node(b".lambdaignore", "file", own), *nodes])
        (box.project / ".lambdaignore").write_bytes(of_project)
        before = snapshot(box)

        box.refused(tasks_aws.package, {"functions": {"f": {**FUNCTION, "include": []}}})

        assert snapshot(box) == before


@given(st.lists(_plain | _links, max_size=6))
def test_what_is_staged_stays_in_its_folder(nodes: list[Node]) -> None:
    with sandbox() as box:
        (box.project / "outside").mkdir()
        build(box.project / "src", nodes)
        before = snapshot(box)

        box.refused(tasks_aws.package, {"functions": {"f": {**FUNCTION, "build": ["true"]}}})
        box.refused(tasks_aws.build, AWS)

        assert snapshot(box) == before


@pytest.mark.parametrize(
    "name",
    ["", ".gitignore", ".lock", ".locks", ".dependencies", "f", "f.zip", "f.index", "f.unfinished"],
)
def test_links_in_the_build_folder_lead_nowhere(name: str) -> None:
    with sandbox() as box:
        build(box.project / "src", [Node(b"a", "file")])
        other = box.project / "outside"
        other.mkdir()
        (other / "file").write_text("theirs")
        link = box.project / ".tasks_aws" / name
        if name:
            box.refused(tasks_aws.package, {"functions": {"other": FUNCTION}})
        if name in (".gitignore", ".lock"):
            link.unlink()
        if name == ".locks":
            shutil.rmtree(link)
        link.symlink_to(other if name in ("", "f", ".locks", ".dependencies") else other / "file")
        before = snapshot(box)

        for task in (tasks_aws.build, tasks_aws.package):
            box.refused(task, AWS)
            assert snapshot(box) == before
        refused = box.refused(tasks_aws.clean, AWS) or ""
        assert ("is a link" in refused) == (name == ".gitignore")
        assert {**snapshot(box), str(link): before.get(str(link))} == {
            **before,
            str(link): before.get(str(link)),
        }


def test_folders_in_folders_without_end() -> None:
    with sandbox() as box:
        build(box.project / "src", [Node(b"a/" * 1100 + b"a", "file")])
        try:
            assert "nested too deeply" in str(box.refused(tasks_aws.package, AWS))
        finally:  # too deep for Python's own
            os.spawnlp(os.P_WAIT, "rm", "rm", "-r", str(box.project / "src"))
