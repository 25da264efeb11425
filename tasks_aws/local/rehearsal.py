"""What the task `local` does: put an embedded AWS in the place of the real one."""

from __future__ import annotations

import atexit
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from invoke.context import Context

from ..auth.active import deactivate, read_settings, read_with_mistakes
from ..auth.aws_config import profile_header, read_config
from ..auth.environment import environment_without_aws, in_main_thread, replace_aws
from ..auth.refresh.private_files import write_private
from ..aws_lambda.iam_comparison import Statement
from ..aws_lambda.iam_policy import Policy
from ..aws_lambda.layers import validate_layers
from ..aws_lambda.validation import validate_functions
from ..commands.policy_check import parse, read_documents
from ..config.load import find_targets, root_key
from ..config.references import UnsetError
from ..config.settings import Settings
from ..errors import SettingsError, TasksAwsError
from ..packaging.workspace import (
    KEPT_AWS,
    kept_aws,
    make_output_folder,
    output_folder,
)
from ..process.locking import file_lock
from ..process.loopback import LOCAL
from ..tasks.decorator import as_names
from ..ui.aws_errors import error_message
from ..ui.output import format_duration, say, warn
from ..ui.program import running_program
from . import emulator
from .creation import Client, Keys, create, make_keys, root_clients
from .description import Description, User, describe
from .emulator import Emulator

_SIGNALS = ("SIGTERM", "SIGHUP")


def begin(c: Context, *, keep: bool, policy: str | None) -> None:
    """Start an embedded AWS, or join the one that is kept, and let it have all that follows.

    Raises `TasksAwsError`; until the emulator runs, nothing has changed.
    """
    started = time.monotonic()
    if not in_main_thread():
        raise TasksAwsError(
            "`local` can only be called in the main thread.",
            why="It changes the environment of all threads.",
            fix="Call it before the thread starts.",
        )
    policies = None if policy is None else read_documents(policy, "--policy")
    statements = None if policies is None else parse(policies, str(policy), "--policy")
    variants = _read_variants(c)
    environ = environment_without_aws()
    description = _describe(variants, environ, policies, statements, _targets_in_use(variants))
    if keep:
        with _kept_folder(variants) as folder:
            found = emulator.keep(folder, environ)
            deactivate(c)
            use_emulator(found, found.folder / "aws", description)
    else:
        found = emulator.start(environ)
        _end_with_process(found)
        deactivate(c)
        use_emulator(found, found.folder / "aws", description)
    joined = "" if found.process else ", which was kept"
    took = format_duration(time.monotonic() - started)
    say("local", f"MiniStack on {found.url}{joined}, {took}")
    for limit in description.limits:
        say("local", limit)
    if invented := description.placeholders:
        say("local", f"placeholders for {', '.join(invented)}: set `aws.local.values`")
    if description.unenforced:
        warn(
            f"{policy} lacks {', '.join(description.unenforced)}, which AWS refuses, and the "
            "emulator does not."
        )


def describe_settings(c: Context) -> Description:
    """Return what has to exist for the settings of a project."""
    return _describe(_read_variants(c), environment_without_aws(), None, None, ())


def _describe(
    variants: Sequence[Settings],
    environ: Mapping[str, str],
    policies: Sequence[Policy] | None,
    statements: Sequence[Statement] | None,
    tried: Collection[str | None],
) -> Description:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return describe(
        variants, default_region=region, policies=policies, statements=statements, tried=tried
    )


def _targets_in_use(variants: Sequence[Settings]) -> Collection[str | None]:
    """Return the targets that the command line names; if it names none, those it may run with.

    That is no target, if the settings are complete without one; else it is all of them.
    """
    program = running_program()
    given = program.tasks if program else ()
    values = [each.args["target"].value for each in given if "target" in each.args]
    named = {name for value in values for name in as_names(value)}
    known = {each.target for each in variants}
    return named or known & {None} or known


