"""Functions that exist: seen, run, turned back and deleted."""

from __future__ import annotations

from collections.abc import Iterable

from invoke.context import Context

from .declare import FUNCTION, aws_task, listed


@aws_task(
    help={"function": FUNCTION, "json": "Print JSON, with the names of the Lambda API."},
    iterable=["function"],
)
def status(c: Context, function: Iterable[str] | None = None, json: bool = False) -> None:
    """Show the state of functions, and what callers get.

    Version, code and size are those behind the alias; without one, those of $LATEST.
    """
    from ..commands.functions import show_status

    show_status(c, listed(function), json=json)


@aws_task(
    name="invoke",
    help={
        "function": FUNCTION,
        "payload": "JSON, @FILE, or - for standard input. Default: {}.",
        "qualifier": "Version or alias. Default: the function's `alias`, if it has one.",
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
    """Run a function and print its answer; its log goes to stderr.

    A function that answers with an error is exit code 1.
    """
    from ..aws_lambda.invocation import payload_from
    from ..commands.functions import run_all

    event = payload_from(payload)
    run_all(c, listed(function), event, qualifier=qualifier, asynchronous=async_)


@aws_task(
    help={
        "function": FUNCTION,
        "follow": "Go on with what is added, until Ctrl-C.",
        "since": "How far back to begin: seconds, 90m or 2h. Default: 10m.",
        "filter": "Filter pattern of CloudWatch Logs.",
        "timestamps": "Put the time (UTC) before each line.",
    },
    iterable=["function"],
)
def logs(
    c: Context,
    function: Iterable[str] | None = None,
    follow: bool = False,
    since: str = "10m",
    filter: str | None = None,  # noqa: A002
    timestamps: bool = False,
) -> None:
    """Print a function's log.

    Of several functions, each line begins with the function's name.
    """
    from ..commands.functions import print_logs
    from ..config.parsers import duration_parser

    print_logs(
        c,
        listed(function),
        seconds=duration_parser(1, 10 * 366 * 24 * 3600)(since, "--since"),
        pattern=filter,
        timestamps=timestamps,
        follow=follow,
    )


@aws_task(
    help={"function": FUNCTION, "to": "Version. Default: the one that the alias had before."},
    iterable=["function"],
)
def rollback(c: Context, function: Iterable[str] | None = None, to: str | None = None) -> None:
    """Point the alias back to the version before."""
    from ..commands.functions import roll_back_all
    from ..config.parsers import integer_parser

    if to is not None:
        integer_parser(1)(to, "--to")
    roll_back_all(c, listed(function), to=to)


@aws_task(
    help={
        "function": FUNCTION,
        "keep": "How many of the newest to keep. Default: the function's keep_versions, or 5.",
        "yes": "Do not ask.",
    },
    iterable=["function"],
)
def prune(
    c: Context,
    function: Iterable[str] | None = None,
    keep: str | None = None,
    yes: bool = False,
) -> None:
    """Delete old versions, never one that an alias uses."""
    from ..commands.functions import prune_all
    from ..config.parsers import integer_parser

    kept = None if keep is None else integer_parser(1, 10_000)(keep, "--keep")
    prune_all(c, listed(function), keep=kept, yes=yes)


@aws_task(help={"function": FUNCTION, "yes": "Do not ask."}, iterable=["function"])
def destroy(c: Context, function: Iterable[str] | None = None, yes: bool = False) -> None:
    """Delete functions, once you have typed the name of each.

    Its event source mappings go first; its log stays.
    """
    from ..commands.functions import destroy_all

    destroy_all(c, listed(function), yes=yes)


@aws_task(
    help={
        "function": "Name of a function, configured or not; repeatable. Default: all configured.",
        "download": "Fetch its code, too, into a folder that must not exist yet.",
    },
    iterable=["function"],
)
def init(c: Context, function: Iterable[str] | None = None, download: bool = False) -> None:
    """Print the settings of an existing function as YAML to paste."""
    from ..commands.init import describe_all

    describe_all(c, listed(function), code=download)
