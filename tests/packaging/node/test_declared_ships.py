"""What a Node.js project declares is what ships: every layout with every package manager."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.npm_registry import NpmRegistry, serve_npm
from tests.packaging.node.managers import MANAGERS, Manager, use_manager
from tests.packaging.support import text
from tests.support import Project

# The packages of an archive are written as `name` or `name/nested`, with their versions.
USES = {"uses": "1.0.0", "uses/plain": "2.0.0"}
NATIVE = {"native": "1.0.0", "native-arm64": "1.0.0"}


@pytest.fixture(scope="module")
def registry() -> Iterator[NpmRegistry]:
    with serve_npm() as registry:
        registry.publish("plain", "1.0.0")
        registry.publish("plain", "2.0.0")
        registry.publish("uses", dependencies={"plain": "^2.0.0"})
        registry.publish("leaf")
        registry.publish("devtool")
        platforms = {
            "native-x64": {"os": ["linux"], "cpu": ["x64"]},
            "native-arm64": {"os": ["linux"], "cpu": ["arm64"], "libc": ["glibc"]},
            "native-musl": {"os": ["linux"], "cpu": ["arm64"], "libc": ["musl"]},
            "native-mac": {"os": ["darwin"], "cpu": ["arm64"]},
        }
        for name, platform in platforms.items():
            registry.publish(name, "1.0.0", code="", **platform)
        registry.publish("native", optionalDependencies=dict.fromkeys(platforms, "1.0.0"))
        yield registry


@pytest.fixture(params=MANAGERS)
def manager(request: pytest.FixtureRequest, project: Project, registry: NpmRegistry) -> Manager:
    """Each package manager in turn."""
    return use_manager(request.param, project, registry)


@pytest.fixture
def npm(project: Project, registry: NpmRegistry) -> Manager:
    return use_manager("npm", project, registry)


def function(project: Project, source: object = "src", **settings: object) -> Path:
    project.settings(
        functions={
            "hello": {
                "source": source,
                "Runtime": "nodejs22.x",
                "Handler": "index.handler",
                "Architectures": ["arm64"],
                **settings,
            }
        }
    )
    return project.folder / ".tasks_aws" / "hello.zip"


def shipped(archive: Path) -> dict[str, str]:
    """Return the packages in an archive. Raises if it contains a link, or none of their files."""
    found = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            assert entry.external_attr >> 28 != 0o12, f"{entry.filename} is a link"
            if "node_modules/" in entry.filename and entry.filename.endswith("/package.json"):
                folder = entry.filename.removesuffix("/package.json")
                assert f"{folder}/index.js" in opened.namelist()
                name = folder.partition("node_modules/")[2].replace("/node_modules/", "/")
                found[name] = json.loads(opened.read(entry))["version"]
    return found


class TestLayouts:
    """One archive, whoever wrote the lock, and wherever it is."""

    def test_beside_the_source_with_packages_of_the_project(self, manager: Manager) -> None:
        local = {"own": "file:../libs/own", "packed": "file:../libs/packed.tgz"}
        manager.package(
            "src",
            "hello",
            dependencies={"plain": "1.0.0", "uses": "1.0.0", "native": "1.0.0", **local},
            devDependencies={"devtool": "1.0.0"},
        )
        own = manager.package("libs/own", "own")
        manager.tarball("libs/packed.tgz", "packed")
        manager.write_lock("src")
        archive = function(manager.project)

        manager.project.run("package")
        first = text(archive, "node_modules/own/index.js")
        (own / "index.js").write_text("second\n")
        if manager.name == "yarn-berry":  # its lock contains a hash of the folder
            manager.write_lock("src")
        manager.project.run("package")

        wanted = {"plain": "1.0.0", **USES, **NATIVE, "own": "1.0.0", "packed": "1.0.0"}
        assert shipped(archive) == wanted
        assert first == "exports.handler = async () => 'first'\n"
        assert text(archive, "node_modules/own/index.js") == "second\n"

    def test_a_member_of_a_workspace(self, manager: Manager) -> None:
        manager.package(
            ".",
            "root",
            dependencies={"plain": "2.0.0"},
            devDependencies={"devtool": "1.0.0"},
            **manager.workspace("packages/*"),
        )
        manager.package(
            "packages/api",
            "api",
            dependencies={
                "plain": "1.0.0",
                "uses": "1.0.0",
                "native": "1.0.0",
                "lib": manager.sibling(),
            },
            scripts={"prepare": "is-not-there"},
        )
        lib = manager.package("packages/lib", "lib", dependencies={"leaf": "1.0.0"})
        manager.package("packages/other", "other", dependencies={"devtool": "1.0.0"})
        manager.write_lock()
        archive = function(manager.project, "packages/api")
        (lib / ".env").write_text("PASSWORD=x\n")
        wanted = {"plain": "1.0.0", **USES, **NATIVE, "lib": "1.0.0", "leaf": "1.0.0"}

        manager.project.run("package")
        first = shipped(archive), text(archive, "node_modules/lib/index.js")
        (lib / "index.js").write_text("second\n")
        manager.project.run("package")

        assert first == (wanted, "exports.handler = async () => 'first'\n")
        assert text(archive, "node_modules/lib/index.js") == "second\n"
        assert b".env" not in archive.read_bytes()
        assert "cached" in manager.project.run("package").err

    def test_the_root_of_a_workspace_above_the_source(self, manager: Manager) -> None:
        manager.package(
            ".",
            "root",
            dependencies={"plain": "2.0.0", "lib": manager.sibling()},
            **manager.workspace("packages/*"),
        )
        manager.package("packages/lib", "lib", dependencies={"leaf": "1.0.0"})
        manager.package("packages/other", "other", dependencies={"uses": "1.0.0"})
        manager.package("build/dist", "hello").joinpath("package.json").unlink()
        manager.write_lock()
        archive = function(manager.project, "build/dist")

        manager.project.run("package")

        assert shipped(archive) == {"plain": "2.0.0", "lib": "1.0.0", "leaf": "1.0.0"}

    def test_two_sources_with_a_lock_each(self, npm: Manager) -> None:
        for name, wanted in (("app", {"native": "1.0.0"}), ("shared", {"leaf": "1.0.0"})):
            npm.package(name, name, dependencies={"uses": "1.0.0", **wanted})
            npm.write_lock(name)
        archive = function(
            npm.project, [{"app": "app"}, {"shared": "shared"}], Handler="app/index.handler"
        )

        npm.project.run("package")

        assert shipped(archive) == {"uses": "1.0.0", "plain": "2.0.0", "leaf": "1.0.0", **NATIVE}


class TestLocks:
    """A lock that cannot be trusted is an error, and nothing is packaged."""

    @pytest.mark.parametrize("layout", ["alone", "member"])
    def test_a_stale_lock(self, manager: Manager, layout: str) -> None:
        if layout == "member":
            manager.package(".", "root", **manager.workspace("packages/*"))
        folder = "packages/api" if layout == "member" else "src"
        path = manager.package(folder, "api", dependencies={"plain": "1.0.0"})
        root = "." if layout == "member" else folder
        manager.write_lock(root)
        manifest = (path / "package.json").read_text()
        (path / "package.json").write_text(manifest.replace('"plain": "1.0.0"', '"plain": "2.0.0"'))
        archive = function(manager.project, folder)

        message = manager.project.run("package", code=1).err

        place = (manager.project.folder / root).resolve()
        assert "plain" in message
        assert f"run `{manager.program} install` in {place} and commit it" in message
        assert "Usage" not in message
        assert not archive.exists()

    def test_a_package_without_a_lock(self, npm: Manager) -> None:
        path = npm.package("src", "hello", dependencies={"plain": "1.0.0"})
        function(npm.project)

        message = npm.project.run("package", code=1).err

        assert f"{path / 'package.json'} has dependencies, but there is no lock" in message
        assert f"Run `npm install` in {path}" in message

    def test_a_member_that_is_not_in_the_lock(self, manager: Manager) -> None:
        manager.package(".", "root", **manager.workspace("packages/*"))
        manager.package("packages/lib", "lib", dependencies={"leaf": "1.0.0"})
        manager.write_lock()
        manager.package("packages/api", "api", dependencies={"plain": "1.0.0"})
        function(manager.project, "packages/api")

        message = manager.project.run("package", code=1).err

        assert f"run `{manager.program} install`" in message

    @pytest.mark.parametrize(
        ("lock", "content", "program"),
        [
            ("package-lock.json", "{}", "npm"),
            ("pnpm-lock.yaml", "", "pnpm"),
            ("yarn.lock", "# yarn lockfile v1\n", "yarn"),
            ("yarn.lock", "\n__metadata:\n", "yarn"),
        ],
    )
    def test_a_program_that_is_missing(
        self, project: Project, lock: str, content: str, program: str
    ) -> None:
        source = Manager("npm", project).package("src", "hello", dependencies={"plain": "1.0.0"})
        (source / lock).write_text(content)
        function(project)

        message = project.run("package", code=1, environ={"PATH": os.devnull}).err

        assert f"why: {program} is not on PATH.\n  fix: Install " in message

    def test_a_newer_yarn_lock_with_an_older_yarn(
        self, project: Project, registry: NpmRegistry
    ) -> None:
        yarn = use_manager("yarn-classic", project, registry)
        yarn.package("src", "hello", dependencies={"plain": "1.0.0"})
        (project.folder / "src" / "yarn.lock").write_text("# x\n\n__metadata:\n  version: 8\n")
        function(project)

        message = project.run("package", code=1).err

        assert "was written by Yarn 2 or later, but `yarn` is version 1." in message

    def test_plug_n_play(self, project: Project, registry: NpmRegistry) -> None:
        yarn = use_manager("yarn-berry", project, registry)
        path = yarn.package("src", "hello", dependencies={"plain": "1.0.0"})
        yarn.write_lock("src")
        (path / ".yarnrc.yml").unlink()
        function(project)

        assert "uses Yarn Plug'n'Play" in project.run("package", code=1).err

    @pytest.mark.parametrize(
        ("field", "locks", "message"),
        [
            ("", ["package-lock.json", "yarn.lock"], "the locks of several package managers"),
            ("pnpm@10.0.0", ["package-lock.json"], "is pnpm@10.0.0, but the lock is"),
            ("", ["bun.lock"], "bun.lock cannot be used"),
        ],
    )
    def test_locks_that_leave_open_what_to_install(
        self, project: Project, field: str, locks: list[str], message: str
    ) -> None:
        path = Manager("npm", project).package(
            "src", "hello", dependencies={"plain": "1.0.0"}, packageManager=field
        )
        for lock in locks:
            (path / lock).write_text("{}")
        function(project)

        assert message in project.run("package", code=1).err

    def test_a_lock_that_is_named(self, npm: Manager) -> None:
        npm.package("locks", "hello", dependencies={"plain": "1.0.0"})
        npm.write_lock("locks")
        npm.package("src", "hello", dependencies={"leaf": "1.0.0"})
        archive = function(npm.project, requirements="locks/package-lock.json")

        npm.project.run("package")

        assert shipped(archive) == {"plain": "1.0.0"}

    @pytest.mark.parametrize("name", ["src/requirements.txt", "locks/package-lock.json"])
    def test_a_file_that_is_named_and_names_nothing(self, project: Project, name: str) -> None:
        Manager("npm", project).package("src", "hello")
        (project.folder / "locks").mkdir()
        (project.folder / name).touch()
        function(project, requirements=name)

        assert "does not declare Node.js packages" in project.run("package", code=1).err

    def test_a_linked_folder_that_is_gone(self, npm: Manager) -> None:
        npm.package("src", "hello", dependencies={"own": "file:../../own"})
        own = npm.package("../own", "own")
        npm.write_lock("src")
        shutil.rmtree(own)
        function(npm.project)

        message = npm.project.run("package", code=1).err

        assert "hello depends on own, which the lock does not install" in message


class TestManifests:
    """The package.json that governs a source is the one that Node.js would use."""

    def test_one_that_only_says_what_its_files_are(self, npm: Manager) -> None:
        npm.package(".", "hello", dependencies={"plain": "1.0.0"})
        npm.write_lock()
        npm.package("src", "hello").joinpath("package.json").write_text('{"type": "commonjs"}')
        archive = function(npm.project)

        npm.project.run("package")

        assert shipped(archive) == {"plain": "1.0.0"}

    @pytest.mark.parametrize("own", [None, {"type": "commonjs"}])
    def test_modules_remain_modules(self, project: Project, own: object) -> None:
        manager = Manager("npm", project)
        manager.package(".", "hello", type="module")
        manifest = manager.package("dist", "hello") / "package.json"
        manifest.unlink()
        if own:
            manifest.write_text(json.dumps(own))
        archive = function(project, "dist")

        project.run("package")

        assert json.loads(text(archive, "package.json")) == (own or {"type": "module"})

    def test_packages_that_no_manifest_names(self, project: Project) -> None:
        manager = Manager("npm", project)
        (manager.package("src", "hello") / "package.json").unlink()
        manager.package("src/node_modules/plain", "plain")
        archive = function(project)

        message = project.run("package", code=1).err
        function(project, requirements="none")
        project.run("package")

        assert "node_modules is not packaged, and no package.json names the dependencies" in message
        assert shipped(archive) == {"plain": "1.0.0"}

    def test_a_project_without_dependencies_takes_none_from_above(self, npm: Manager) -> None:
        npm.package(".", "tools", dependencies={"plain": "1.0.0"})
        npm.write_lock()
        npm.package("src", "hello", devDependencies={"devtool": "1.0.0"})
        archive = function(npm.project)

        npm.project.run("package")

        assert shipped(archive) == {}

    def test_sources_that_need_different_versions(self, npm: Manager) -> None:
        for name, version in (("app", "1.0.0"), ("shared", "2.0.0")):
            npm.package(name, name, dependencies={"plain": version})
            npm.write_lock(name)
        function(npm.project, [{"app": "app"}, {"shared": "shared"}])

        message = npm.project.run("package", code=1).err

        assert "install different contents of node_modules/plain" in message

    def test_a_linked_folder_whose_own_dependencies_no_lock_names(self, npm: Manager) -> None:
        npm.package("src", "hello", dependencies={"own": "file:../libs/own"})
        npm.package("libs/own", "own", dependencies={"leaf": "1.0.0"})
        npm.write_lock("src")
        function(npm.project)

        message = npm.project.run("package", code=1).err

        assert "own depends on leaf, which the lock does not install" in message
        assert "install-links=true" in message

    def test_a_linked_folder_that_is_installed_as_a_copy(self, npm: Manager) -> None:
        path = npm.package("src", "hello", dependencies={"own": "file:../libs/own"})
        own = npm.package("libs/own", "own", dependencies={"leaf": "1.0.0"})
        (path / ".npmrc").write_text("install-links=true\n")
        npm.write_lock("src")
        archive = function(npm.project)

        npm.project.run("package")
        (own / "index.js").write_text("second\n")
        npm.project.run("package")

        assert shipped(archive) == {"own": "1.0.0", "leaf": "1.0.0"}
        assert text(archive, "node_modules/own/index.js") == "second\n"

    @pytest.mark.parametrize("install_links", [False, True])
    def test_a_local_package_is_not_prepared(self, npm: Manager, *, install_links: bool) -> None:
        npm.package("src", "hello", dependencies={"own": "file:../own"})
        npm.package("own", "own", scripts={"prepare": "is-not-there", "test": "kept"})
        if install_links:
            (npm.project.folder / "src" / ".npmrc").write_text("install-links=true\n")
        npm.write_lock("src")
        archive = function(npm.project)

        npm.project.run("package")

        manifest = json.loads(text(archive, "node_modules/own/package.json"))
        assert manifest["scripts"] == {"test": "kept"}

    def test_scripts_of_the_project_itself_are_not_run(self, npm: Manager) -> None:
        npm.package(
            "src",
            "hello",
            dependencies={"plain": "1.0.0"},
            scripts={"postinstall": "is-not-there", "prepare": "is-not-there-either"},
        )
        npm.write_lock("src")
        function(npm.project)

        message = npm.project.run("package").err

        assert "its script `postinstall` is not run" in message
