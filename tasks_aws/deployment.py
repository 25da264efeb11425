"""From settings to deployed functions: what the tasks `plan` and `deploy` do, step by step.

Everything that is known to be wrong is told before an MFA code is asked for, and nothing is
changed before all functions are packaged and planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from .errors import TasksAwsError, raise_failures
from .function_settings import Function, Layer
from .functions.apply import Options
from .functions.deploying import Job, check_place, deployed, planned, start_reading
from .functions.model import parameters_of
from .functions.place import PARALLEL
from .git import commit
from .identity.state import read_settings, settings_in_force
from .output import duration, lines, say, table
from .packaging.archive import Archive
from .packaging.build import RunCommand, package
from .packaging.limits import check_upload
from .packaging.select import source_files
from .places import place, place_of

_INTERRUPTED = 130  # as shells have it for SIGINT

# Parameters that an archive depends on.
_PACKAGED_FOR = ("Runtime", "Architectures", "Handler", "Layers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which functions go where, and how; as the task's options say it."""

    functions: Sequence[str] = ()  # none: all
    targets: Sequence[str] = ()  # none: where `assume` leads
    force: bool = False
    prune: bool = False
    show_values: bool = False
    parallel: int = PARALLEL


def plan_all(c: Context, wanted: Wanted, run: RunCommand) -> list[Job]:
    """Package all functions and compare them with AWS; tell what would change.

    Raises the error of a function that cannot be deployed, or one for all of them.
    """
    jobs = _planned(c, wanted, run, Options(force=wanted.force, prune=wanted.prune))
    for job in jobs:
        if job.plan:
            say("plan", f"{job.label}  {job.plan}")
            lines(change.line(show_values=wanted.show_values) for change in job.plan.changes)
    return jobs


def deploy_all(c: Context, wanted: Wanted, run: RunCommand) -> list[Job]:
    """Package all functions, and create or update them where that is needed.

    Raises the error of a function that failed, or one for all of them.
    """
    options = Options(force=wanted.force, prune=wanted.prune)
    jobs = _planned(c, wanted, run, options)
    changing = [job for job in jobs if job.plan and not job.plan.nothing]
    for where in dict.fromkeys(job.place for job in changing):
        check_place(where)
    if changing:
        options = replace(options, commit=commit(jobs[0].place.settings.project))
    done = deployed(jobs, options, parallel=wanted.parallel)
    if len(done) > 1:
        table(("function", "target", "result", "version", "time"), map(_row, done))
    _raise_failures(done, "could not be deployed")
    if options.stop.is_set():
        raise Exit("Interrupted; what was done is said above.", code=_INTERRUPTED)
    return done


def _planned(c: Context, wanted: Wanted, run: RunCommand, options: Options) -> list[Job]:
    settings = [read_settings(c, target=target) for target in wanted.targets]
    settings = settings or [settings_in_force(c)]
    functions = [(each, each.named(wanted.functions)) for each in settings]
    parameters = {function: parameters_of(function) for _, named in functions for function in named}
    for function in parameters:
        if function.source:
            source_files(function, settings[0].project)
    places = [place_of(c, each) for each in settings] if wanted.targets else [place(c)]
    jobs = [
        Job(parameters=parameters[function], place=where)
        for where, (_, named) in zip(places, functions, strict=True)
        for function in named
    ]
    reading = start_reading(jobs)
    jobs = _packaged(jobs, settings[0].project, run)
    jobs = [
        job if job.error else planned(job, found, options)
        for job, found in zip(jobs, reading, strict=True)
    ]
    _raise_failures(jobs, "cannot be deployed: nothing was changed")
    return jobs


def _packaged(jobs: Sequence[Job], project: Path, run: RunCommand) -> list[Job]:
    """Return the jobs with their archives; those that differ only by target share one."""
    made: dict[tuple[str, str], Archive] = {}
    found = []
    for job in jobs:
        function = job.parameters.function
        key = (function.name, _ingredients(function))
        try:
            if not job.parameters.image and key not in made:
                taken = any(name == function.name for name, _ in made)
                target = job.place.settings.target
                name = f"{function.name}@{target}" if taken else function.name
                made[key] = package(replace(function, name=name), project, run)
            if archive := made.get(key):
                check_upload(function, archive)
            found.append(replace(job, archive=archive))
        except TasksAwsError as error:
            found.append(job.failed(error))
    return found


def _ingredients(function: Function) -> str:
    """Return what an archive depends on, among a function's settings."""
    own = [getattr(function, each.name) for each in fields(Layer) if each.name != "parameters"]
    return repr((own, [function.parameters.get(key) for key in _PACKAGED_FOR]))


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.parameters.name,
        job.place.settings.target or "-",
        job.result,
        job.version or "-",
        duration(job.seconds) if job.seconds else "-",
    )


def _raise_failures(jobs: Sequence[Job], what: str) -> None:
    failures = [(job.label, job.error) for job in jobs if job.error]
    raise_failures(failures, of=len(jobs), what=what)