def forget(c: Context) -> None:
    """End the embedded AWS that is kept, and remove what it has."""
    settings, _ = read_with_mistakes(c, target=None)
    output = output_folder(settings.project)
    folder = kept_aws(output)
    if folder is None:
        say("local", "nothing is kept")
        return
    shown = folder.relative_to(output.parent)
    if c.config.run.dry:
        say("local", f"would forget what is in {shown}")
        return
    with _lock(output):
        emulator.forget(folder)
    say("local", f"forgot what was in {shown}")


def _read_variants(c: Context) -> list[Settings]:
    """Return the settings without a target, and with each; those that need a variable are left out.

    Without a target they may be incomplete.
    """
    variants = []
    targets = find_targets(c.config.get(root_key(c.config)))
    for target in (None, *targets):
        settings, mistakes = read_with_mistakes(c, target=target)
        if mistakes:
            if not targets or not all(isinstance(each, UnsetError) for each in mistakes):
                mistakes.raise_all()
            continue
        try:
            functions = validate_functions(settings.functions.values())
            validate_layers(settings, [each.function for each in functions.values()])
        except SettingsError:
            if target or not targets:
                raise
            continue
        variants.append(settings)
    return variants or [read_settings(c)]


@contextmanager
def _kept_folder(variants: Sequence[Settings]) -> Iterator[Path]:
    """Make the folder of an embedded AWS that is kept, and let nobody else use it meanwhile."""
    if any(KEPT_AWS in each.functions for each in variants):
        raise SettingsError(
            f"`local --keep` and the function `{KEPT_AWS}` want the same folder.",
            fix="Call the function by another key, with its name in `FunctionName`.",
        )
    output = output_folder(variants[0].project)
    make_output_folder(output)
    with _lock(output):
        folder = output / KEPT_AWS
        folder.mkdir(mode=0o700, exist_ok=True)
        yield folder


def _lock(output: Path) -> Any:
    return file_lock(
        output / f".{KEPT_AWS}.lock",
        waiting=lambda: say("local", "waiting for another invoke"),
        too_long=lambda: TasksAwsError("Another invoke still prepares the embedded AWS."),
    )


def _end_with_process(found: Emulator) -> None:
    """End an emulator with this process, however that ends."""
    # By default these signals would end Python without running atexit handlers.
    _handle_signals(lambda number, frame: sys.exit(128 + number))
    atexit.register(_stop, found)


def _stop(found: Emulator) -> None:
    _handle_signals(signal.SIG_IGN)  # invoke is ending already
    found.stop()


def _handle_signals(handler: Callable[[int, Any], Any] | signal.Handlers) -> None:
    for name in _SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def use_emulator(found: Emulator, folder: Path, description: Description) -> Client:
    """Let everything that follows use an embedded AWS, which has what a description names.

    The folder has the place of ``~/.aws``. Returns what makes clients that may do everything.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    config, credentials = folder / "config", folder / "credentials"
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    known = _read_keys(files)
    replace_aws(
        {
            **files,
            "AWS_ENDPOINT_URL": found.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            LOCAL: str(folder),
        }
    )
    client = root_clients(found.url, [*files.values()])
    try:
        create(description, client)
        keys = make_keys(description.users, known, client)
    except ClientError as error:
        raise TasksAwsError(
            f"MiniStack could not create what the settings need: {error.operation_name} failed.",
            why=error_message(error),
        ) from error
    _write(config, _format_config(description.users, keys))
    _write(credentials, _format_keys(keys))
    return client


def _read_keys(files: Mapping[str, str]) -> Keys:
    return {
        None if name == "default" else name: (
            each["aws_access_key_id"],
            each["aws_secret_access_key"],
        )
        for name, each in read_config(files).profiles.items()
        if "aws_access_key_id" in each
    }


def _format_config(users: Sequence[User], keys: Keys) -> str:
    regions = {each.profile: each.place.region for each in users}
    lines = (
        f"{profile_header(name or 'default')}\nregion = {regions.get(name, 'us-east-1')}\n"
        for name in keys
    )
    return "\n".join(lines)


def _format_keys(keys: Keys) -> str:
    return "\n".join(
        f"[{name or 'default'}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        for name, (key, secret) in keys.items()
    )


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    write_private(new, text).replace(path)
