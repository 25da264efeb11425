"""From settings to deployed functions: what the tasks `plan` and `deploy` do, step by step.

Everything is packaged before anybody is asked for an MFA code: what is wrong with a function is
told before, and no credentials grow old meanwhile. Nothing is changed before all functions are
planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from invoke.context import Context
from invoke.exceptions import Exit

from ..auth.active import read_settings, settings_in_force
from ..auth.environment import as_before_export
from ..aws_lambda.apply import Options
from ..aws_lambda.clients import PARALLEL
from ..aws_lambda.layers import LayerJob, checked_layers, compared, read_newest
from ..aws_lambda.lookups import resolved
from ..aws_lambda.parameters import parameters_of
from ..collector import without_collector
from ..config.functions import ARCHIVE_PARAMETERS, LAYER_KEYS, Function, Layer
from ..config.git import read_commit
from ..config.load import Settings
from ..errors import TasksAwsError, raise_failures
from ..packaging.archive import Archive
from ..packaging.build import RunCommand, package
from ..packaging.limits import check_together, check_upload
from ..ui.output import duration, lines, say, table
from .clients import account_of, active_account
from .jobs import (
    Job,
    check_account,
    deployed,
    planned,
    read_function,
    refuse_twice_the_same,
    start_reading,
    stop_reading,
    with_own_layers,
)

_INTERRUPTED = 130  # as shells have it for SIGINT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
    for where in dict.fromkeys(job.account for job in changing):
        check_account(where)
    if changing:
        options = replace(options, commit=read_commit(jobs[0].account.settings.project))
    done = deployed(jobs, options, parallel=wanted.parallel)
    if len(done) > 1:
        table(("function", "target", "result", "version", "time"), map(_row, done))
    _raise_failures(done, "could not be deployed")
    if options.stop.is_set():
        raise Exit("Interrupted; what was done is said above.", code=_INTERRUPTED)
    return done


@without_collector(spare=True)
def _planned(c: Context, wanted: Wanted, run: RunCommand, options: Options) -> list[Job]:
    settings = [read_settings(c, target=target) for target in dict.fromkeys(wanted.targets)]
    settings = settings or [settings_in_force(c)]
    named = {each: each.named(wanted.functions) for each in settings}
    checked = {each: parameters_of(each) for functions in named.values() for each in functions}
    layers = {each: checked_layers(each, functions) for each, functions in named.items()}
    images = {each for each, parameters in checked.items() if parameters.image}
    packed = {
        each: [*layers[each], *(function for function in named[each] if function not in images)]
        for each in settings
    }
    with as_before_export():
        archives = _packaged(packed, run)
    jobs: list[Job] = []
    layer_jobs: list[LayerJob] = []
    for each in settings:
        where = account_of(c, each) if wanted.targets else active_account(c)
        for layer, ready in zip(layers[each], resolved(layers[each], where), strict=True):
            layer_jobs.append(LayerJob(layer=ready, account=where, archive=archives[layer]))
        for function, final in zip(named[each], resolved(named[each], where), strict=True):
            parameters = checked[function] if final is function else parameters_of(final)
            jobs.append(Job(parameters=parameters, account=where, archive=archives.get(function)))
    refuse_twice_the_same(jobs)
    reading, newest = start_reading(jobs, read_function), start_reading(layer_jobs, read_newest)
    try:
        layer_jobs = [compared(job, found) for job, found in zip(layer_jobs, newest, strict=True)]
        jobs = [
            planned(with_own_layers(job, layer_jobs), found, options)
            for job, found in zip(jobs, reading, strict=True)
        ]
    finally:  # also after Ctrl-C: what is not read by now need not be read any more
        stop_reading(reading)
        stop_reading(newest)
    _raise_failures(jobs, "cannot be deployed: nothing was changed")
    return jobs


def _packaged(wanted: Mapping[Settings, Sequence[Layer]], run: RunCommand) -> dict[Layer, Archive]:
    """Return the archives of functions and layers; what differs only by target is made once.

    Raises the error of one that cannot be packaged, or one for all of them.
    """
    made: dict[tuple[str, str], Archive] = {}
    found: dict[Layer, Archive] = {}
    failures: list[tuple[str, TasksAwsError]] = []
    for settings, layers in wanted.items():
        theirs: dict[str, Archive] = {}
        for each in layers:
            try:
                archive = found[each] = _archive(each, settings, made, run)
                if isinstance(each, Function):
                    own = {name: theirs[name] for name in each.layer_names if name in theirs}
                    check_together(each.name, archive, own)
                else:
                    theirs[each.name] = archive
            except TasksAwsError as error:
                failures.append((each.label, error))
    count = sum(map(len, wanted.values()))
    raise_failures(failures, of=count, what="cannot be deployed: nothing was changed")
    return found


def _archive(
    layer: Layer, settings: Settings, made: dict[tuple[str, str], Archive], run: RunCommand
) -> Archive:
    """Return an archive, and note among what is made what went into it."""
    key = (layer.stem, _ingredients(layer))
    if key not in made:
        taken = any(stem == layer.stem for stem, _ in made)
        name = f"{layer.name}@{settings.target}" if taken else layer.name
        made[key] = package(replace(layer, name=name), settings.project, run)
    check_upload(layer, made[key])
    return made[key]


def _ingredients(layer: Layer) -> str:
    """Return what an archive depends on, among the settings."""
    ours = [getattr(layer, name) for name, each in LAYER_KEYS.items() if not each.aws_references]
    # The handler may be in a layer.
    layers = isinstance(layer, Function) and bool(layer.layers or layer.parameters.get("Layers"))
    return repr((ours, layers, [layer.parameters.get(key) for key in ARCHIVE_PARAMETERS]))


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.parameters.name,
        job.account.settings.target or "-",
        job.result,
        job.version or "-",
        duration(job.seconds) if job.seconds else "-",
    )


def _raise_failures(jobs: Sequence[Job], what: str) -> None:
    failures = [(job.label, job.error) for job in jobs if job.error]
    raise_failures(failures, of=len(jobs), what=what)
