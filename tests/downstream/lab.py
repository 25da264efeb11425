"""Who each tool is after `assume`: the tools run where nothing else can be reached.

This program runs in a network namespace of its own, whose one address beside the loopback is that
of AWS's metadata service, and in a namespace of processes, so that nothing outlives it. It prints
a cell for each tool and each way to `assume`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.downstream.tools import ROOT, TOOLS, Tool
from tests.strict_sts import Handler, Key, StrictSts
from tests.support import Project, clean_environment

# With a `[default]` of somebody else in ~/.aws/credentials; with a role of the machine's own.
SURROUNDINGS = ("laptop", "machine")
WAYS = {"assume": (), "keep-fresh": ("--keep-fresh",)}
ROLE, NONE, ANONYMOUS = "role", "none", "anonymous"
PROFILE, WARNED, WRONG = "profile", "warned", "X"
SECONDS = 60  # for one tool
_START_SECONDS = 30  # for invoke
REGION = "eu-central-1"
METADATA = "169.254.169.254"
_NAMESPACES = ("--map-root-user", "--net", "--mount-proc", "--pid", "--fork", "--kill-child")

INTRUDER = Key(id="AKIAINTRUDER00000000", secret="i" * 40, arn="arn:aws:iam::111111111111:user/i")
MACHINE = Key(
    id="ASIAMACHINE000000000",
    secret="m" * 40,
    arn="arn:aws:sts::111111111111:assumed-role/machine/i-0",
    token="machine",
)


def cells(surrounding: str, tools: Sequence[Tool], folder: Path) -> dict[str, dict[str, str]]:
    """Return who each tool is, for each way to `assume`; what they print is left in the folder."""
    names = [tool.name for tool in tools]
    words = [sys.executable, "-m", "tests.downstream.lab", surrounding, str(folder), *names]
    process = subprocess.run(
        ["unshare", *_NAMESPACES, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS + len(WAYS) * len(tools) * (SECONDS + _START_SECONDS),
    )
    assert process.returncode == 0, process.stdout + process.stderr
    found: dict[str, dict[str, str]] = json.loads(process.stdout)
    return found


def hindrance() -> str:
    """Return why the tools cannot run on this machine, or nothing."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return "unshare or ip is not installed"
    process = subprocess.run(["unshare", *_NAMESPACES, "true"], capture_output=True, text=True)
    return f"no network namespace: {process.stderr.strip()}" if process.returncode else ""


