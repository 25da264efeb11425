"""`clean`, `build`, `package`, `deploy` and `invoke`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from .declare import aws_task

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from ..settings import Function

_FUNCTION = "Name under aws.functions; repeatable. Default: all."


@aws_task(help={"function": _FUNCTION}, iterable=["function"])
def clean(c: Context, function: Iterable[str] | None = None) -> None:
    """Remove build output and archives."""
    from ..identity.state import settings_in_force
    from ..output import say
    from ..packaging.build import clean as remove

    settings = settings_in_force(c)
    functions = settings.named(function) if function else []
    for path in remove(functions, settings.project, everything=not function):
        say("clean", str(path.relative_to(settings.project)))


@aws_task(help={"function": _FUNCTION}, iterable=["function"])
def build(c: Context, function: Iterable[str] | None = None) -> None:
    """Stage a function's sources and dependencies."""
    from ..identity.state import settings_in_force
    from ..packaging.build import build as stage

    settings = settings_in_force(c)
    for each in _with_code(settings.named(function)):
        stage(each, settings.project, _runner(c))


@aws_task(help={"function": _FUNCTION}, iterable=["function"])
def package(c: Context, function: Iterable[str] | None = None) -> None:
    """Build a function and zip it, reproducibly."""
    from ..identity.state import settings_in_force
    from ..packaging.build import package as make

    settings = settings_in_force(c)
    for each in _with_code(settings.named(function)):
        make(each, settings.project, _runner(c))


@aws_task(
    help={
        "function": _FUNCTION,
        "dry_run": "Say what would change, and change nothing.",
        "force": "Upload the code even when it is unchanged.",
    },
    iterable=["function"],
)
def deploy(
    c: Context, function: Iterable[str] | None = None, dry_run: bool = False, force: bool = False
) -> None:
    """Package a function, and create or update it on Lambda.

    An unchanged function costs one read. Under invoke's own --dry nothing is changed either.
    """
    from ..functions.apply import apply
    from ..functions.model import parameters_of
    from ..functions.plan import plan
    from ..functions.refusals import translating
    from ..identity.state import active, settings_in_force
    from ..output import say
    from ..packaging.build import package as make
    from ..packaging.limits import check_direct_upload
    from ..packaging.select import source_files

    settings = settings_in_force(c)
    functions = settings.named(function)
    parameters = {each.name: parameters_of(each) for each in functions}
    for each in functions:  # before anybody is asked for an MFA code
        if each.source:
            source_files(each, settings.project)
    active(c)
    for each in functions:
        archive = None if parameters[each.name].image else make(each, settings.project, _runner(c))
        if archive:
            check_direct_upload(each.name, archive)
        with translating(each.name, "read the function"):
            client = _client(c)
            planned = plan(parameters[each.name], archive, client, force=force)
        if dry_run or c.config.run.dry:
            say("plan", f"{planned.parameters.name}  {planned}")
        else:
            apply(planned, client)


@aws_task(
    name="invoke",
    help={
        "function": _FUNCTION,
        "payload": "JSON, @FILE, or - for standard input. Default: {}.",
        "qualifier": "Version or alias.",
        "async": "Do not wait for the answer.",
    },
    iterable=["function"],
)
def invoke_(
    c: Context,
    function: Iterable[str] | None = None,
    payload: str | None = None,
    qualifier: str | None = None,
    async_: bool = False,
) -> None:
    """Run a function and print its answer; its log goes to stderr."""
    from ..functions.model import parameters_of
    from ..functions.refusals import translating
    from ..functions.run import failed, payload_from, run
    from ..identity.state import settings_in_force

    event = payload_from(payload)
    for each in settings_in_force(c).named(function):
        name = parameters_of(each).name
        with translating(name, "invoke"):
            client = _client(c)
            answer = run(name, client, payload=event, qualifier=qualifier, asynchronous=async_)
        sys.stderr.write(answer.log)
        if answer.payload:
            print(answer.payload, flush=True)
        if answer.error:
            raise failed(name, answer)


def _with_code(functions: list[Function]) -> Iterator[Function]:
    """Check the functions' settings, and pass over those whose code is a container image."""
    from ..functions.model import parameters_of
    from ..output import say

    for each in functions:
        if parameters_of(each).image:
            say("package", f"{each.name}  is a container image, there is nothing to package")
        else:
            yield each


def _runner(c: Context) -> Callable[[str, Path, dict[str, str]], None]:
    """Return what runs a build command through invoke; its output goes to stderr."""

    def run(command: str, folder: Path, environ: dict[str, str]) -> None:
        with c.cd(str(folder)):
            c.run(command, env=environ, in_stream=False, out_stream=sys.stderr)

    return run


def _client(c: Context) -> LambdaClient:
    from botocore.config import Config

    from ..api import session

    # botocore sends a whole request body under the connect timeout: 50 MB on a slow line is long.
    timeouts = Config(connect_timeout=600, read_timeout=900)
    return session(c).client("lambda", config=timeouts)
