"""What a Node.js handler imports is found, and only what is certain to be missing is missing."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tasks_aws.packaging.contents import Contents
from tasks_aws.packaging.imports import Imports
from tasks_aws.packaging.node.imports import find_node_imports
from tests.packaging.support import function
from tests.support import Project

INSTALLED = {
    "node_modules/axios/package.json": "{}",
    "node_modules/axios/index.js": "",
    "node_modules/axios/lib/x.js": "",
    "node_modules/@scope/x/index.js": "require('of the dependency')",
    "node_modules/linked": "",  # a link to a folder
    "nested/node_modules/inner/index.js": "",
}


def find(files: Mapping[str, str], *, handler: str = "app.js", version: int = 22) -> Imports:
    """Return what a handler imports that is in these files."""
    every = {**INSTALLED, **files}
    contents = Contents(names=every.keys(), read=lambda name: every[name].encode())
    layer = Contents(names={"nodejs/node_modules/shared/x.js"}, read=lambda name: b"")
    return find_node_imports(handler, contents, [layer], version)


def missing(files: Mapping[str, str] | str, **options: int) -> list[str]:
    """Return the missing imports in words."""
    found = find({"app.js": files} if isinstance(files, str) else files, **options)  # type: ignore[arg-type]
    return [f"{each.file}:{each.line} {each.name}" for each in found.missing]


@pytest.mark.parametrize(
    "source",
    [
        "const x = require('x')",
        'const x = require("x").y.z()',
        "'use strict'\nconst {a, b: {c}} = require('x')",
        "'use strict'\nrequire('x')",
        "let [a] = require('x')",
        "var x = require('x')",
        "var a=require('fs'),b=require('x');",
        "require('x');",
        "require('fs')\nrequire('x')",
        "exports.a = require('x')",
        "module.exports = require('x/y')",
        "import x from 'x'",
        "import 'x'",
        "import * as x from 'x/y.js'",
        "import a, {b as c} from 'x'",
        "import {\n  a,\n} from 'x' with {type: 'json'}",
        "export * from 'x'",
        "export {a} from 'x'",
        "import{a}from'x'",
        "const x = __importDefault(require('x'))",
        "const x = tslib_1.__importStar(require('x'))",
        "var x = __toESM(require('x'));",
        "__exportStar(require('x'), exports)",
        "const re = /['\"`]/, a = 1 / 2\nconst x = require('x')",
        "const t = `${a + `'${b}'`}`\nconst x = require('x')",
        "// it's\n/* don't */ const x = require('x')",
        "#!/usr/bin/env node\nconst x = require('x')",
        "function f() { return /}/ }\nconst x = require('x')",
    ],
)
def test_what_nothing_provides_is_found(source: str) -> None:
    assert [each.partition(" ")[2] for each in missing(source)] == ["x"]


@pytest.mark.parametrize(
    "source",
    [
        "try { require('x') } catch {}",
        "if (a) { require('x') }",
        "if (a) require('x')",
        "if (a)\n  require('x')",
        "if (a) var x = require('x')",
        "if (a) b = require('x')",
        "if (a) {} else require('x')",
        "a && require('x')",
        "const x = a ? require('x') : require('y')",
        "const x = a || require('x')",
        "const x = () => require('x')",
        "const x = async () =>\n  require('x')",
        "const a = () => b, c = require('x')",
        "function f() { const x = require('x'); require('y') }",
        "exports.handler = async () => { const x = await import('x') }",
        "const x = import('x')",
        "require.resolve('x')",
        "a.require('x')",
        "const name = 'x'; require(name)",
        "require(`x`)",
        "// require('x')\n/* const x = require('x') */",
        "const s = \"const x = require('x')\"",
        "const s = `\nconst x = require('x')\n`",
        "const s = `${f(() => { require('x') })}`",
        "const re = /const x = require('x')/",
        "var __commonJS = (a) => a; var f = __commonJS({'x'(e, m) { m.exports = require('x') }})",
        "return\nconst x = require('x')",
        "module.paths.push('/opt/lib')\nconst x = require('x')",
        "require('module-alias/register')\nconst x = require('x')",
        "const x = require('x'); }",  # cannot be split
        "const x = require('x'); 'unfinished",
        "import.meta.url\nexport default 'x'\nexport const y = 'x'\nexport {y}",
        "import fs from 'node:fs'\nimport test from 'node:test'\nimport p from 'fs/promises'",
        "import a from 'axios/lib/x.js'\nimport x from '@scope/x'\nconst l = require('linked')",
        "const s = require('shared')",
        "import {S3} from '@aws-sdk/client-s3'\nimport x from '@smithy/types'",
        "import x from '#internal'\nimport y from 'file:///opt/x.js'\nrequire('/opt/x')",
        "require('lib/deep')",  # NODE_PATH
        "require('./lib'); require('./lib/deep'); require('./data'); require('.')",
        "import x from './lib/deep.mjs?fresh'",
        "require('../outside')",
        "require('itself/lib')",
    ],
)
def test_nothing_uncertain_is_missing(source: str) -> None:
    files = {
        "app.js": source,
        "index.js": "",
        "lib/index.js": "",
        "lib/deep.mjs": "",
        "data.json": "{}",
        "package.json": json.dumps({"name": "itself"}),
    }

    assert missing(files) == []


def test_the_line_is_that_of_the_statement() -> None:
    source = "#!/usr/bin/env node\n/*\n*/ const t = `\n${\n1}\n`\n\nconst x = require('x')\n"

    assert missing(source) == ["app.js:8 x"]


def test_the_projects_own_files_are_followed_and_dependencies_are_not() -> None:
    files = {
        "app.js": "const a = require('./a')\nif (a) { require('./maybe') }\nrequire('@scope/x')",
        "a.js": "import './nested/b.mjs'\nrequire('boto')",
        "nested/b.mjs": "import 'inner'\nimport './none.js'",
        "maybe.js": "require('optional')",
        "other.js": "require('unused')",
    }

    found = find(files)

    assert {f"{each.file}:{each.line} {each.name}" for each in found.missing} == {
        "a.js:2 boto",
        "nested/b.mjs:2 ./none.js",
    }
    assert set(found.files) == {"app.js", "a.js", "nested/b.mjs", "maybe.js"}
    assert found.packages == {"@scope/x", "inner"}


def test_the_sdk_is_that_of_the_version() -> None:
    old, new = "require('aws-sdk')", "require('@aws-sdk/client-s3')"

    assert missing(old, version=16) == missing(new, version=18) == []
    assert missing(old, version=18) == ["app.js:1 aws-sdk"]
    assert missing(new, version=16) == ["app.js:1 @aws-sdk/client-s3"]


def test_a_large_bundle_is_left_alone() -> None:
    assert missing("require('x');" + ";" * (600 << 10)) == []


def package(manifest: object, *files: str, layer: str = "") -> dict[str, str]:
    """Return an installed package, lib, and a handler that requires it."""
    folder = f"{layer}node_modules/lib"
    found = {f"{folder}/{name}": "" for name in files}
    return {"app.js": "require('lib')", f"{folder}/package.json": json.dumps(manifest), **found}


@pytest.mark.parametrize(
    ("manifest", "files", "problem"),
    [
        ({"main": "dist/index.js"}, ["src/index.ts"], "main dist/index.js"),
        ({"main": "./lib"}, ["library.js"], "main ./lib"),
        ({}, ["src/index.js"], "main index.js, the default"),
        ({"exports": "./dist/x.js", "main": "index.js"}, ["index.js"], "exports ./dist/x.js"),
        ({"exports": {".": {"types": "./t", "default": "./x.js"}}}, ["t"], "exports ./x.js"),
        ({"exports": {"import": {"node": "./x.mjs"}, "require": "./x.cjs"}}, [], "exports ./x.mjs"),
    ],
)
def test_a_package_that_has_not_been_built_is_missing(
    manifest: object, files: list[str], problem: str
) -> None:
    (found,) = find(package(manifest, *files)).missing

    assert found.problem == f"lib has {problem}, which is not in the archive"
    assert (found.file, found.line, found.fix) == ("app.js", 1, "Build it first.")


def test_typescript_is_not_loaded_from_a_package() -> None:
    (found,) = find(package({"main": "src/index.ts"}, "src/index.ts")).missing

    assert found.problem == (
        "lib has main src/index.ts, which Node.js does not load from node_modules"
    )


@pytest.mark.parametrize(
    ("manifest", "files"),
    [
        ({"main": "dist"}, ["dist.js"]),
        ({"main": "dist"}, ["dist.json"]),
        ({"main": "dist/"}, ["dist/index.js"]),
        ({"main": "./x.node"}, ["x.node"]),
        ({"main": "not/there.js"}, ["index.js"]),
        ({"main": ["odd"]}, ["index.js"]),
        ({}, ["index.json"]),
        ({"main": "dist/index.js"}, ["dist"]),  # a link to a folder
        ({"exports": {"import": "./x.mjs", "require": "./x.cjs"}}, ["x.mjs"]),
        ({"exports": {"./sub": "./sub.js"}}, []),
        ({"exports": {"types": "./x.d.ts"}}, []),
        ({"exports": [{"import": "./x.mjs"}, "./x.cjs"]}, ["x.cjs"]),
        ([], []),
    ],
)
def test_a_package_with_what_it_names_is_not_missing(manifest: object, files: list[str]) -> None:
    assert missing(package(manifest, *files)) == []


def test_a_path_in_a_package_has_to_exist_if_no_exports_change_it() -> None:
    for path in ("dist/x", "dist", "dist/y.json"):
        app = {"app.js": f"require('lib/{path}')"}
        assert missing({**package({}, "index.js"), **app}) == [f"app.js:1 lib/{path}"]
        assert missing({**package({"exports": {}}), **app}) == []
        there = package({}, "dist/x.js", "dist/index.js", "dist/y.json")
        assert missing({**there, **app}) == []


def test_a_package_is_looked_into_by_its_path_and_in_a_layer() -> None:
    local = {"libs/x/package.json": '{"main": "dist/x.js", "exports": "./index.mjs"}'}
    app = {"app.js": "require('./libs/x')"}
    contents = package({"main": "dist/x.js"}, layer="nodejs/")
    layer = Contents(names=contents.keys(), read=lambda name: contents[name].encode())
    handler = Contents(names={"app.js"}, read=lambda name: b"require('lib')")

    assert missing({**app, **local}) == ["app.js:1 ./libs/x"]
    assert missing({**app, **local, "libs/x/dist/x.js": ""}) == []
    (found,) = find_node_imports("app.js", handler, [layer], 22).missing
    assert found.problem == "lib has main dist/x.js, which is not in the archive"


def test_a_library_that_has_not_been_built_is_an_error_before_the_upload(project: Project) -> None:
    source = project.folder / "src"
    source.mkdir()
    settings = {"source": "src", "Runtime": "nodejs22.x", "Handler": "app.handler"}
    project.settings(functions={"hello": {**settings, "requirements": "none"}})
    (source / "app.js").write_text("const lib = require('lib')\nexports.handler = lib.handler\n")
    lib = source / "node_modules" / "lib"
    lib.mkdir(parents=True)
    (lib / "package.json").write_text('{"main": "dist/index.js"}')

    assert project.run("package", code=1).err.endswith(
        "lib has main dist/index.js, which is not in the archive.\n"
        "  why: app.js line 1 imports lib.\n"
        "  fix: Build it first. If Lambda does find it, set `aws.functions.hello.check_imports` to "
        "false.\n"
    )
    (lib / "dist").mkdir()
    (lib / "dist" / "index.js").touch()
    assert project.run("package").code == 0


def test_a_missing_file_of_the_project_is_no_dependency(project: Project) -> None:
    function(project, Runtime="nodejs22.x")
    (project.folder / "src" / "app.js").write_text("require('./b.js'); require('axios')\n")

    assert (
        "fix: Add axios to the function's dependencies, or to `aws.functions.hello.source`. "
        "./b.js has to be in the function's `source`, or written by its `build`. If Lambda does"
    ) in project.run("package", code=1).err


def test_what_is_missing_is_an_error_before_the_upload(project: Project) -> None:
    archive = function(project, Runtime="nodejs22.x", Handler="app.handler")
    (project.folder / "src" / "app.mjs").write_text("import fs from 'fs'\nimport x from 'axios'\n")

    result = project.run("package", code=1)

    assert "app.mjs line 2 imports axios, which nothing provides." in result.err
    assert "Add axios to the function's dependencies" in result.err
    assert not archive.exists()

    function(project, Runtime="nodejs22.x", Handler="app.handler", check_imports=False)
    assert project.run("package").code == 0
