"""`package --report` shows what is in an archive, in the archive's own figures."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.packaging.parts import read_parts
from tasks_aws.packaging.uses import find_uses
from tests.chromium import DRIVER, PROGRAM, browser
from tests.packaging.support import FUNCTION, RUNTIME, function, make_zip
from tests.support import Project
from tests.wheels import make_wheel

HANDLER = "\ndef handler(event, context): return event\n"
TEMPLATE = files("tasks_aws.packaging").joinpath("report.html").read_text(encoding="utf-8")
ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:others:1"
NODE: dict[str, Any] = {
    "Runtime": "nodejs22.x",
    "Handler": "app.handler",
    "source": None,
    "archive": "made.zip",
}


def page(project: Project, name: str = "hello") -> str:
    return (project.folder / ".tasks_aws" / f"{name}.report.html").read_text(encoding="utf-8")


def data(project: Project, name: str = "hello") -> Any:
    """Return the data of a page as the browser reads it."""
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script', page(project, name)
    )
    assert found
    return json.loads(found[1])


def uses(found: Any) -> dict[str, str]:
    parts = (part for archive in found["archives"] for part in archive["parts"])
    return {part["name"]: part["use"] for part in parts}


def handler(project: Project, text: str) -> None:
    (project.folder / "src" / "app.py").write_text(text + HANDLER)


def table(err: str) -> list[list[str]]:
    """Return the rows of the table that is printed."""
    lines = err[err.index("largest parts") :].splitlines()[1:]
    rows = (re.split(r" {2,}", line) for line in lines)
    return [row for row in rows if len(row) > 3]


def test_the_sizes_are_those_of_the_archive(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="pure\n", bytecode=True, Runtime=RUNTIME)

    project.run("package", "--report")

    found = data(project)
    [own] = found["archives"]
    reported = [tuple(file) for part in own["parts"] for file in part["files"]]
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
    assert sorted(reported) == sorted(
        (each.filename, each.file_size, each.compress_size) for each in members
    )
    assert own["unzipped"] == sum(each.file_size for each in members)
    assert own["headers"] + sum(zipped for *_, zipped in reported) == archive.stat().st_size
    compiled = [each for each in members if each.filename.endswith(".pyc")]
    assert found["bytecode"] == {
        "files": len(compiled),
        "size": sum(each.file_size for each in compiled),
        "zipped": sum(each.compress_size for each in compiled),
    }
    assert len(compiled) == 2


INFO = "{}-1.0.dist-info/METADATA"
GROUPS: dict[str, dict[str, Iterable[str]]] = {
    "by name, with shared libraries and bytecode": {
        "numpy 1.0": ["numpy/a.so", "numpy.libs/b.so", INFO.format("numpy")],
        "six 1.0": ["six.py", "__pycache__/six.cpython-313.pyc", INFO.format("six")],
        "(files)": ["app.py", "__pycache__/app.cpython-313.pyc"],
        "data": ["data/x/y.bin"],
    },
    "by the name of the module": {
        "pyyaml 1.0": ["yaml/__init__.py", INFO.format("PyYAML")],
        "rpds-py 1.0": ["rpds/rpds.so", INFO.format("rpds_py")],
    },
    "in namespaces": {
        "google-auth 1.0": ["google/auth/__init__.py", INFO.format("google_auth")],
        "google-cloud-storage 1.0": [
            "google/cloud/storage/__init__.py",
            INFO.format("google_cloud_storage"),
        ],
        "protobuf 1.0": ["google/protobuf/__init__.py", INFO.format("protobuf")],
        "google/rpc": ["google/rpc/code_pb2.py"],
        "google/cloud": ["google/cloud/x.proto"],
    },
    "copies inside a package": {
        "setuptools 1.0": [
            "setuptools/__init__.py",
            f"setuptools/_vendor/{INFO.format('wheel')}",
            "setuptools/_vendor/wheel/__init__.py",
            INFO.format("setuptools"),
        ],
    },
    "of a layer, and in a folder of its own": {
        "numpy 1.0": ["python/numpy/a.so", f"python/{INFO.format('numpy')}"],
        "pure 1.0": ["vendor/pure.py", f"vendor/{INFO.format('pure')}"],
        "(files)": ["python/shared.py"],
    },
    "of Node": {
        "a": ["node_modules/a/index.js", "node_modules/a/node_modules/b/index.js"],
        "@scope/c": ["nodejs/node_modules/@scope/c/lib/x.js"],
        "d": ["node_modules/.pnpm/d@1.0.0/node_modules/d/index.js"],
        ".prisma": ["node_modules/.prisma/client/index.js"],
        "node_modules": ["node_modules/.package-lock.json"],
    },
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_files_are_grouped_by_package(tmp_path: Path, groups: dict[str, list[str]]) -> None:
    make_zip(tmp_path / "a.zip", {name: "x" for names in groups.values() for name in names})

    found = read_parts(tmp_path / "a.zip")

    assert {
        f"{part.name} {part.version}".strip(): sorted(file.name for file in part.files)
        for part in found
    } == {name: sorted(names) for name, names in groups.items()}


def test_the_list_of_modules_of_a_distribution_counts(tmp_path: Path) -> None:
    files = {"odd/__init__.py": "", "_odd.so": "", "Other-1.0.dist-info/METADATA": ""}
    make_zip(tmp_path / "a.zip", {**files, "Other-1.0.dist-info/top_level.txt": "_odd\nodd\n"})

    assert [part.name for part in read_parts(tmp_path / "a.zip")] == ["other"]


def test_it_says_what_the_handler_imports_and_what_that_needs(
    project: Project, wheels: Path
) -> None:
    needs = {
        "pure": "needed",
        "needed": "speed; extra == 'fast'",
        "idle": "below",
        "speed": "",
        "below": "",
    }
    for name, requires in needs.items():
        make_wheel(
            wheels, name, tag="py3-none-any", files={f"{name}/__init__.py": ""}, requires=requires
        )
    function(project, requirements="pure\nidle\nspeed\n")
    handler(project, "import lib.helper")
    for name, text in (("helper", "def later():\n    import pure\n"), ("unused", "import idle")):
        path = project.folder / "src" / "lib" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    result = project.run("package", "--report")

    expected = {
        "(files)": "imported",
        "lib": "imported",
        "pure": "imported",
        "needed": "required by pure",
        "speed": "optional for needed",
        "idle": "not imported",
        "below": "not imported, required by idle",
    }
    assert uses(data(project)) == expected
    assert {row[0].split()[0]: row[3] for row in table(result.err)} == expected


def test_of_what_is_not_imported_it_says_why_it_is_there(tmp_path: Path) -> None:
    requires = {"a": ["b", "used"], "b": ["c"], "d": ["c"], "loop1": ["loop2"], "loop2": ["loop1"]}
    files = {"used": json.dumps({"optionalDependencies": {"d": "*"}})}
    for name in ("a", "b", "c", "d", "loop1", "loop2"):
        files[name] = json.dumps({"dependencies": dict.fromkeys(requires.get(name, ()), "*")})
    make_zip(
        tmp_path / "a.zip",
        {f"node_modules/{name}/package.json": text for name, text in files.items()},
    )

    found = find_uses(read_parts(tmp_path / "a.zip"), [], ["used"])

    assert {part.name: tuple(use) for part, use in found.items()} == {
        "used": ("imported", ()),
        "a": ("not imported", ()),
        "b": ("not imported, required by a", ("a",)),
        "c": ("not imported, required by a and 1 more", ("a", "d")),
        "d": ("optional for used", ()),
        "loop1": ("not imported", ()),
        "loop2": ("not imported", ()),
    }


def test_it_says_that_for_node(project: Project) -> None:
    function(project, **NODE)
    manifest = {"version": "2.0.0", "dependencies": {"b": "*"}, "peerDependencies": {"c": "*"}}
    files = {
        "app.js": "const a = require('a'); exports.handler = () => a\n",
        "node_modules/a/package.json": json.dumps(
            {**manifest, "peerDependenciesMeta": {"c": {"optional": True}}}
        ),
        **{f"node_modules/{name}/index.js": "" for name in "abcd"},
        "node_modules/d/package.json": "[]",
    }
    make_zip(project.folder / "made.zip", files)

    project.run("package", "--report")

    assert uses(data(project)) == {
        "(files)": "imported",
        "a": "imported",
        "b": "required by a",
        "c": "optional for a",
        "d": "not imported",
    }
    [own] = data(project)["archives"]
    assert {part["name"]: part["version"] for part in own["parts"]}["a"] == "2.0.0"


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        ("exports.handler = () => 1 //" + "x" * (600 << 10), NODE),  # a bundle is not read
        ("", {**NODE, "Runtime": "java21", "Handler": "a.B::c"}),
        (
            "import = 1",
            {**FUNCTION, "Runtime": RUNTIME, "layers": [ARN], "Handler": "other.handler"},
        ),
    ],
    ids=["a bundle", "another language", "a handler that is in a layer"],
)
def test_what_is_not_known_of_imports_is_not_claimed(
    project: Project, source: str, settings: dict[str, Any]
) -> None:
    function(project, **settings)
    make_zip(project.folder / "made.zip", {"app.js": source, "node_modules/x/index.js": ""})

    project.run("package", "--report")

    assert not data(project)["importsKnown"]
    assert {*uses(data(project)).values()} == {""}


def test_layers_are_part_of_it(project: Project, wheels: Path) -> None:
    function(project, requirements="")
    handler(project, "import pure")
    lib = project.folder / "lib"
    lib.mkdir()
    (lib / "requirements.txt").write_text("pure\n")
    (project.folder / "lib" / "unused.py").touch()
    layer = {"source": "lib", "CompatibleRuntimes": ["python3.13"]}
    project.settings(
        functions={"hello": {**FUNCTION, "layers": ["common", ARN]}}, layers={"common": layer}
    )

    result = project.run("package", "--report")

    found = data(project)
    assert [each["label"] for each in found["archives"]] == ["hello", "layer common"]
    assert found["unknownLayers"] == [ARN]
    assert [row[3:] for row in table(result.err) if row[0] == "pure 1.0"][-1] == [
        "imported",
        "layer common",
    ]
    own = data(project, "common.layer")
    assert [each["label"] for each in own["archives"]] == ["layer common"]
    assert own["archives"][0]["unzipped"] == found["archives"][1]["unzipped"]
    assert {*uses(own).values()} == {""}


def test_it_shows_what_has_changed_since_the_last_archive(project: Project) -> None:
    function(project)
    source = project.folder / "src"
    for name in ("gone", "edited", "same"):
        (source / name).write_text(name)
    project.run("package", "--report")
    assert data(project)["changes"] is None
    (source / "gone").unlink()
    (source / "edited").write_text("rewritten")
    (source / "new").write_bytes(b"x" * 2000)

    result = project.run("package", "--report")

    assert data(project)["changes"] == {
        "count": 3,
        "difference": 1999,
        "largest": [["new", None, 2000], ["gone", 4, None], ["edited", 6, 9]],
    }
    assert (
        "changes   hello  1 file added, 1 file removed, 1 file changed, +2.0 kB unzipped\n"
    ) in result.err
    project.run("package", "--report")
    assert data(project)["changes"]["count"] == 0


def test_a_damaged_archive_is_not_compared_with(project: Project) -> None:
    archive = function(project)
    project.run("package")
    archive.write_bytes(archive.read_bytes()[:-40])

    project.run("package", "--report")

    assert data(project)["changes"] is None


def test_an_archive_that_is_too_large_has_one(project: Project) -> None:
    function(project)
    for index in range(6):
        with (project.folder / "src" / f"{index}.bin").open("wb") as file:
            file.truncate(45 << 20)  # of zeros, and no blocks on the disk

    result = project.run("package", "--report", code=1)

    assert "Lambda's limit is 250 MiB" in result.err
    assert data(project)["archives"][0]["unzipped"] > data(project)["limits"]["unzipped"]


def test_the_terminal_shows_the_ten_largest(project: Project) -> None:
    function(project)
    for index in range(12):
        folder = project.folder / "src" / f"part{index}"
        folder.mkdir()
        (folder / "zeros").write_bytes(bytes(1000 * (index + 1)))

    result = project.run("package", "--report")

    assert "report    hello  .tasks_aws/hello.report.html, 78.0 kB unzipped\n" in result.err
    assert [row[:2] for row in table(result.err)] == [
        [f"part{index}", f"{index + 1}.0 kB"] for index in range(11, 1, -1)
    ]
    assert "report" not in project.run("package").err


def test_names_of_files_are_text(project: Project) -> None:
    function(project)
    names = ("\x1b[31m/<\x07", "</script><script>document.title = 'run'<", "<!--<script>")
    for name in names:
        path = project.folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    result = project.run("package", "--report")

    assert page(project).count("</script") == TEMPLATE.count("</script")
    assert page(project).count("<!--") == 0
    [own] = data(project)["archives"]
    found = {file[0] for part in own["parts"] for file in part["files"]}
    assert found == {"app.py", *names}
    assert "\x1b" not in result.err


def test_the_page_loads_nothing(project: Project) -> None:
    function(project)

    project.run("package", "--report")

    assert "default-src 'none'" in page(project)
    loading = r"https?:|//\w+\.\w+|\b(src|href|action)\s*=|url\(|@import|fetch\(|XMLHttpRequest"
    assert re.findall(loading, page(project)) == []


@pytest.mark.skipif(not (PROGRAM and DRIVER), reason="needs Chromium")
def test_a_browser_shows_it(project: Project, wheels: Path) -> None:
    make_wheel(wheels, "big", tag="py3-none-any", files={"big/<b>.bin": "x" * 5000})
    function(project, requirements="big\n")

    project.run("package", "--report")

    with browser() as shown:
        shown.open((project.folder / ".tasks_aws" / "hello.report.html").as_uri())
        shown.wait_for("big 1.0, 5.1 kB: not imported")
        shown.click("#table button")
        shown.wait_for("big 1.0: 5.1 kB unzipped, ")
        shown.click("#map button")
        shown.wait_for("<b>.bin")


def test_clean_removes_it(project: Project) -> None:
    function(project)
    project.run("package", "--report")

    project.run("clean", "--function", "hello")

    assert [*(project.folder / ".tasks_aws").glob("hello*")] == []
