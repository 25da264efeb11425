"""Real projects' dependencies, from the public registries: ``pytest -m registry``.

All other tests do without a network, so these are run only when they are asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tasks_aws.packaging.bytecode import find_interpreter
from tasks_aws.packaging.python.installers import find_uv
from tests.support import Project, of_registries
from tests.test_recipes import check_typescript

pytestmark = pytest.mark.registry

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # Lambda's names and those of wheels
HERE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "")
ROOT = Path(__file__).parents[1]

# AWS SDK for pandas: what its own Lambda layer holds, slimmed as that is.
PANDAS = "awswrangler==3.17.1\n"
SLIM = ["**/tests/", "pyarrow/include/", "/boto3/", "/botocore/", "/s3transfer/"]
USE_PANDAS = """
import io
import pandas, pyarrow, pyarrow.parquet
table = pyarrow.table(pandas.DataFrame({"a": [1, 2, 3]}))
pyarrow.parquet.write_table(table, file := io.BytesIO())
assert pandas.read_parquet(io.BytesIO(file.getvalue())).a.sum() == 6
"""

FASTAPI = "fastapi==0.116.1\nmangum==0.19.0\npydantic-settings==2.10.1\nPyJWT[crypto]==2.10.1\n"
USE_FASTAPI = """
import jwt, jwt.algorithms, mangum, pydantic_settings
from fastapi import FastAPI
app = FastAPI()
app.get("/{number}")(lambda number: {"double": int(number) * 2})
answer = mangum.Mangum(app, lifespan="off")({
    "version": "2.0", "routeKey": "$default", "rawPath": "/21", "rawQueryString": "",
    "headers": {"host": "x"}, "isBase64Encoded": False,
    "requestContext": {"http": {"method": "GET", "path": "/21", "sourceIp": "127.0.0.1"}},
}, None)
assert answer["statusCode"] == 200, answer
assert jwt.algorithms.has_crypto
"""

# Of the most downloaded packages, by what is imported from them.
FORTY_OF_PYPI = {
    **{name: name for name in ("boto3", "botocore", "s3transfer", "urllib3", "requests", "idna")},
    **{name: name for name in ("certifi", "packaging", "setuptools", "six", "click", "attrs")},
    **{name: name for name in ("cryptography", "rsa", "pyasn1", "cffi", "pycparser", "pytz")},
    **{name: name for name in ("fsspec", "aiohttp", "jsonschema", "httpx", "fastapi", "flask")},
    **{name: name for name in ("lxml", "rich", "pandas", "numpy")},
    "charset-normalizer": "charset_normalizer",
    "typing-extensions": "typing_extensions",
    "python-dateutil": "dateutil.parser, dateutil.tz",
    "pyyaml": "yaml",
    "pydantic": "pydantic, pydantic.v1",
    "jinja2": "jinja2",
    "protobuf": "google.protobuf.message",
    "sqlalchemy": "sqlalchemy.orm, sqlalchemy.ext.asyncio",
    "pyjwt": "jwt.algorithms",
    "google-cloud-storage": "google.cloud.storage, google.auth, google.api_core.exceptions",
    "pillow": "PIL.Image",
    "aws-lambda-powertools": "aws_lambda_powertools.event_handler",
}
TWENTY_OF_NPM = (
    *("axios", "lodash", "express", "uuid", "dotenv", "moment", "dayjs", "zod", "commander"),
    *("chalk", "debug", "rxjs", "joi", "pg", "mysql2", "jsonwebtoken", "node-fetch", "ws"),
    *("@middy/core", "@aws-lambda-powertools/logger"),
)


@pytest.fixture
def online(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that reaches the registries as this computer is set up for it."""
    monkeypatch.setenv("HOME", pwd.getpwuid(os.getuid()).pw_dir)
    project.environ.update(HOME=os.environ["HOME"], **of_registries(os.environ))
    return project


