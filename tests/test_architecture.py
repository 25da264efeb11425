"""The house keeps its order: what ARCHITECTURE.md and CONTRIBUTING.md say of it is true."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = ROOT / "tasks_aws"
MIRRORED = [each.parent.name for each in PACKAGE.glob("*/__init__.py")]

# Modules without a test file of their own, and the tests of what they do.
TESTED_ELSEWHERE = {
    "api": "test_public_api.py",
    "auth/browser": "auth/test_console_url.py",
    "auth/cache/entries": "auth/cache/test_files.py",
    "auth/obtain": "auth/test_active.py",
    "auth/oauth": "auth/test_sign_in.py",
    "auth/refresh/invoke_runner": "auth/refresh/test_children.py",
    "auth/sign_in_ways": "auth/test_sign_in.py",
    "auth/values": "auth/refresh/test_renewer.py",
    "aws_lambda/attachments/attachment": "aws_lambda/attachments/test_attachments.py",
    "commands/accounts": "commands/test_jobs.py",
    "commands/each": "commands/test_functions.py",
    "commands/init": "aws_lambda/test_export.py",
    "commands/project_files": "commands/test_new_project.py",
    "commands/packaging": "packaging/test_build.py",
    "commands/runners/python": "commands/test_here.py",
    "commands/runtime": "commands/test_here.py",
    "config/settings": "config/test_load.py",
    "aws_lambda/layer_permissions": "aws_lambda/test_layers.py",
    "local/creation": "local/test_task.py",
    "local/rehearsal": "local/test_task.py",
    "local/server": "local/test_emulator.py",
    "results": "commands/test_report.py",
    "packaging/contents": "packaging/test_imports.py",
    "packaging/natives": "commands/test_here.py",
    "packaging/node/entry_points": "packaging/node/test_imports.py",
    "packaging/node/exports": "packaging/test_handler.py",
    "packaging/node/install": "packaging/node/test_declared_ships.py",
    "packaging/node/locks": "packaging/node/test_declared_ships.py",
    "packaging/parts": "packaging/test_report.py",
    "packaging/python/dependencies": "packaging/python/test_declared_ships.py",
    "packaging/python/installed": "packaging/python/test_installers.py",
    "packaging/python/local_projects": "packaging/python/test_declared_ships.py",
    "packaging/python/manifests": "packaging/python/test_declared_ships.py",
    "packaging/python/pip_for_lambda": "packaging/python/test_installers.py",
    "packaging/python/platforms": "packaging/python/test_installers.py",
    "packaging/python/requirements": "packaging/python/test_declared_ships.py",
    "packaging/uses": "packaging/test_report.py",
    "sdk/http": "auth/test_console_url.py",
    "tasks/deployment": "commands/test_deployment.py",
    "tasks/functions": "commands/test_functions.py",
    "text/as_typed": "test_existing_tasks.py",
    "ui/replaced": "test_existing_tasks.py",
    "version": "test_public_api.py",
}
# Test files for what is more than one module.
OF_SEVERAL_MODULES = {
    "packaging/python/test_declared_ships.py",
    "auth/refresh/test_sdks.py",
    "aws_lambda/attachments/test_attachments.py",
    "packaging/node/test_declared_ships.py",
    "packaging/test_layers.py",
}


def test_each_module_has_its_test_file() -> None:
    modules = {
        str(path.relative_to(PACKAGE).with_suffix(""))
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    mirrored = {
        name
        for name in modules
        if (TESTS / Path(name).parent / f"test_{Path(name).name}.py").is_file()
    }

    assert modules - mirrored == TESTED_ELSEWHERE.keys()
    assert [each for each in TESTED_ELSEWHERE.values() if not (TESTS / each).is_file()] == []


def test_each_test_file_of_a_mirrored_folder_has_its_module() -> None:
    files = {
        str(path.relative_to(TESTS))
        for folder in MIRRORED
        for path in (TESTS / folder).rglob("test_*.py")
    }
    without = {
        name
        for name in files
        if not (PACKAGE / Path(name).parent / Path(name).name.removeprefix("test_")).is_file()
    }

    assert without == OF_SEVERAL_MODULES


def test_the_environment_is_written_in_one_function() -> None:
    writers = {
        (str(path.relative_to(PACKAGE)), function)
        for path in PACKAGE.rglob("*.py")
        for function in functions_that_write_the_environment(ast.parse(path.read_text()))
    }

    # The latter is a program of its own: no command line of invoke runs in its process.
    assert writers == {("auth/environment.py", "_write"), ("local/server.py", "serve")}


def functions_that_write_the_environment(tree: ast.Module) -> Iterator[str]:
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    inside = {node for function in functions for node in ast.walk(function)}
    for function in functions:
        if any(map(writes_the_environment, ast.walk(function))):
            yield function.name
    if any(map(writes_the_environment, {*ast.walk(tree)} - inside)):
        yield "<module>"


def writes_the_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        changing = r"os\.(environ\.(update|pop|popitem|clear|setdefault)|putenv|unsetenv)"
        return bool(re.fullmatch(changing, ast.unparse(node.func)))
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return isinstance(node, ast.Assign | ast.AugAssign | ast.Delete) and any(
        ast.unparse(each).startswith("os.environ") for each in targets if each is not None
    )


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_files_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`([\w/.]+(?:\.py|/))`", (ROOT / page).read_text())

    assert named
    missing = [
        each for each in named if not any((base / each).exists() for base in (PACKAGE, ROOT, TESTS))
    ]
    assert missing == []


def test_each_import_inside_a_function_keeps_its_bytecode() -> None:
    inside = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(unprotected_imports(ast.parse(path.read_text())))
    }

    # They run by themselves, one of them in the Python that packages are installed for.
    assert inside == {"local/server.py", "packaging/python/pip_for_lambda.py"}


def unprotected_imports(tree: ast.Module) -> Iterator[ast.stmt]:
    protected = {
        inner
        for block in ast.walk(tree)
        if isinstance(block, ast.With) and "own_imports()" in map(ast.unparse, block.items)
        for inner in block.body
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from (
                each
                for each in ast.walk(function)
                if isinstance(each, ast.Import | ast.ImportFrom)
                and each not in protected
                and not is_of_python(each)
            )


def is_of_python(statement: ast.Import | ast.ImportFrom) -> bool:
    named = [statement.module] if isinstance(statement, ast.ImportFrom) else statement.names
    return not getattr(statement, "level", 0) and all(
        str(getattr(each, "name", each)).split(".")[0] in sys.stdlib_module_names for each in named
    )
