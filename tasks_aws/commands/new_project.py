"""Starting a project: what the task `init` does where there are no functions yet."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from invoke.context import Context

from ..auth.active import settings_in_force
from ..auth.aws_config import AwsConfig, Section, read_config
from ..auth.environment import environment_before_assume, users_own
from ..auth.partitions import partition_of
from ..auth.region import check_region, find_region
from ..auth.resolve import named_profile
from ..aws_lambda.parameters import input_shape
from ..config.functions import check_name
from ..config.settings import SETTINGS, Settings
from ..errors import SettingsError, TasksAwsError
from ..packaging.workspace import KEPT_AWS
from ..ui.output import say, suggest
from ..ui.program import command_of
from ..ui.prompt import ask_with_default, has_terminal, tell
from .project_files import IGNORE, PYTEST, SCHEMA, SOURCE, TEST, NewProject
from .trust import account_of

_REGION = "us-east-1"  # where nothing says another
_NAME = "hello"
# Lambda had deprecated what is older by the end of 2025; botocore knows no dates.
_OLDEST = {"nodejs": 20, "python3.": 10}
_LONGEST_NAME = 64

# What invoke reads settings from: of several files it takes one, and tells nobody.
_SETTINGS_SUFFIXES = ("yaml", "yml", "json", "py")
# A pytest.ini would switch off the settings in these, and any of them makes a rootdir.
_PYTEST_FILES = (PYTEST, ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_NO_PROFILE = "none"  # as an answer
_SHOWN = 10


def begins_project(c: Context, new: Mapping[str, str | None]) -> bool:
    """Return whether `init` is to start a project, and not to print what exists.

    Raises `SettingsError` if options for a new project are given where none is started.
    """
    given = [name for name, value in new.items() if value is not None]
    configured = settings_in_force(c).functions
    if given and configured:
        raise SettingsError(
            f"`{given[0]}` is for a new project, and this one has functions already: "
            f"{', '.join(configured)}.",
            fix="Add another one under `aws.functions`, or start in an empty folder.",
        )
    return not configured


def start_project(c: Context, given: Mapping[str, str | None]) -> None:
    """Write a function, its test and its settings into the folder of tasks.py.

    What is not given is asked for on a terminal, and has a default without one. Nothing is
    written if anything is in the way.
    """
    settings = settings_in_force(c)
    folder = settings.project
    prefix = c.config.file_prefix or c.config.prefix  # `fab` has another
    _refuse_what_exists(folder, prefix)
    config = read_config(users_own(environment_before_assume()))
    project = _choose(settings, config, given)
    files = project.files(f"{prefix}.yaml")
    for name in _not_needed(folder):
        del files[name]
    listed = ", ".join(files)
    if c.config.run.dry:
        say("init", f"would write {listed}")
        return
    _write(folder, files)
    chosen = (project.name, project.runtime, project.region, project.profile)
    say("init", f"{', '.join(filter(None, chosen))}  wrote {listed}")
    profile = config.in_force(project.profile) if project.profile else {}
    _say_how_to_go_on(project, profile, f"{prefix}.yaml")


def _refuse_what_exists(folder: Path, prefix: str) -> None:
    names = [*(f"{prefix}.{suffix}" for suffix in _SETTINGS_SUFFIXES), SCHEMA, TEST]
    found = [name for name in names if os.path.lexists(folder / name)]
    source = folder / SOURCE
    if source.is_dir() and not source.is_symlink():
        found += sorted(f"{SOURCE}/{path.name}" for path in source.iterdir())
    elif os.path.lexists(source):
        found.append(SOURCE)
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise SettingsError(
            f"Cannot start a project in {folder}: {', '.join(found[:_SHOWN])}{more} "
            f"{'exists' if len(found) == 1 else 'exist'} already.",
            why="No function is configured, and nothing is overwritten.",
            fix="Name a function on AWS with --function, add `aws.functions` to your settings, or "
            "start in another folder.",
        )


def _not_needed(folder: Path) -> Iterator[str]:
    """Yield the files that a folder does without, because it has its own."""
    if os.path.lexists(folder / IGNORE):
        yield IGNORE
    if any(os.path.lexists(folder / name) for name in _PYTEST_FILES):
        yield PYTEST


def _choose(settings: Settings, config: AwsConfig, given: Mapping[str, str | None]) -> NewProject:
    """Return what options, answers and defaults say of a project."""
    runtime = _ask("Runtime", "--runtime", given, _default_runtime(), _check_runtime)
    name = _ask("Name of the function", "--name", given, _default_name(settings), _check_name)
    profile = _choose_profile(config, given)
    region = _default_region(settings, config, profile)
    return NewProject(
        runtime=runtime,
        name=name,
        region=_ask("Region", "--region", given, region, _check_region),
        profile=profile,
        account_id=_account_of(config.in_force(profile)) if profile else None,
    )


def _ask(
    question: str,
    option: str,
    given: Mapping[str, str | None],
    default: str,
    check: Callable[[str, str], None],
) -> str:
    """Return the value of an option, or the user's answer, or the default if nobody can be asked.

    A wrong answer is asked for again.
    """
    value = given[option]
    if value is not None or not has_terminal():
        value = default if value is None else value
        check(value, option)
        return value
    while True:
        try:
            answer = ask_with_default(question, default)
        except EOFError as error:
            raise SettingsError(
                "No project was started.", why=f"`{question}` got no answer.", fix="Run it again."
            ) from error
        try:
            check(answer, question)
        except SettingsError as error:
            tell("init", f"{error.what} {error.fix}".rstrip())
        else:
            return answer


def _choose_profile(config: AwsConfig, given: Mapping[str, str | None]) -> str | None:
    """Return a profile that exists, or None for AWS's default credential chain."""

    def check(name: str, label: str) -> None:
        if name != _NO_PROFILE or given["--profile"] is not None:
            config.profile(name, named_by=label)

    if given["--profile"] is None and not config.profiles:
        return None
    question = f"Profile: {', '.join(config.profiles)}, or {_NO_PROFILE}"
    profile = _ask(question, "--profile", given, _NO_PROFILE, check)
    return None if profile == _NO_PROFILE and given["--profile"] is None else profile


