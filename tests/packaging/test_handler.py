"""The handler's file has to be in the archive, before anything is uploaded."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tasks_aws.packaging.node.exports import find_exports
from tests.packaging.support import function, make_zip, names
from tests.support import Project


def test_newer_syntax_than_this_python_has_is_a_warning(project: Project) -> None:
    archive = function(project, Runtime="python3.99")
    (project.folder / "src" / "app.py").write_text("def handler(e, c): this is from the future\n")

    result = project.run("package")

    assert result.err.count("Whether Python 3.99 accepts it was not checked") == 1
    assert names(archive) == ["app.py"]


def test_a_handler_in_a_layer_is_not_looked_for(project: Project) -> None:
    layer = "arn:aws:lambda:eu-west-1:123456789012:layer:handlers:1"
    function(project, Handler="elsewhere.handler", Layers=[layer])

    assert project.run("package").code == 0


def test_one_that_is_not_there_is_an_error(project: Project) -> None:
    archive = function(project, Handler="pkg.app.handler")

    result = project.run("package", code=1)

    assert "`aws.functions.hello.Handler` is pkg.app.handler" in result.err
    assert "the archive does not contain pkg/app.py" in result.err
    assert not archive.exists()


def test_one_in_tasks_py_has_to_be_included(project: Project) -> None:
    archive = function(project, source=".", Handler="tasks.assume", requirements="none")

    result = project.run("package", code=1)

    assert f"{project.folder / 'tasks.py'} is left out, by default or by a pattern." in result.err
    assert "fix: Add tasks.py to `aws.functions.hello.include`" in result.err
    included: dict[str, Any] = {"include": ["tasks.py"], "check_imports": False}
    function(project, source=".", Handler="tasks.assume", **included)
    project.run("package")
    assert "tasks.py" in names(archive)


@pytest.mark.parametrize(
    ("runtime", "handler", "suggested"),
    [
        ("python3.13", "./app.handler", "app.handler"),
        ("python3.13", "/app.handler", "app.handler"),
        ("python3.13", "app", "app.handler"),
        ("nodejs22.x", "../app.handler", "app.handler"),
        ("nodejs22.x", "lib/index", "lib/index.handler"),
        ("nodejs22.x", ".", "app.handler"),
    ],
)
def test_one_that_lambda_cannot_load_is_an_error(
    project: Project, runtime: str, handler: str, suggested: str
) -> None:
    function(project, Runtime=runtime, Handler=handler)

    result = project.run("package", code=1)

    assert f"`aws.functions.hello.Handler` is {handler}, which Lambda cannot load." in result.err
    assert f"to a value such as {suggested}.\n" in result.err


def test_one_with_a_null_byte_is_an_error(project: Project) -> None:
    function(project, Runtime="python3.10")
    (project.folder / "src" / "app.py").write_bytes(b"handler = 1\0")

    assert re.search(
        r"app.py is not valid Python: (line \d+: )?source code (string )?cannot",
        (project.run("package", code=1).err),
    )


def test_one_that_does_not_parse_is_an_error(project: Project) -> None:
    archive = function(project, Runtime="python3.10")
    (project.folder / "src" / "app.py").write_text("def handler(event, context) return event\n")

    result = project.run("package", code=1)

    assert "app.py is not valid Python: line 1: expected ':'." in result.err
    assert not archive.exists()


@pytest.mark.parametrize("runtime", ["python3.10", "python3.99"])
def test_one_that_its_module_does_not_define_is_an_error(project: Project, runtime: str) -> None:
    archive = function(project, Runtime=runtime, Handler="app.handlr")

    assert project.run("package", code=1).err.endswith(
        "`aws.functions.hello.Handler` is app.handlr, but app.py does not define handlr.\n"
        "  why: Lambda could not load the handler.\n"
        "  fix: Did you mean `app.handler`?\n"
    )
    assert not archive.exists()


@pytest.mark.parametrize(
    "source",
    [
        "handler = print",
        "handler: object = print",
        "import json as handler",
        "from json import dumps as handler",
        "class handler: ...",
        "async def handler(e, c): ...",
        "if True:\n  def handler(e, c): ...",
        "try:\n  from x import y\nexcept ImportError:\n  handler = print",
        "for handler in [print]: ...",
        "(handler := print)",
        "x, (*handler, y) = 1, (2, 3)",
        "with open('x') as handler: ...",
        "def f():\n  global handler\n  handler = print\nf()",
        "from json import *",
        "globals()['handler'] = print",
        "globals().update(handler=print)",
        "import sys\nsetattr(sys.modules[__name__], 'handler', print)",
        "exec('handler = print')",
        "def __getattr__(name): return print",
    ],
)
def test_one_is_defined_in_many_ways(project: Project, source: str) -> None:
    function(project, Runtime="python3.10", check_imports=False)
    (project.folder / "src" / "app.py").write_text(f"{source}\n")

    assert project.run("package").code == 0


@pytest.mark.parametrize("source", ["def f():\n  handler = 1", "class A:\n  def handler(): ..."])
def test_one_inside_of_something_else_is_none(project: Project, source: str) -> None:
    function(project, Runtime="python3.10")
    (project.folder / "src" / "app.py").write_text(f"{source}\n")

    assert "app.py does not define handler" in project.run("package", code=1).err


@pytest.mark.parametrize(
    ("runtime", "handler", "name"),
    [
        ("python3.13", "pkg.app.handler", "pkg/app/__init__.py"),
        ("python3.13", "pkg/app.handler", "pkg/app.py"),
        ("python3.13", "fast.handler", "fast.cpython-313-x86_64-linux-gnu.so"),
        ("nodejs22.x", "lib/app.handler", "lib/app.mjs"),
        ("nodejs22.x", "app.handlers.create", "app.js"),
        ("nodejs22.x", "app.handler", "app/index.js"),
        ("nodejs22.x", "./index.handler", "index.js"),
    ],
)
def test_it_is_looked_for_where_lambda_does(
    project: Project, runtime: str, handler: str, name: str
) -> None:
    archive = function(
        project, Runtime=runtime, Handler=handler, exclude=["app.py"], include=[name]
    )
    path = project.folder / "src" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("handler = 1\n")

    project.run("package")

    assert name in names(archive)
    path.unlink()
    (project.folder / "src" / "other").touch()
    assert project.run("package", code=None).code == 1


def test_that_of_a_prebuilt_archive_is_looked_for_too(project: Project) -> None:
    function(project, source=None, archive="made.zip", Handler="other.handler")
    make_zip(project.folder / "made.zip", {"app.py": "handler = 1"})

    assert "the archive does not contain other.py" in project.run("package", code=1).err


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.js", "exports.handler = async () => 1"),
        ("app.js", "if (a) { module.exports.handler = b }"),
        ("app.js", "module.exports = { a: [1, 2], 'b': { handlr: 1 }, async handler(e) {}, }\n"),
        ("app.js", "Object.defineProperty(exports, \"__esModule\", { value: true });\n"
         "exports.handler = void 0;\nexports.handler = handler;"),
        ("app.mjs", "export const handler = async (e, c) => 1"),
        ("app.mjs", "export async function handler() {}\nexport function* other() {}"),
        ("app.mjs", "export class handler {}\nexport default 1"),
        ("app.mjs", "import a from 'fs'; export { a, a as handler, }"),
        ("app.mjs", "var b = 1;export{b as handler};"),
    ],
)  # fmt: skip
def test_one_that_its_javascript_does_not_export_is_an_error(
    project: Project, name: str, source: str
) -> None:
    function(project, Runtime="nodejs22.x", Handler="app.handlr")
    (project.folder / "src" / name).write_text(source)

    assert project.run("package", code=1).err.endswith(
        f"`aws.functions.hello.Handler` is app.handlr, but {name} does not export handlr.\n"
        "  why: Lambda could not load the handler.\n"
        "  fix: Did you mean `app.handler`?\n"
    )


@pytest.mark.parametrize(
    "source",
    [
        "exports.a = 1; Object.assign(exports, b)",
        "exports.a = 1; exports[b] = c",
        "exports.a = 1; Object.defineProperty(exports, 'b', c)",
        "exports.a = 1; __exportStar(require('./b'), exports)",
        "exports.a = 1; require('./b')(module)",
        "exports.a = 1; const e = exports\ne.b = 1",
        "exports.a = 1; this.b = 1",
        "exports.a = 1; eval('b')",
        "exports.a = 1; 'unfinished",
        "module.exports = { a, ...b }",
        "module.exports = { a, [b]: 1 }",
        "module.exports = { a, get b() {} }",
        "module.exports = { a }.b",
        "module.exports = a; module.exports.c = 1",
        "exports = module.exports = { a }",
        "__export(x, { a: () => a }); module.exports = __toCommonJS(x);\n"
        "0 && (module.exports = { a });",
        "export const a = 1; export * from './b.js'",
        "export const a = 1, b = 2",
        "export const { a } = c",
        "export { a as 'b' }",
        "const handler = 1",
        "",
    ],
)
def test_what_javascript_exports_in_other_ways_is_its_own_affair(source: str) -> None:
    assert find_exports(source) is None


def test_a_property_of_an_export_is_a_handler(project: Project) -> None:
    function(project, Runtime="nodejs22.x", Handler="app.handlers.create")
    (project.folder / "src" / "app.js").write_text("exports.handlers = require('./handlers')\n")
    (project.folder / "src" / "handlers.js").write_text("exports.create = () => 1\n")

    assert project.run("package").code == 0


@pytest.mark.parametrize(
    ("runtime", "handler", "name", "fix"),
    [
        ("python3.10", "app.py", "app.py", "Write it as `file.function`, without a suffix."),
        ("nodejs22.x", "index.js", "index.js", "Write it as `file.function`, without a suffix."),
        ("nodejs22.x", "idx.handler", "index.js", "Did you mean `index.handler`?"),
        ("nodejs22.x", "src/index.handler", "index.mjs", "Did you mean `index.handler`?"),
        ("python3.10", "App.handler", "app.py", "Did you mean `app.handler`?"),
        ("python3.10", "pkg.ap.handler", "pkg/app.py", "Did you mean `pkg.app.handler`?"),
        ("nodejs22.x", "main.handler", "main.ts", "Compile it to main.js with a command in `aws."),
        ("nodejs22.x", "other.handler", "main.ts", "Change `aws.functions.hello.Handler`"),
    ],
)
def test_the_way_out_is_named(
    project: Project, runtime: str, handler: str, name: str, fix: str
) -> None:
    function(project, Runtime=runtime, Handler=handler)
    path = project.folder / "src" / name
    path.parent.mkdir(exist_ok=True)
    is_python = name.endswith(".py")
    path.write_text("def handler(): ..." if is_python else "exports.handler = () => 1")

    assert f"  fix: {fix}" in project.run("package", code=1).err


def test_a_build_command_may_have_removed_its_file(project: Project) -> None:
    function(project, build=["rm app.py"])

    message = project.run("package", code=1).err

    assert (
        "app.py is left out, or the commands in `aws.functions.hello.build` removed it." in message
    )
    assert "fix: Check these commands, or check" in message