class Service(Handler):
    """STS, and as much of S3 as tools look at. Other services refuse. It notes who has signed."""

    signers: list[str]

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        action = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
        if action == "AssumeRole":
            self.answer(body)  # invoke itself
            return
        service = self._note()
        if action == "GetCallerIdentity":
            self.answer(body)
        elif service == "s3":
            self._send(200)
        else:
            self._refuse(query=bool(action))

    def do_GET(self) -> None:  # noqa: N802
        service, url = self._note(), urlsplit(self.path)
        if self.signers[-1] == ANONYMOUS:
            self._send(403, "<Error><Code>AccessDenied</Code></Error>")
            return
        listing = url.path.count("/") < 2 or url.path.endswith("/") or "prefix=" in url.query
        if service != "s3":
            self._refuse(query=False)
        elif "location" in url.query:
            self._send(200, f"<LocationConstraint>{REGION}</LocationConstraint>")
        elif url.path == "/":
            self._send(200, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
        elif listing:
            self._send(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        else:
            self._send(404, "<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _note(self) -> str:
        """Note who has signed the request; return the service that it is for."""
        signed = unquote(f"{self.headers.get('authorization', '')} {self.path}")
        found = re.search(r"Credential=([^/]+)/\d+/[^/]*/([^/]+)/", signed)
        found = found or re.search(r"AWS ([^:]+):()", signed)  # Signature version 2
        self.signers.append(found[1] if found else ANONYMOUS)
        return found[2] if found and found[2] else "s3"

    def _refuse(self, *, query: bool) -> None:
        code = "AccessDeniedException"
        error = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        self._send(400, error if query else json.dumps({"__type": code, "message": "no"}))

    def _send(self, status: int, text: str = "") -> None:
        self.send_response_only(status)
        self.send_header("content-length", str(len(text)))
        self.send_header("etag", '"e"')
        self.send_header("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())


class Metadata(BaseHTTPRequestHandler):
    """The metadata service of a machine that has a role, in both versions."""

    def do_PUT(self) -> None:
        self._send("token")

    def do_GET(self) -> None:
        keys = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "AccessKeyId": MACHINE.id,
            "SecretAccessKey": MACHINE.secret,
            "Token": MACHINE.token,
            "LastUpdated": "2025-01-01T00:00:00Z",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        roles = "/latest/meta-data/iam/security-credentials"
        self._send(
            {
                f"{roles}": "machine",
                f"{roles}/": "machine",
                f"{roles}/machine": json.dumps(keys),
                "/latest/meta-data/placement/availability-zone": f"{REGION}a",
                "/latest/meta-data/placement/region": REGION,
            }.get(self.path)
        )

    def _send(self, text: str | None) -> None:
        self.send_response_only(200 if text else 404)
        self.send_header("content-length", str(len(text or "")))
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *words: object) -> None:
        pass


def main(surrounding: str, folder: str, *names: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if surrounding == "machine":
        subprocess.run(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"], check=True)
        server = ThreadingHTTPServer((METADATA, 80), Metadata)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    tools = [tool for tool in TOOLS if tool.name in names]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(partial(_cells_of, surrounding, Path(folder)), tools)
        print(json.dumps({tool.name: row for tool, row in zip(tools, found, strict=True)}))


def _cells_of(surrounding: str, folder: Path, tool: Tool) -> dict[str, str]:
    return {way: _cell(surrounding, folder / tool.folder.name, tool, way) for way in WAYS}


def _cell(surrounding: str, folder: Path, tool: Tool, way: str) -> str:
    project = _project(folder / f"{surrounding}-{way}-{TOOLS.index(tool)}", tool)
    noted: list[str] = []
    with StrictSts(type("Noting", (Service,), {"signers": noted})) as sts:
        sts.keys |= {INTRUDER.id: INTRUDER, MACHINE.id: MACHINE}
        user, role = sts.user_key(), sts.role("Deployer")
        _surround(project, surrounding, user)
        project.settings(profile="dev", role_arn=role.arn)
        result = project.run(
            *("assume", *WAYS[way], "exec", "--"),
            *("timeout", "--kill-after=5", str(SECONDS), "sh", "-c", tool.command),
            code=None,
            environ={"AWS_ENDPOINT_URL": sts.url, "CI": "true", **tool.environ()},
            timeout=SECONDS + _START_SECONDS,
        )
        names = {ANONYMOUS: ANONYMOUS, user.id: PROFILE if tool.profile else WRONG}
        names |= {key.id: ROLE for key in sts.keys.values() if key.arn == role.session("alice")}
    (project.folder / "output.txt").write_text(f"{result}\n{noted}\n")
    who = {names.get(key, WRONG) for key in noted}
    if not who:
        return NONE if result.code else WRONG  # it has not said that it failed
    if WRONG in who:
        return WARNED if "~/.aws/credentials has keys" in result.err else WRONG
    return next(cell for cell in (PROFILE, ROLE, ANONYMOUS) if cell in who)


def _surround(project: Project, surrounding: str, user: Key) -> None:
    if surrounding == "machine":
        project.profile(
            "dev", region=REGION, aws_access_key_id=user.id, aws_secret_access_key=user.secret
        )
        return
    project.profile("dev", region=REGION)
    (project.home / ".aws" / "credentials").write_text(
        "".join(
            f"[{name}]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n"
            f"region = {REGION}\n"
            for name, key in (("default", INTRUDER), ("dev", user))
        )
    )


def _project(folder: Path, tool: Tool) -> Project:
    shutil.rmtree(folder, ignore_errors=True)
    environ = {**clean_environment(folder / "home"), "TMPDIR": str(folder / "temporary")}
    del environ["AWS_EC2_METADATA_DISABLED"]
    project = Project(folder / "project", folder / "home", environ)
    for each in ("project", "home/.aws", "temporary"):
        (folder / each).mkdir(parents=True)
    project.tasks()
    for name, text in tool.files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)
    return project


if __name__ == "__main__":
    main(*sys.argv[1:])
