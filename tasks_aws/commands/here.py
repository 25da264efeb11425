"""What `invoke --here` does: run the package of a function on this machine, without Lambda.

The function gets what it has on Lambda: its package and layers, its variables, those of Lambda,
and credentials, which are those of `assume`. Of the user's own environment it gets only what says
how AWS is reached from here.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from invoke.context import Context

from ..auth.active import Active, active, obtain_for, settings_in_force
from ..auth.environment import users_environment
from ..auth.profile_variables import VARIABLES
from ..auth.request import prepare
from ..aws_lambda.clients import Account
from ..aws_lambda.download import unpack_archive
from ..aws_lambda.invocation import Invocation, Result, explain_function_error
from ..aws_lambda.lookups import resolve_names, resolve_references
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.validation import validate_function
from ..config.functions import Function
from ..errors import PackageError, SettingsError, raise_failures
from ..packaging.archive import Archive
from ..packaging.bytecode import find_interpreter
from ..packaging.files import convert_file_errors
from ..packaging.installs import find_program
from ..packaging.natives import find_foreign, this_machine
from ..packaging.python.imports import SDK
from ..process.temporary import temporary_folder
from ..process.threads import in_parallel
from ..text.masking import without_secrets
from ..ui.output import print_function_log, print_result, say
from .accounts import account_with
from .packaging import package_functions
from .runtime import Processes, Run, run_once
from .selection import select

_NODE_SDK = "@aws-sdk"
_RUNNERS = Path(__file__).with_name("runners")

# What Lambda gives a function for which it is not set.
_TIMEOUT_SECONDS, _MEMORY_MB = 3, 128

# Of the user's variables, those that say how AWS is reached from this machine.
_REACHING = {
    *VARIABLES.values(),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    "SYSTEMROOT",  # without it, no program starts on Windows
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Program:
    """The Python or Node.js of a function's runtime on this machine."""

    path: str
    python: str = ""  # its minor version, such as 3.13; empty for Node.js

    @property
    def words(self) -> list[str]:
        """Return the command that runs a function."""
        if self.python:
            # Nothing that is installed for this Python is seen, and no output is held back.
            return [self.path, "-S", "-u", str(_RUNNERS / "python.py")]
        return [self.path, str(_RUNNERS / "node.cjs")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Package:
    """The package of a function, unpacked as on Lambda, with folders of its own beside it."""

    folder: Path

    @property
    def task(self) -> Path:
        """Return what is /var/task on Lambda."""
        return self.folder / "task"

    @property
    def layers(self) -> Path:
        """Return what is /opt on Lambda."""
        return self.folder / "opt"

    @property
    def home(self) -> Path:
        """Return an empty HOME: there is none on Lambda."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """Return what is /tmp on Lambda."""
        return self.folder / "tmp"


def invoke_here(c: Context, names: Sequence[str], targets: Sequence[str], call: Invocation) -> None:
    """Run the packages of functions on this machine, and print as `invoke` does."""
    settings = settings_in_force(c, *targets[:1])
    selection = select(settings, names)
    functions = selection.functions
    for parameters in functions.values():
        _check_function(parameters, call)
    programs = {each: _find_program(each) for each in functions}
    if c.config.run.dry:
        for each, program in programs.items():
            handler = each.parameters["Handler"]
            say("invoke", f"would run {each.name} here: {handler}, by {program.path}")
        return
    archives = package_functions(c, selection)
    now = obtain_for(c, prepare(settings)) if targets else active(c)
    account = account_with(c, now)
    final = _resolve([*functions], account)
    if not targets:
        now = active(c, needed=max(map(_timeout, final)))
    with _scratch_folder() as scratch:
        runs = []
        for before, parameters in zip(functions, final, strict=True):
            package = _Package(folder=scratch / before.name)
            with convert_file_errors():
                _unpack(package, before, archives[before], settings.project)
            runs.append(_describe(parameters, package, programs[before], now, account, call))
        _run_all(final, runs, now)


def _run_all(functions: Sequence[Parameters], runs: Sequence[Run], now: Active) -> None:
    """Run all functions at once, and print each answer in the order of the settings."""
    processes, failures = Processes(), []
    keys = (now.credentials.secret_access_key, now.credentials.session_token)
    with processes.ending():
        answers = in_parallel(lambda run: run_once(run, processes), runs)
        for each, answer in zip(functions, answers, strict=True):
            print_function_log(without_secrets(answer.log, keys))
            print_result(answer.payload)
            result = Result(payload=answer.payload, log=answer.log, error=answer.error)
            error = explain_function_error(each.name, result) if answer.error else None
            failures.append((each.function.name, error))
    raise_failures(failures, what="failed")


def _check_function(parameters: Parameters, call: Invocation) -> None:
    """Raise `SettingsError` for a function that cannot be run without Lambda."""
    function, runtime = parameters.function, parameters.function.runtime
    what = f"{function.name} cannot be run with `--here`."
    deployed = "Leave out `--here` to run the deployed function."
    if parameters.image:
        raise SettingsError(what, why="Its code is a container image.", fix=deployed)
    if not (_python_of(runtime) or _node_of(runtime)):
        why = f"Its runtime is {runtime}; `--here` runs Python and Node.js."
        raise SettingsError(what, why=why, fix=deployed)
    if "TenancyConfig" in parameters.create and call.tenant_id is None:
        why = f"`{function.key}.TenancyConfig` isolates its tenants, and none is named."
        raise SettingsError(what, why=why, fix="Pass --tenant-id.")
    others = [each for each in function.layers or () if each not in function.layer_names]
    if others := [*others, *(function.parameters.get("Layers") or ())]:
        why = f"The layer {others[0]} is on AWS; `--here` has only those under `aws.layers`."
        raise SettingsError(what, why=why, fix=deployed)


def _find_program(function: Function) -> _Program:
    """Return the Python or Node.js of the function's runtime. Raises `SettingsError`."""
    environ = users_environment()
    if python := _python_of(function.runtime):
        found = find_interpreter(python, environ)
        if found is None:
            raise _not_found(
                function,
                f"Python {python}",
                f"No working python{python} is on PATH, and uv does not manage one.",
                f"Install it: `uv python install {python}`.",
            )
        # A shim, such as that of pyenv, needs the user's own variables.
        return _Program(
            path=ask_program(found, "-IX", "utf8", "-c", _WHERE, environ=environ), python=python
        )
    major = _node_of(function.runtime)
    found = find_program("node", environ)
    version, _, path = ask_program(found or "", "-p", _WHERE_NODE, environ=environ).partition(" ")
    if version != major:
        why = f"node on PATH is version {version}." if version else "There is no node on PATH."
        fix = f"Install it, and let node {major} come first on PATH."
        raise _not_found(function, f"Node.js {major}", why, fix)
    return _Program(path=path)


_WHERE = "import sys; print(sys.executable)"
_WHERE_NODE = "process.versions.node.split('.')[0] + ' ' + process.execPath"


def ask_program(program: str, *words: str, environ: Mapping[str, str]) -> str:
    """Return what a program prints; an empty string if it fails, or does not run."""
    try:
        done = subprocess.run(
            [program, *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _not_found(function: Function, what: str, why: str, fix: str) -> SettingsError:
    return SettingsError(
        f"{what} is not installed, which `--here` needs to run {function.name}.", why=why, fix=fix
    )


def _python_of(runtime: str) -> str:
    found = re.fullmatch(r"python(3\.\d+)", runtime)
    return found[1] if found else ""


def _node_of(runtime: str) -> str:
    found = re.fullmatch(r"nodejs(\d+)\.x", runtime)
    return found[1] if found else ""


def _resolve(functions: Sequence[Function], account: Account) -> list[Parameters]:
    """Return the functions with what a run needs of their references."""
    needed = ("Environment", "LoggingConfig", "MemorySize", "Timeout")
    narrow = [
        Function(
            name=each.name,
            key=each.key,
            parameters={key: each.parameters[key] for key in needed if key in each.parameters},
        )
        for each in functions
    ]
    resolved, names = resolve_references(narrow, account), resolve_names(functions, account)
    return [
        replace(
            validate_function(replace(each, parameters={**each.parameters, **found.parameters})),
            name=name,
        )
        for each, found, name in zip(functions, resolved, names, strict=True)
    ]


def _timeout(parameters: Parameters) -> int:
    return int(parameters.create.get("Timeout", _TIMEOUT_SECONDS))


def _scratch_folder() -> AbstractContextManager[Path]:
    return temporary_folder(Path(tempfile.gettempdir()).resolve(), "tasks-aws-here-")


def _unpack(
    package: _Package, function: Function, archives: Sequence[Archive], project: Path
) -> None:
    """Unpack a function and its layers. Raises `PackageError` for one that cannot run here."""
    own, *layers = archives
    for folder in (package.layers, package.home, package.temporary):
        folder.mkdir(parents=True)
    unpack_archive(own.path.read_bytes(), package.task)
    for number, layer in enumerate(layers):
        unpacked = package.folder / f"layer-{number}"
        unpack_archive(layer.path.read_bytes(), unpacked)
        shutil.copytree(unpacked, package.layers, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(unpacked)
    architecture = function.architectures[0]
    folders = [package.task, *_python_folders(package, function), package.layers / "nodejs"]
    if foreign := next(filter(None, (find_foreign(each, architecture) for each in folders)), ""):
        raise PackageError(
            f"{function.name} cannot be run on this machine, which is {this_machine()}.",
            why=f"Its package contains {foreign}, compiled for Linux on {architecture}.",
            fix="Leave out `--here` to run the deployed function.",
        )
    if _node_of(function.runtime):
        _link_node_modules(package, function, project)


def _python_folders(package: _Package, function: Function) -> list[Path]:
    python = package.layers / "python"
    return [python / f"lib/{function.runtime}/site-packages", python]


def _node_folders(package: _Package, function: Function) -> list[Path]:
    nodejs = package.layers / "nodejs"
    return [nodejs / f"node{_node_of(function.runtime)}/node_modules", nodejs / "node_modules"]


def _link_node_modules(package: _Package, function: Function, project: Path) -> None:
    """Let Node.js find the packages of layers, and the AWS SDK that is part of Lambda's runtime.

    They are in a folder above the function, because `import` does not look at NODE_PATH. The SDK is
    the one that is installed in the project, if there is one.
    """
    sources = [project / each.path for each in function.source]
    above = [folder for source in sources for folder in (source, *source.parents)]
    inside = [each for each in above if each.is_relative_to(project)]
    layers = [(each, ["[!@.]*", "@*/*"]) for each in _node_folders(package, function)]
    sdk = [(each / "node_modules", [f"{_NODE_SDK}/*"]) for each in inside]
    for folder, patterns in [*layers, *sdk]:
        for path in (path for pattern in patterns for path in folder.glob(pattern)):
            link = package.folder / "node_modules" / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(path)


def _describe(
    parameters: Parameters,
    package: _Package,
    program: _Program,
    now: Active,
    account: Account,
    call: Invocation,
) -> Run:
    """Return what to run, with which variables, and what the handler is told."""
    function = parameters.function
    memory = int(parameters.create.get("MemorySize", _MEMORY_MB))
    environ = _make_environment(parameters, package, program, now, memory)
    context = call.client_context
    return Run(
        words=program.words,
        environ=environ,
        folder=package.task,
        scratch=package.folder,
        request_id=str(uuid4()),
        timeout=_timeout(parameters),
        memory_size=memory,
        request={
            "event": json.loads(call.payload),
            "arn": account.function_arn(parameters.name, None),
            "client_context": json.loads(base64.b64decode(context)) if context else None,
            "tenant_id": call.tenant_id,
            "path": [str(package.task), *map(str, _python_folders(package, function))],
            "runtime_modules": _find_sdk() if program.python else {},
        },
    )


def _find_sdk() -> dict[str, str]:
    """Return the folders of the modules of ours that are part of Lambda's Python, too."""
    found = {name: find_spec(name) for name in SDK}
    return {
        name: str(Path(spec.origin).parents[1 if spec.submodule_search_locations else 0])
        for name, spec in found.items()
        if spec and spec.origin
    }


def _make_environment(
    parameters: Parameters, package: _Package, program: _Program, now: Active, memory: int
) -> dict[str, str]:
    """Return all variables of the function, as Lambda sets them."""
    function, task, opt = parameters.function, package.task, package.layers
    users = users_environment()
    given = parameters.create.get("Environment") or {}
    reaching = {
        name: text
        for name, text in {**users, **now.request.profile_variables}.items()
        if name in _REACHING or name.startswith("AWS_ENDPOINT_URL")
    }
    paths = {
        "PATH": (Path(program.path).parent, "/usr/local/bin", "/usr/bin", "/bin", opt / "bin"),
        "LD_LIBRARY_PATH": (task, task / "lib", opt / "lib"),
        "NODE_PATH": _node_folders(package, function) if _node_of(function.runtime) else (),
    }
    defaults = {
        **reaching,
        **{name: os.pathsep.join(map(str, each)) for name, each in paths.items() if each},
        "HOME": str(package.home),
        "TMPDIR": str(package.temporary),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    }
    return {
        **defaults,
        **given.get("Variables", {}),
        # Those that Lambda reserves.
        "_HANDLER": function.parameters["Handler"],
        "_X_AMZN_TRACE_ID": f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0",
        "AWS_ACCESS_KEY_ID": now.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": now.credentials.secret_access_key,
        "AWS_SESSION_TOKEN": now.credentials.session_token,
        "AWS_REGION": now.request.region,
        "AWS_DEFAULT_REGION": now.request.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": parameters.bare_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": parameters.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid4().hex}",
        "LAMBDA_RUNTIME_DIR": str(_RUNNERS),
        "LAMBDA_TASK_ROOT": str(task),
    }