@pytest.mark.parametrize(
    ("runtime", "requirements", "program"),
    [
        pytest.param("3.11", PANDAS, USE_PANDAS, id="pandas-3.11"),  # the older glibc
        pytest.param("3.13", PANDAS, USE_PANDAS, id="pandas-3.13"),
        pytest.param("3.10", FASTAPI, USE_FASTAPI, id="fastapi-3.10"),
        pytest.param("3.12", FASTAPI, USE_FASTAPI, id="fastapi-3.12"),
    ],
)
def test_python(online: Project, runtime: str, requirements: str, program: str) -> None:
    (source := online.folder / "src").mkdir()
    (source / "app.py").write_text(f"{program}\ndef handler(event, context): ...\n")
    (source / "requirements.txt").write_text(requirements)

    archives = package(
        online, {"Runtime": f"python{runtime}", "Handler": "app.handler", "exclude": SLIM}
    )

    for architecture, machine in ARCHITECTURES.items():
        natives = [name for name in names(archives[architecture]) if f"-{machine}-linux" in name]
        assert natives
        assert not [name for name in natives if f"cpython-{runtime.replace('.', '')}" not in name]
    python = find_interpreter(runtime, os.environ)
    if not python or not HERE:
        pytest.skip(f"built, but there is no Python {runtime} here to import it with")
    place = unpack(archives[HERE], online)
    # Like Lambda it does not end in Python's way, at which pyarrow's threads now and then abort.
    load = f"import os, sys; sys.path[:0] = [{str(place)!r}]; import app; os._exit(0)"
    subprocess.run([python, "-I", "-c", load], check=True)


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_workspace_with_a_lock(online: Project, tool: str) -> None:
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["src", "libs/*"]\n',
        "src/pyproject.toml": (
            '[project]\nname = "orders"\nversion = "1"\nrequires-python = ">=3.10"\n'
            'dependencies = ["humanize", "requests"]\n[dependency-groups]\ndev = ["pytest"]\n'
            "[tool.uv.sources]\nhumanize = {workspace = true}\n"
        ),
        "src/app.py": "import humanize, requests\ndef handler(event, context): ...\n",
        # PyPI has a package of this name, too.
        "libs/humanize/pyproject.toml": (
            '[project]\nname = "humanize"\nversion = "0.0.1"\nrequires-python = ">=3.10"\n'
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        ),
        "libs/humanize/src/humanize/__init__.py": "ours = True\n",
    }
    for name, content in files.items():
        path = online.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    uv = [str(find_uv(os.environ)), "lock", "--quiet"]
    subprocess.run(uv, cwd=online.folder, env=online.environ, check=True)

    archives = package(
        online, {"Runtime": "python3.13", "Handler": "app.handler", "installer": tool}
    )

    for archive in archives.values():
        found = names(archive)
        assert {"humanize/__init__.py", "requests/__init__.py"} <= {*found}
        assert not [name for name in found if name.startswith(("pytest", "humanize-4"))]


def test_node_sharp(online: Project) -> None:
    (source := online.folder / "src").mkdir()
    manifest = {
        "name": "thumbnails",
        "version": "1.0.0",
        "dependencies": {"sharp": "0.34.3"},
        "devDependencies": {"left-pad": "1.3.0"},
    }
    (source / "package.json").write_text(json.dumps(manifest))
    (source / "app.js").write_text(
        "const sharp = require('sharp')\n"
        "const image = {width: 8, height: 8, channels: 3, background: 'red'}\n"
        "exports.handler = async () => (await sharp({create: image}).png().toBuffer()).length\n"
    )
    words = ["npm", "install", "--package-lock-only", "--silent"]
    subprocess.run(words, cwd=source, env=online.environ, check=True)

    archives = package(online, {"Runtime": "nodejs22.x", "Handler": "app.handler"})

    for architecture, machine in (("x86_64", "x64"), ("arm64", "arm64")):
        found = names(archives[architecture])
        natives = {name.split("/")[2] for name in found if name.startswith("node_modules/@img/")}
        assert natives - {"colour"} == {f"sharp-linux-{machine}", f"sharp-libvips-linux-{machine}"}
        assert not [name for name in found if "left-pad" in name]
    if not shutil.which("node") or platform.system() != "Linux" or not HERE:
        pytest.skip("built, but it does not run here")
    place = unpack(archives[HERE], online)
    call = "require('./app').handler().then(bytes => { if (bytes < 50) process.exit(1) })"
    subprocess.run(["node", "-e", call], cwd=place, check=True)


def test_typescript_with_esbuild(online: Project) -> None:
    check_typescript(online)


def test_no_import_of_the_most_used_packages_is_missing(online: Project) -> None:
    (source := online.folder / "src").mkdir()
    imports = "\n".join(f"import {names}" for names in FORTY_OF_PYPI.values())
    more = "from six.moves import urllib\nfrom google.cloud import storage\nimport distutils"
    (source / "app.py").write_text(f"{imports}\n{more}\ndef handler(event, context): ...\n")
    (source / "requirements.txt").write_text("\n".join(FORTY_OF_PYPI))
    exclude = ["**/tests/", "lxml/includes/"]

    assert len(FORTY_OF_PYPI) == 40
    package(online, {"Runtime": "python3.13", "Handler": "app.handler", "exclude": exclude})

    (source / "app.py").write_text(f"{imports}\nimport nonesuch\n{more}\nhandler = 1\n")
    result = online.run("package", code=1)
    assert "app.py line 41 imports nonesuch, which nothing provides" in result.err


def test_no_import_of_the_most_used_packages_of_node_is_missing(online: Project) -> None:
    (source := online.folder / "src").mkdir()
    manifest = {"name": "x", "version": "1.0.0", "dependencies": dict.fromkeys(TWENTY_OF_NPM, "*")}
    (source / "package.json").write_text(json.dumps(manifest))
    imports = "".join(f"import '{name}'\n" for name in TWENTY_OF_NPM)
    (source / "app.mjs").write_text(imports)
    words = ["npm", "install", "--package-lock-only", "--silent"]
    subprocess.run(words, cwd=source, env=online.environ, check=True)

    assert len(TWENTY_OF_NPM) == 20
    package(online, {"Runtime": "nodejs22.x", "Handler": "app.handler"})

    (source / "app.mjs").write_text(f"{imports}import 'nonesuch'\n")
    assert "app.mjs line 21 imports nonesuch" in online.run("package", code=1).err


