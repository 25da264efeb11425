"""Lambda's limits are checked before anything is uploaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks_aws.packaging.archive import Archive
from tasks_aws.packaging.limits import check_size, summarize
from tests.packaging.support import function
from tests.support import Project


def test_an_archive_that_is_too_large_names_the_largest_parts(project: Project) -> None:
    archive = function(project)
    for name, count in (("huge", 5), ("large", 1)):
        (project.folder / "src" / name).mkdir()
        for index in range(count):
            with (project.folder / "src" / name / str(index)).open("wb") as file:
                file.truncate(50 << 20)  # of zeros, and no blocks on the disk

    message = project.run("package", code=1).err

    assert "hello is 314.6 MB unzipped; Lambda's limit is 250 MiB (262.1 MB)." in message
    assert "The largest parts: huge 262.1 MB, large 52.4 MB" in message
    assert "or remove dependencies. `invoke package --report` shows which.\n" in message
    assert archive.stat().st_size < 1 << 20


def test_near_a_limit_the_ten_largest_packages_are_named(project: Project) -> None:
    archive = function(project)
    for index in range(12):
        folder = project.folder / "src" / f"package{index}"
        folder.mkdir()
        with (folder / "zeros").open("wb") as file:
            file.truncate((12 + index) << 20)

    message = project.run("package").err

    assert "unzipped, 84 % of the 250 MiB unzipped limit, " in message
    sizes = [f"package{index} {(12 + index) * 1.048576:.1f} MB" for index in range(11, 1, -1)]
    assert f"The largest parts: {', '.join(sizes)}.\n" in message
    assert archive.exists()


def archive_of(size: int, unzipped: int, files: int = 2) -> Archive:
    return Archive(
        path=Path("a.zip"),
        size=size,
        unzipped=unzipped,
        files=files,
        code_sha256="",
        digest="",
        sizes=[("app.py", unzipped)],
    )


@pytest.mark.parametrize(
    ("archive", "summary"),
    [
        (archive_of(1000, 2000, files=1), "1.0 kB, 1 file, 2.0 kB unzipped"),
        (archive_of(25 << 20, 125 << 20), "26.2 MB, 2 files, 131.1 MB unzipped"),
        (
            archive_of(31 << 20, 32 << 20),
            "32.5 MB, 2 files, 33.6 MB unzipped, 62 % of the 50 MiB upload limit",
        ),
        (
            archive_of(60 << 20, 200 << 20),
            "62.9 MB, 2 files, 209.7 MB unzipped, 120 % of the 50 MiB upload limit, "
            "80 % of the 250 MiB unzipped limit",
        ),
    ],
)
def test_the_summary_names_a_limit_that_is_more_than_half_used(
    archive: Archive, summary: str
) -> None:
    assert summarize(archive) == summary


def test_an_archive_for_s3_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    check_size("hello", archive_of(60 << 20, 70 << 20))

    assert capsys.readouterr().err == (
        "warning   hello is at 120 % of the 50 MiB upload limit. The largest parts: app.py 73.4 MB."
        "\nzip       hello  exceeds the limit for direct uploads, so `deploy` uploads it through "
        "S3\n"
    )
