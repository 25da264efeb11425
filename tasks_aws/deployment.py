"""From settings to deployed functions: what the tasks `plan` and `deploy` do, step by step.

Everything that is known to be wrong is told before an MFA code is asked for, and nothing is
changed before all functions are packaged and planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields, replace
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit

from .errors import TasksAwsError, raise_failures
from .function_settings import LATER, PACKAGED_FOR, Function, Layer
from .functions.apply import Options
from .functions.deploying import (
    Job,
    check_place,
    deployed,
    planned,
    read_function,
    start_reading,
)
from .functions.layers import LayerJob, checked_layers, compared, read_newest
from .functions.model import parameters_of
from .functions.place import PARALLEL, Place
from .functions.references import resolved
from .git import commit
from .identity.state import read_settings, settings_in_force
from .output import duration, lines, say, table
from .packaging.archive import Archive
from .packaging.build import RunCommand, package
from .packaging.limits import check_together, check_upload
from .packaging.select import source_files
from .places import place, place_of

_INTERRUPTED = 130  # as shells have it for SIGINT

# What was packaged, by the name of its files and by what went into it.
Made = dict[tuple[str, str], Archive]


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
    for layer in dict.fromkeys(layer for job in jobs for layer in job.layers):
        say("plan", f"{layer.label}  {'publish' if layer.changes else 'unchanged'}")
        lines(change.line() for change in layer.changes)
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
    checked = {function: parameters_of(function) for _, named in functions for function in named}
    layers = [layer for each, named in functions for layer in checked_layers(each, named)]
    for each in (*layers, *checked):
        if each.source:
            source_files(each, settings[0].project)
    places = [place_of(c, each) for each in settings] if wanted.targets else [place(c)]
    jobs = [
        Job(parameters=checked.get(function) or parameters_of(function), place=where)
        for where, (_, named) in zip(places, functions, strict=True)
        for function in resolved(named, where)
    ]
    layer_jobs = [
        LayerJob(layer=layer, place=where)
        for where, (each, named) in zip(places, functions, strict=True)
        for layer in resolved(each.layers_of(named), where)
    ]
    reading, newest = start_reading(jobs, read_function), start_reading(layer_jobs, read_newest)
    made: Made = {}
    layer_jobs = [
        _compared(job, found, made, run) for job, found in zip(layer_jobs, newest, strict=True)
    ]
    jobs = [_packaged(job, layer_jobs, made, run) for job in jobs]
    jobs = [
        job if job.error else planned(job, found, options)
        for job, found in zip(jobs, reading, strict=True)
    ]
    _raise_failures(jobs, "cannot be deployed: nothing was changed")
    return jobs


def _compared(
    job: LayerJob, newest: Future[Mapping[str, Any] | None], made: Made, run: RunCommand
) -> LayerJob:
    """Return a layer's job with its archive and its changes, or with the error of either."""
    try:
        return compared(job, _archive(job.layer, job.place, made, run), newest.result())
    except TasksAwsError as error:
        return job.failed(error)


def _packaged(job: Job, layer_jobs: Sequence[LayerJob], made: Made, run: RunCommand) -> Job:
    """Return a job with its archive and its layers, or with the error of any."""
    function = job.parameters.function
    here = {each.layer.name: each for each in layer_jobs if each.place is job.place}
    layers = tuple(here[name] for name in function.layer_names)
    try:
        for layer in layers:
            if layer.error:
                raise layer.error
        if job.parameters.image:
            return job
        archive = _archive(function, job.place, made, run)
        theirs = {each.layer.name: each.archive for each in layers if each.archive}
        check_together(function.name, archive, theirs)
        return replace(job, archive=archive, layers=layers)
    except TasksAwsError as error:
        return job.failed(error)


def _archive(layer: Layer, where: Place, made: Made, run: RunCommand) -> Archive:
    """Return an archive; what differs only by target is made once."""
    key = (layer.stem, _ingredients(layer))
    if key not in made:
        taken = any(stem == layer.stem for stem, _ in made)
        name = f"{layer.name}@{where.settings.target}" if taken else layer.name
        made[key] = package(replace(layer, name=name), where.settings.project, run)
    check_upload(layer, made[key])
    return made[key]


def _ingredients(layer: Layer) -> str:
    """Return what an archive depends on, among the settings."""
    others = ("parameters", *LATER)
    own = [getattr(layer, each.name) for each in fields(Layer) if each.name not in others]
    # The handler may be in a layer.
    layers = isinstance(layer, Function) and bool(layer.layers or layer.parameters.get("Layers"))
    return repr((own, layers, [layer.parameters.get(key) for key in PACKAGED_FOR]))


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