@pytest.mark.parametrize(
    ("tools", "locking", "manifest", "text"),
    [
        pytest.param(
            ["poetry", "poetry-plugin-export"],
            ["poetry", "lock"],
            "pyproject.toml",
            """
            [project]
            name = "hello"
            version = "1"
            requires-python = ">=3.10,<4"
            dependencies = ["idna", "exceptiongroup; python_version < '3.11'"]
            [tool.poetry]
            package-mode = false
            [tool.poetry.group.dev.dependencies]
            iniconfig = "*"
            [[tool.poetry.source]]
            name = "simple"
            url = "https://pypi.org/simple/"
            """,
            id="poetry",
        ),
        pytest.param(
            ["pipenv"],
            ["pipenv", "lock"],
            "Pipfile",
            """
            [[source]]
            name = "pypi"
            url = "https://pypi.org/simple"
            verify_ssl = true
            [packages]
            idna = "*"
            exceptiongroup = {version = "*", markers = "python_version < '3.11'"}
            [dev-packages]
            iniconfig = "*"
            """,
            id="pipenv",
        ),
    ],
)
def test_locks_of_other_tools(
    online: Project, tools: list[str], locking: list[str], manifest: str, text: str
) -> None:
    (source := online.folder / "src").mkdir()
    (source / "app.py").write_text("def handler(event, context): ...\n")
    (source / manifest).write_text(dedent(text))
    venv = online.home / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(venv / "bin" / "pip"), "install", "-q", *tools]
    subprocess.run(install, env=online.environ, check=True)
    online.environ["PATH"] = f"{venv / 'bin'}{os.pathsep}{online.environ['PATH']}"
    online.environ["WORKON_HOME"] = str(online.home / "virtualenvs")
    subprocess.run(locking, cwd=source, env=online.environ, check=True)

    archives = package(online, {"Runtime": "python3.10", "Handler": "app.handler"})

    for path in archives.values():
        assert {"idna/core.py", "exceptiongroup/_exceptions.py"} <= set(names(path))
        assert not [name for name in names(path) if name.startswith("iniconfig")]


def test_every_python_gives_one_archive(online: Project) -> None:
    """Under each Python that is here, with a folder, an umask and a zone of its own."""
    (source := online.folder / "src").mkdir()
    (source / "app.py").write_text("def handler(event, context): ...\n")
    (source / "requirements.txt").write_text(
        'numpy==2.2.6\nrequests==2.32.3\nexceptiongroup; python_version < "3.11"\n'
    )
    online.settings(
        functions={"hello": {"source": "src", "Runtime": "python3.10", "Handler": "app.handler"}}
    )
    versions = ["3.10", "3.11", "3.12", "3.13"]
    pythons = {version: find_interpreter(version, os.environ) for version in versions}
    digests = {}
    for index, (version, python) in enumerate(pythons.items()):
        if not python:
            continue
        place = online.folder.parent / f"under {version}"
        shutil.copytree(online.folder, place)
        subprocess.run([python, "-m", "venv", str(place / "venv")], check=True)
        own = str(place / "venv" / "bin" / "python")
        install = [own, "-m", "pip", "install", "-q", str(ROOT), *(["uv"] if index % 2 else [])]
        subprocess.run(install, env=online.environ, check=True)
        environ = {**online.environ, "TZ": f"UTC+{index * 4}", "PYTHONHASHSEED": str(index)}
        command = ["sh", "-c", f'umask 0{index}7; exec "$0" -m invoke package', own]
        subprocess.run(command, cwd=place, env=environ, check=True)
        content = (place / ".tasks_aws" / "hello.zip").read_bytes()
        digests[version] = hashlib.sha256(content).hexdigest()
    print(digests)

    if len(digests) < 2:
        pytest.skip("there is one Python here")
    assert len(set(digests.values())) == 1


def package(project: Project, settings: dict[str, Any]) -> dict[str, Path]:
    """Run `invoke package` for both architectures and return the archives."""
    functions = {each: {"Architectures": [each]} for each in ARCHITECTURES}
    project.settings(function_defaults={"source": "src", **settings}, functions=functions)

    result = project.run("package", timeout=600)

    archives = {each: project.folder / ".tasks_aws" / f"{each}.zip" for each in ARCHITECTURES}
    print(result.err)
    for path in archives.values():
        print(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    return archives


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None
        return found.namelist()


def unpack(archive: Path, project: Project) -> Path:
    place = project.folder / "unpacked"
    with zipfile.ZipFile(archive) as found:
        found.extractall(place)
    return place
