"""Wheels that are made on the spot, so that tests need no package registry."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from threading import Thread
from typing import Any


def make_wheel(
    folder: Path, name: str, *, tag: str, files: dict[str, str], requires: str = ""
) -> None:
    """Write a wheel of version 1.0; `requires` is what it depends on."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    contents = {
        **files,
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in contents)
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as wheel:
        for path, text in contents.items():
            wheel.writestr(path, text)


def wheel_of_installed(folder: Path, name: str) -> None:
    """Write a wheel of a pure package from what is installed of it."""
    found = distribution(name)
    with zipfile.ZipFile(folder / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
        for path in found.files or []:
            if "__pycache__" not in path.parts and ".." not in path.parts:
                wheel.write(str(path.locate()), str(path))


def offline(folder: Path) -> dict[str, str]:
    """Return the variables that let pip and uv see nothing but the wheels of a folder."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_OFFLINE": "1",
    }


def make_sdist(folder: Path, name: str, *, builds: str) -> None:
    """Write a source distribution of version 1.0, whose wheel will have the tag `builds`."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    wheel = f"{name}-1.0-{builds}.whl"
    files = {
        f"{name}.py": "built = True\n",
        f"{name}-1.0.dist-info/METADATA": metadata,
        f"{name}-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nTag: {builds}\n",
        f"{name}-1.0.dist-info/RECORD": "",
    }
    backend = f"""
import zipfile
def build_wheel(folder, *arguments):
    with zipfile.ZipFile(f"{{folder}}/{wheel}", "w") as wheel:
        for path, text in {files}.items():
            wheel.writestr(path, text)
    return "{wheel}"
"""
    project = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
    contents = {"backend.py": backend, "pyproject.toml": project, "PKG-INFO": metadata}
    folder.mkdir(exist_ok=True)
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as sdist:
        for path, text in contents.items():
            info = tarfile.TarInfo(f"{name}-1.0/{path}")
            info.size = len(text.encode())
            sdist.addfile(info, io.BytesIO(text.encode()))


class _Index(SimpleHTTPRequestHandler):
    """Serves files to those who know the password, if there is one."""

    def __init__(self, *arguments: Any, password: str, **options: Any) -> None:
        self._expected = f"Basic {b64encode(f'alice:{password}'.encode()).decode()}"
        self._open = not password
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self._open or self.headers.get("Authorization") == self._expected:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def simple_index(folder: Path, *, password: str = "") -> Iterator[str]:
    """Serve the wheels of a folder as a package index (PEP 503), and give its URL."""
    root = folder / "index"
    for wheel in folder.glob("*.whl"):
        page = root / "simple" / wheel.name.partition("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        page.write_text(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>')
        wheel.rename(page.with_name(wheel.name))
    handler = partial(_Index, directory=str(root), password=password)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()
