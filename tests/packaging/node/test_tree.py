"""A package finds in the tree that is laid out what it finds where the installer put it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.errors import PackageError
from tasks_aws.packaging.node.tree import lay_out


def package(folder: Path, version: str = "1", **manifest: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"version": version, **manifest}))
    return folder


def versions(root: Path) -> dict[str, str]:
    """Return the packages of a tree, as `name` or `name/nested`, with their versions."""
    found = {}
    for path in (root / "node_modules").rglob("package.json"):
        name = path.parent.relative_to(root / "node_modules").as_posix()
        found[name.replace("/node_modules/", "/")] = json.loads(path.read_text())["version"]
    return found


def test_each_package_keeps_the_version_that_it_found(tmp_path: Path) -> None:
    root, target = tmp_path / "root", tmp_path / "target"
    app = package(root / "packages" / "app", dependencies={"x": "1", "y": "1"})
    package(app / "node_modules" / "x", "1")
    package(root / "node_modules" / "x", "2", dependencies={"z": "2"})
    package(root / "node_modules" / "y", dependencies={"x": "2", "z": "1"})
    package(root / "node_modules" / "y" / "node_modules" / "z", "1")
    package(root / "node_modules" / "z", "2")
    package(root / "node_modules" / "unused")

    lay_out(app, target, within=root, machine="x64")

    assert versions(target) == {"x": "1", "y": "1", "y/x": "2", "z": "1", "y/x/z": "2"}


def test_links_of_a_store_become_folders(tmp_path: Path) -> None:
    root, target = tmp_path / "root", tmp_path / "target"
    app = package(root, dependencies={"@scope/x": "1"})
    store = root / "node_modules" / ".store"
    x = package(store / "x" / "node_modules" / "@scope" / "x", dependencies={"y": "1"})
    y = package(store / "y" / "node_modules" / "y", dependencies={"@scope/x": "1"})
    (root / "node_modules" / "@scope").mkdir()
    for link, to in (
        (root / "node_modules" / "@scope" / "x", x),
        (store / "x" / "node_modules" / "y", y),
        (store / "y" / "node_modules" / "@scope", x.parent),
    ):
        link.symlink_to(to)

    lay_out(app, target, within=root, machine="x64")

    assert versions(target) == {"@scope/x": "1", "y": "1"}
    assert not any(path.is_symlink() for path in target.rglob("*"))


def test_versions_that_need_each_other_are_an_error(tmp_path: Path) -> None:
    first = package(tmp_path / "1" / "node_modules" / "x", "1", dependencies={"x": "2"})
    second = package(tmp_path / "2" / "node_modules" / "x", "2", dependencies={"x": "1"})
    app = package(tmp_path / "app", dependencies={"x": "1"})
    for folder, to in ((app, first), (first, second), (second, first)):
        (folder / "node_modules").mkdir()
        (folder / "node_modules" / "x").symlink_to(to)

    with pytest.raises(PackageError, match="form a circle"):
        lay_out(app, tmp_path / "target", within=tmp_path, machine="x64")


@pytest.mark.parametrize(
    ("manifest", "ships"),
    [
        ({"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]}, True),
        ({"os": "!win32"}, True),
        ({"os": ["darwin"]}, False),
        ({"cpu": ["!x64"]}, False),
        ({"libc": ["musl"]}, False),
    ],
)
def test_only_what_runs_on_lambda_ships(
    tmp_path: Path, manifest: dict[str, Any], *, ships: bool
) -> None:
    root, target = tmp_path / "root", tmp_path / "target"
    package(root / "node_modules" / "native", **manifest)
    app = package(root / "app", optionalDependencies={"native": "1"})
    strict = package(root / "strict", dependencies={"native": "1"})

    lay_out(app, target, within=root, machine="x64")

    assert bool(versions(target)) == ships
    if not ships:
        with pytest.raises(PackageError, match="native does not run on Linux x64"):
            lay_out(strict, target, within=root, machine="x64")