def _known_runtimes() -> list[str]:
    """Return the runtimes for new functions that the installed botocore knows, by version."""
    known = input_shape("CreateFunction").members["Runtime"].enum
    matches = filter(None, (re.fullmatch(r"(python3\.|nodejs)(\d+)(\.x)?", each) for each in known))
    ours = [match for match in matches if int(match[2]) >= _OLDEST[match[1]]]
    return [match[0] for match in sorted(ours, key=lambda match: (match[1], int(match[2])))]


def _default_runtime() -> str:
    """Return the runtime of the running Python, which also runs the tests, or the newest one."""
    known = _known_runtimes()
    running = f"python3.{sys.version_info.minor}"
    return running if running in known else known[-1]


def _check_runtime(name: str, label: str) -> None:
    known = _known_runtimes()
    if name not in known:
        default = _default_runtime()
        versions = [each for each in known if name and each.startswith(name)]
        meant = [default if default in versions else versions[-1]] if versions else known
        raise SettingsError(
            f"`{label}`: {name!r} is not a runtime that projects are started with.",
            fix=f"{suggest(name, meant)} Use python3.13, nodejs22.x or the like.".lstrip(),
        )


def _default_name(settings: Settings) -> str:
    """Return the name of the folder, as far as functions may have it and no letter is lost."""
    if not settings.project.name.isascii():
        return _NAME
    name = re.sub(r"[^\w-]+", "-", settings.project.name, flags=re.ASCII).strip("-")[:_LONGEST_NAME]
    return _NAME if name in ("", KEPT_AWS) else name


def _check_name(name: str, label: str) -> None:
    check_name(name, label)
    if name.startswith("-"):
        raise SettingsError(
            f"`{label}`: {name!r} is not a valid name.",
            why="On a command line, it would be an option.",
            fix="Begin it with a letter or a digit.",
        )
    if name == KEPT_AWS:
        raise SettingsError(
            f"`{label}`: {name!r} is the name of what `local --keep` keeps.",
            fix="Choose another name.",
        )


def _default_region(settings: Settings, config: AwsConfig, profile: str | None) -> str:
    environ = environment_before_assume()
    profile = profile or named_profile(settings, environ)[0]
    return find_region(settings, config, environ, profile=profile) or _REGION


def _check_region(region: str, label: str) -> None:
    SETTINGS["region"].parse(region, label)
    check_region(region, label)
    partition_of(region)


def _account_of(profile: Section) -> str | None:
    """Return the account that a profile leads to, if it says so."""
    role, serial = profile.get("role_arn", ""), profile.get("mfa_serial", "")
    account = account_of(role) or profile.get("sso_account_id") or account_of(serial)
    return account if re.fullmatch(r"\d{12}", account or "") else None


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write new files, all of them or none."""
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            if not path.parent.exists():
                path.parent.mkdir()
                made.append(path.parent)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise TasksAwsError(
                f"Cannot write {name}.",
                why=f"{error.strerror}.",
                fix="Nothing was left behind. Run it again in a folder that you can write to.",
            ) from error
        raise


def _say_how_to_go_on(project: NewProject, profile: Section, settings: str) -> None:
    """Print the commands that follow, as they have to be typed here."""
    permission_set = profile.get("sso_role_name", "")
    trust = f"sso:{permission_set}" if re.fullmatch(r"[\w.-]+", permission_set) else "people"
    first = "" if project.account_id else f", once `account_id` is in {settings}"
    changing = f"keeps what it deploys: change {project.handler_file}, and run it again"
    steps = {
        ("local", "assume", "deploy", "invoke"): "rehearses it all, without an account",
        ("local --keep", "assume", "deploy", "invoke"): changing,
        ("local --keep", "rollback", "invoke"): "goes back to the version before",
        (
            f"policy --trust {trust} --format cloudformation",
        ): f"prints the roles to create in your account{first}",
        ("assume", "deploy"): "deploys to your account",
    }
    names = dict.fromkeys(each.partition(" ")[0] for tasks in steps for each in tasks)
    missing = [each for each in names if command_of(each) is None]
    if others := [each for each in missing if each != "local"]:
        say("next", f"add to your tasks: from tasks_aws import {', '.join(others)}")
    if "local" in missing:
        say("next", "add to your tasks: from tasks_aws.local import local")
    for tasks, does in steps.items():
        say("next", f"{_join_commands(tasks)}  {does}")


def _join_commands(tasks: Iterable[str]) -> str:
    """Return the command line of tasks with options, as it has to be typed here."""
    program, words = "invoke", []
    for task in tasks:
        name, gap, options = task.partition(" ")
        program, _, typed = (command_of(name) or f"invoke {name}").rpartition(" ")
        words.append(f"{typed}{gap}{options}")
    return " ".join([program, *words])
