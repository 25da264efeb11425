"""The archive of an OS-only runtime contains the program that the runtime starts."""

from __future__ import annotations

import zipfile
from typing import Any

import pytest

from tests.packaging.support import function, make_zip
from tests.support import Project

RUNTIME = {"Runtime": "provided.al2023", "Handler": "any", "requirements": "none"}
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:runtime:1"


def elf(machine: int) -> bytes:
    """Return the start of a Linux program."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0" + machine.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (b"#!/bin/sh\n", {}),
        (elf(62), {}),
        (elf(183), {"Architectures": ["arm64"]}),
        (b"\xcf\xfa\xed\xfe", {"Layers": [LAYER]}),  # the layer may have another
    ],
)
@pytest.mark.parametrize("build", [[], ["true"]])
def test_it_is_executable_whatever_its_mode(
    project: Project, content: bytes, settings: dict[str, Any], build: list[str]
) -> None:
    archive = function(project, **RUNTIME, **settings, build=build)
    (project.folder / "src" / "bootstrap").write_bytes(content)

    project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.getinfo("bootstrap").external_attr >> 16 & 0o777 == 0o755
        assert found.getinfo("app.py").external_attr >> 16 & 0o777 == 0o644


def test_so_is_what_it_links_to(project: Project) -> None:
    archive = function(project, **RUNTIME)
    (project.folder / "src" / "bin").mkdir()
    (project.folder / "src" / "bin" / "run").write_text("#!/bin/sh\n")
    (project.folder / "src" / "bootstrap").symlink_to("bin/run")

    project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.getinfo("bin/run").external_attr >> 16 & 0o777 == 0o755


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "The archive of hello does not contain bootstrap."),
        (b"", "bootstrap of hello is neither a Linux program nor a script."),
        (b"\xcf\xfa\xed\xfe", "bootstrap of hello is neither a Linux program nor a script."),
        (b"#!/bin/sh\r\n", "bootstrap of hello has Windows line breaks."),
        (elf(183), "bootstrap of hello is a program for arm64."),
    ],
)
def test_one_that_lambda_cannot_start_is_an_error(
    project: Project, content: bytes | None, says: str
) -> None:
    archive = function(project, **RUNTIME)
    if content is not None:
        (project.folder / "src" / "bootstrap").write_bytes(content)

    assert says in project.run("package", code=1).err
    assert not archive.exists()


@pytest.mark.parametrize(
    ("files", "mode", "says"),
    [
        ({"bootstrap": "#!/bin/sh\n"}, 0o644, "contains 'bootstrap', which is not executable."),
        ({"bin/bootstrap": ""}, 0o755, "does not contain bootstrap."),
        ({"bootstrap": "#!/bin/sh\n"}, 0o755, ""),
    ],
)
def test_that_of_a_prebuilt_archive_has_to_be_executable(
    project: Project, files: dict[str, str], mode: int, says: str
) -> None:
    function(project, **RUNTIME, source=None, archive="made.zip")
    make_zip(project.folder / "made.zip", files, mode)

    assert says in project.run("package", code=1 if says else 0).err
