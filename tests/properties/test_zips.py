"""Any zip that others made, and any code that AWS gives back: used, or refused as a whole."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
import zlib

from hypothesis import event, example, given
from hypothesis import strategies as st

import tasks_aws
from tasks_aws.aws_lambda.download import unpack_archive
from tasks_aws.errors import PackageError
from tests.properties.sandbox import sandbox
from tests.properties.test_zip_trees import FUNCTION, snapshot

_parts = st.sampled_from(
    [
        *("..", ".", "", "a", "b", "p", "q", "A", "c:", "a\\b", "..\\x", "ü", "\ud800", "\n"),
        "x" * 300,
    ]
)
_names = st.lists(_parts, min_size=1, max_size=4).map("/".join) | st.text(max_size=8)
_modes = st.sampled_from(
    [
        0,
        0o644,
        0o755,
        0o6777,
        *(kind | 0o777 for kind in (stat.S_IFLNK, stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO)),
    ]
)
_members = st.lists(
    st.tuples(
        _names,
        _modes,
        st.sampled_from(
            [b"", b"..", b".", b"a", b"q/..", b"p", b"../x", b"/tmp", b"\xff", b"\0", b"x" * 400]
        )
        | st.binary(max_size=9),
        st.sampled_from(
            [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        ),
    ),
    max_size=6,
)


def made(members: list[tuple[str, int, bytes, int]]) -> bytes:
    """Return a zip of names, modes, contents and methods."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members of one name
        for name, mode, content, method in members:
            info = zipfile.ZipInfo(name.encode(errors="replace").decode())
            info.external_attr = mode << 16
            file.writestr(info, content, compress_type=method)
    return archive.getvalue()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A zip with some bytes changed, most of them in its headers."""
    content = bytearray(made(draw(_members)) or b"PK")
    headers = [at for at in range(len(content)) if content[at : at + 2] == b"PK"]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from(headers or [0])) + draw(st.integers(0, 50))
        if at < len(content):
            content[at] = draw(st.integers(0, 255))
    end: int = draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    return bytes(content[:end])


_zips = st.one_of(
    _members.map(made), _members.map(made), damaged(), damaged(), st.binary(max_size=60)
)


def bomb() -> bytes:
    """A small zip whose members say that they are a tebibyte, and all have the same data."""
    name, size = b"zeros", 0xFFFFFFFE
    packed = zlib.compress(bytes(1 << 20))[2:-4]
    crc = zlib.crc32(bytes(1 << 20))
    data = (0, 8, 0, 33, crc, len(packed), size, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, *data) + name + packed
    central = (struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *data, *[0] * 5) + name) * 256
    sizes = (256, 256, len(central), len(local))
    return local + central + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *sizes, 0)


LINKS_THROUGH_LINKS = made(
    [
        (name, stat.S_IFLNK | 0o777, target, 0)
        for name, target in [("p", b"q/.."), ("q", b"."), ("p/evil", b"q")]
    ]
)


@given(_zips)
@example(LINKS_THROUGH_LINKS)
@example(bomb())
@example(made([("", 0, b"", zipfile.ZIP_STORED)]))
@example(made([("a", 0, b"", zipfile.ZIP_STORED), ("../", 0, b"", zipfile.ZIP_STORED)]))
@example(made([("a", 0, b"", 0), ("b/", 0, b"", 0)]).replace(b"b/PK", b"c/PK"))
def test_any_zip_that_others_made(content: bytes) -> None:
    with sandbox() as box:
        (box.project / "made.zip").write_bytes(content)
        before = snapshot(box)
        aws = {"functions": {"f": {**FUNCTION, "source": None, "archive": "made.zip"}}}

        said = box.refused(tasks_aws.package, aws)

        assert snapshot(box) == before
        event("refused" if said else "taken")
        if said is None:
            with zipfile.ZipFile(box.project / "made.zip") as file:
                assert file.testzip() is None


@given(_zips)
@example(LINKS_THROUGH_LINKS)
@example(bomb())
@example(made([("", 0, b"", zipfile.ZIP_STORED)]))
def test_any_code_that_is_fetched(content: bytes) -> None:
    with sandbox() as box:
        before = snapshot(box)
        folder = box.project / "fetched"

        try:
            unpack_archive(content, folder)
        except PackageError:
            assert snapshot(box) == before
            return

        after = snapshot(box)
        inside = str(folder)
        assert {path: each for path, each in after.items() if not path.startswith(inside)} == before
        for path in folder.rglob("*"):
            assert path.resolve().is_relative_to(folder)
