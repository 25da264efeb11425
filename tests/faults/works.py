"""Work that may be killed at any moment: what it is, and what has to be whole whenever it ends.

A new kind of work joins by being another `Work`; see `test_kill`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tasks_aws.packaging import archive_index
from tasks_aws.packaging.archive import describe_writer
from tests.faults.scenarios import Assuming, Deploying
from tests.packaging.support import FUNCTION
from tests.support import Project

FILES = 60


class Work(Protocol):
    """A command, and the files that it makes."""

    words: tuple[str, ...]
    project: Project

    def prepare(self) -> None:
        """Give it something to do."""

    def learn(self) -> None:
        """Take what there is after an undisturbed run as what has to be after others."""

    def broken(self) -> Iterator[str]:
        """Say what looks finished and is not."""

    def left(self) -> Sequence[str]:
        """Return what is there only while it is at work."""

    def missing(self) -> Iterator[str]:
        """Say what is not as it has to be after a run that nobody ended."""


@dataclass
class Packaging:
    """A build, or a zip, of a folder in which something has changed."""

    project: Project
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        self._output = self.project.folder / ".tasks_aws"
        self._source = self.project.folder / "src"
        self._source.mkdir()
        building = {"build": ["echo built > built"]} if self.words == ("build",) else {}
        self.project.settings(functions={"hello": {**FUNCTION, **building}})
        made = random.Random(0)
        for number in range(FILES):
            (self._source / f"data{number}").write_bytes(made.randbytes(20_000) * 2)
        self._numbers = iter(range(1_000_000))

    def prepare(self) -> None:
        text = f"def handler(event, context): return {next(self._numbers)}\n"
        (self._source / "app.py").write_text(text)

    def learn(self) -> None:
        pass  # what there has to be is known

    def broken(self) -> Iterator[str]:
        staged = self._output / "hello"
        if staged.exists() and len(list(staged.iterdir())) != FILES + 2:  # app.py and built
            yield f"the folder has {len(list(staged.iterdir()))} files"
        yield from broken_archives(self._output)

    def left(self) -> Sequence[str]:
        return unfinished_files(self._output)

    def missing(self) -> Iterator[str]:
        if self.words == ("build",):
            text = (self._output / "hello" / "app.py").read_text()
        else:
            with zipfile.ZipFile(self._output / "hello.zip") as found:
                text = found.read("app.py").decode()
        if text != (self._source / "app.py").read_text():
            yield "what was made is not of the newest source"


def broken_archives(output: Path) -> Iterator[str]:
    """Say which archives cannot be read, or are not what their index says."""
    for path in output.glob("*.zip"):
        try:
            with zipfile.ZipFile(path) as found:
                bad, names = found.testzip(), found.namelist()
        except zipfile.BadZipFile as error:
            yield f"{path.name}: {error}"
            continue
        if bad:
            yield f"{path.name}: {bad} is broken"
        known = archive_index.load(path, writer=describe_writer())
        if known is None:  # it is of another archive, and will not be used
            continue
        digest = base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
        if digest != known.code_sha256 or names != [each.member.name for each in known.members]:
            yield f"{path.name} is not what its index says"


def unfinished_files(output: Path) -> Sequence[str]:
    """Return what lies in the output folder and was never finished."""
    finished = (".gitignore", ".lock", ".locks", ".dependencies")
    return [
        path.name
        for path in output.glob("*")
        if path.name not in finished and not path.name.startswith(("hello", "lib."))
    ]


@dataclass
class Uploading:
    """A deploy through S3."""

    deploying: Deploying

    def __post_init__(self) -> None:
        self.project, self.words = self.deploying.project, self.deploying.words
        self.prepare, self.learn = self.deploying.prepare, self.deploying.learn

    def broken(self) -> Iterator[str]:
        yield from broken_archives(self.project.folder / ".tasks_aws")
        yield from filter(None, [self.deploying.mixed()])

    def left(self) -> Sequence[str]:
        return unfinished_files(self.project.folder / ".tasks_aws")

    def missing(self) -> Iterator[str]:
        yield from filter(None, [self.deploying.missing()])


@dataclass
class Caching:
    """An `assume` that finds no session, and keeps two."""

    assuming: Assuming

    def __post_init__(self) -> None:
        self.project, self.words = self.assuming.project, self.assuming.words
        self.prepare, self.learn = self.assuming.prepare, self.assuming.learn

    def broken(self) -> Iterator[str]:
        yield from filter(None, [self.assuming.mixed()])

    def left(self) -> Sequence[str]:
        folder = self.project.home / ".aws" / "cli" / "cache"
        return [each.name for each in folder.glob("*") if each.suffix not in (".json", ".lock")]

    def missing(self) -> Iterator[str]:
        yield from filter(None, [self.assuming.missing()])


@dataclass
class LocalAws:
    """The task `local`, and a task that finds out who it is there."""

    project: Project
    words: tuple[str, ...] = ("local", "assume", "whoami")

    def __post_init__(self) -> None:
        self.project.tasks("from tasks_aws import *\nfrom tasks_aws.local import local\n")
        role = "arn:aws:iam::000000000000:role/deployer"
        self.project.settings(profile="developer", role_arn=role)
        self._temporary = self.project.folder.parent / "tmp"
        self._temporary.mkdir()
        self.project.environ["TMPDIR"] = str(self._temporary)

    def prepare(self) -> None:
        pass

    def learn(self) -> None:
        pass

    def broken(self) -> Iterator[str]:
        """Say which MiniStack is still there; it gets a while to see that nobody needs it."""
        deadline = time.monotonic() + 20
        while (left := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield from (f"it still runs: {each}" for each in left)

    def left(self) -> Sequence[str]:
        return [path.name for path in self._temporary.iterdir()]

    def missing(self) -> Iterator[str]:
        yield from ()

    def _processes(self) -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if "local/server.py" in command and os.fsencode(self._temporary) in environ:
                found.append(command)
        return found
