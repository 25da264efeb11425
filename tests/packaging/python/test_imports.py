"""What a Python handler imports is found, and only what is certain to be missing is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tasks_aws.errors import PackageError
from tasks_aws.packaging.contents import Contents
from tasks_aws.packaging.imports import Imports
from tasks_aws.packaging.python import imports as python_imports
from tasks_aws.packaging.python.imports import find_python_imports
from tasks_aws.packaging.python.platforms import Platform

NATIVE = "fast.cpython-313-x86_64-linux-gnu.so"


def find(
    files: Mapping[str, str],
    *,
    handler: str = "app",
    python: str = "3.13",
    installed: Sequence[str] = (),
    layer: Sequence[str] = (),
) -> Imports:
    """Return what a handler imports that is in these files, and has a layer of these."""
    contents = Contents(
        names=files.keys() | set(installed),
        read=lambda name: files.get(name, "").encode(),
        installed={*installed},
    )
    layers = [Contents(names={*layer}, read=lambda name: b"")] if layer else []
    return find_python_imports(handler, contents, layers, Platform(python=python, machine="x86_64"))


def missing(files: Mapping[str, str], **options: object) -> list[str]:
    """Return the missing imports in words."""
    found = find(files, **options)  # type: ignore[arg-type]
    return [f"{each.file}:{each.line} {each.name}" for each in found.missing]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"app.py": "import requests"}, "app.py:1 requests", id="import"),
        pytest.param({"app.py": "\nimport a.b as c"}, "app.py:2 a", id="top-level"),
        pytest.param({"app.py": "from requests import get"}, "app.py:1 requests", id="from"),
        pytest.param({"app.py": "from requests import *"}, "app.py:1 requests", id="star"),
        pytest.param({"app.py": "import os, json, x"}, "app.py:1 x", id="second"),
        pytest.param({"app.py": "class A:\n  import x"}, "app.py:2 x", id="class body"),
        pytest.param({"app.py": "try:\n  import x\nfinally:\n  1"}, "app.py:2 x", id="finally"),
        pytest.param(
            {"app.py": "import x\nimport sys\nsys.path += ['y']"}, "app.py:1 x", id="before"
        ),
        pytest.param({"app.py": "import db", "db.py": "import x"}, "db.py:1 x", id="followed"),
        pytest.param(
            {"app.py": "import lib.db", "lib/__init__.py": "import x", "lib/db.py": ""},
            "lib/__init__.py:1 x",
            id="package of a module",
        ),
        pytest.param(
            {"app.py": "from lib import db", "lib/__init__.py": "", "lib/db.py": "import x"},
            "lib/db.py:1 x",
            id="submodule",
        ),
        pytest.param(
            {"app.py": "import lib.db", "lib/__init__.py": ""},
            "app.py:1 lib.db",
            id="no such submodule",
        ),
        pytest.param({"app.py": "import db.x", "db.py": ""}, "app.py:1 db.x", id="no package"),
        pytest.param(
            {"app.py": "from lib import db, x", "lib/db.py": ""},
            "app.py:1 lib.x",
            id="no such module in a folder",
        ),
        pytest.param(
            {"app.py": "try:\n  import db\nexcept X:\n  1\nimport db", "db.py": "import x"},
            "db.py:1 x",
            id="certain at last",
        ),
        pytest.param(
            {"app.py": "import a", "a.py": "import b", "b.py": "import a, x"},
            "b.py:1 x",
            id="circle",
        ),
        pytest.param({"app.py": "from .db import x", "db.py": ""}, "app.py:1 .db", id="no parent"),
        pytest.param(
            {"app.py": "import fast", NATIVE.replace("313", "312"): ""},
            "app.py:1 fast",
            id="other Python's",
        ),
    ],
)
def test_what_nothing_provides_is_named_with_its_line(
    files: Mapping[str, str], expected: str
) -> None:
    assert missing(files) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n  import x\nexcept ImportError:\n  x = None",
        "try:\n  pass\nexcept Exception:\n  import x",
        "if y:\n  import x\nelse:\n  import z",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import x",
        "import typing as t\nif t.TYPE_CHECKING:\n  from x import y",
        "from contextlib import suppress\nwith suppress(ImportError):\n  import x",
        "def f():\n  import x",
        "async def f():\n  from x import y",
        "class A:\n  def f(self):\n    import x",
        "for each in ():\n  import x",
        "while y:\n  import x",
        "match y:\n  case 1:\n    import x",
        "import sys\nsys.path.insert(0, 'vendor')\nimport x",
        "from sys import path\npath.append('vendor')\nimport x",
        "import sys as s\ns.path.append('vendor')\nimport x",
        "import sys\ndef f():\n  sys.path.append('y')\nf()\nimport x",
        "import site\nsite.addsitedir('vendor')\nimport x",
        "import sys\nsys.meta_path.append(y)\nimport x",
        "import sys\nsys.modules['x'] = y\nimport x",
        "import sys\nsys.modules.setdefault('x', y)\nimport x",
        "exec(open('setup').read())\nimport x",
        "import zipimport\nimport x",
        "import paths\nimport x",  # an own module that changes the path
        "try:\n  import paths\nexcept ImportError:\n  pass\nimport x",
        "import changes\nimport vendored",  # a dependency that changes the path
        "raise SystemExit\nimport x",
        "import boto3, botocore.config, urllib3, dateutil.parser, six, jmespath, s3transfer",
        "from six.moves import urllib\nimport six.moves.urllib.parse",
        "import os.path, xml.etree.ElementTree, concurrent.futures, zoneinfo, tomllib",
        "import __main__\nfrom __future__ import annotations",
        "import data",  # a folder is a package, too
        "from linked import y\nimport linked.sub.module",
        "import fast, limited, old, plain",
        "import installed.generated_by_its_init",
        "import google.cloud.storage\nfrom google.cloud import storage",
        "from lib import anything",  # an attribute
        "from lib.shadow import x",
        "import lib\nlib.x",
        "try:\n  import python2_code\nexcept SyntaxError: pass\nimport x",
        "import common, deep.er",  # in a layer
        "import lib.__init__",
    ],
)
def test_nothing_uncertain_is_missing(source: str) -> None:
    files = {
        "app.py": source,
        "paths.py": "import sys\nsys.path.append('vendor')\n",
        "python2_code.py": "print 'x'",
        "data/table.csv": "",
        "lib/__init__.py": "from .shadow import shadow\nanything = 1\n",
        "lib/shadow.py": "def shadow(): ...\nx = 1\n",
        "linked": "",  # a link to a folder
        NATIVE: "",
        "limited.abi3.so": "",
        "old.pyc": "",
        "plain.so": "",
    }
    vendored = ["changes.py", "_vendor/vendored/__init__.py"]
    found = missing(
        {**files, "changes.py": "import sys; sys.path.append('_vendor')"},
        installed=[*vendored, "installed/__init__.py", "google/cloud/storage/__init__.py"],
        layer=["python/common.py", "python/lib/python3.13/site-packages/deep/er.py"],
    )

    assert found == []


def test_a_name_that_hides_a_submodule_is_no_import_of_it() -> None:
    files = {
        "app.py": "from lib import tool",
        "lib/__init__.py": "from .work import tool",
        "lib/work.py": "def tool(): ...",
        "lib/tool.py": "import x",
    }

    assert missing(files) == []


def test_a_dependency_that_changes_the_path_hides_nothing_else() -> None:
    files = {"app.py": "import changes\nimport x", "changes.py": "import sys; sys.path += ['y']"}

    assert missing(files, installed=["changes.py"]) == ["app.py:2 x"]


def test_packages_in_one_namespace_are_told_apart() -> None:
    files = {"app.py": "from google.cloud import storage, bigquery\nimport google.auth"}
    installed = ["google/cloud/storage/__init__.py"]

    assert missing(files, installed=installed) == [
        "app.py:1 google.cloud.bigquery",
        "app.py:2 google.auth",
    ]


@pytest.mark.parametrize(
    ("python", "names"),
    [
        ("3.9", "distutils, imp, cgi, parser"),
        ("3.11", "distutils, cgi, tomllib, setuptools"),
        ("3.13", "tomllib"),
        ("3.14", "annotationlib, compression.zstd"),
        ("3.99", "distutils, tomllib, compression"),
    ],
)
def test_the_standard_library_is_that_of_the_function(python: str, names: str) -> None:
    assert missing({"app.py": f"import {names}"}, python=python) == []


@pytest.mark.parametrize(
    ("python", "name"),
    [("3.10", "tomllib"), ("3.12", "distutils"), ("3.13", "cgi"), ("3.12", "setuptools")],
)
def test_what_another_python_has_is_missing(python: str, name: str) -> None:
    assert missing({"app.py": f"import {name}"}, python=python) == [f"app.py:1 {name}"]


def test_setuptools_brings_a_distutils_of_its_own() -> None:
    files = {"app.py": "import setuptools, distutils"}

    assert missing(files, installed=["setuptools/__init__.py"]) == []


def test_the_table_of_the_standard_library_agrees_with_this_python() -> None:
    tables = {True: python_imports._ADDED, False: python_imports._REMOVED}
    for added, table in tables.items():
        for minor, names in table.items():
            is_here = (sys.version_info[1] >= minor) is added
            assert {name for name in names if (name in sys.stdlib_module_names) is is_here} == names


def test_a_file_of_the_project_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(PackageError, match=r"db.py is not valid Python: line 1: "):
        find({"app.py": "import db", "db.py": "print 1"}, python="3.9")


def test_a_file_that_does_not_parse_here_may_do_so_on_lambda() -> None:
    assert missing({"app.py": "import db, x", "db.py": "from the future"}, python="3.99") == []


def test_a_handler_in_a_dependency_is_followed_no_further() -> None:
    files = {"web/app.py": "import web.base, x", "web/base.py": "import y", "web/__init__.py": ""}

    assert missing(files, handler="web.app", installed=[*files]) == ["web/app.py:1 x"]


def test_any_number_of_modules_can_import_one_another() -> None:
    files = {f"m{i}.py": f"import m{i + 1}" for i in range(500)}

    assert missing({"app.py": "import m0", **files, "m500.py": "import x"}) == []


def test_the_result_says_what_the_handler_reaches() -> None:
    files = {
        "app.py": "import boto3, lib.db\ndef f():\n  import pandas.io",
        "lib/__init__.py": "",
        "lib/db.py": "import json, sqlalchemy",
        "other.py": "import unused",
    }
    installed = [f"{name}/__init__.py" for name in ("pandas", "pandas/io", "sqlalchemy", "unused")]

    found = find(files, installed=installed)

    assert found.files == ("app.py", "lib/__init__.py", "lib/db.py")
    assert found.packages == {"boto3", "pandas", "sqlalchemy"}


def test_our_own_code_imports_only_what_exists() -> None:
    root = Path(python_imports.__file__).parents[2]
    files = {
        str(path.relative_to(root)): path.read_text() for path in (root / "tasks_aws").rglob("*.py")
    }
    top = ("invoke", "deflate", "filelock", "pathspec", "rich", "tomli")

    assert (
        missing(
            files,
            handler="tasks_aws",
            python="3.10",
            installed=[f"{name}/__init__.py" for name in top],
        )
        == []
    )
