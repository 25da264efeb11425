"""Many functions at once: read, planned and changed in parallel, each with its own outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..aws_lambda.apply import AlreadyExistsError, Applied, ApplyOptions, apply
from ..aws_lambda.error_messages import translating
from ..aws_lambda.layers import LayerJob, await_layer, publish_layer
from ..aws_lambda.parameters import add_layers
from ..aws_lambda.plan import Plan, make_plan
from ..aws_lambda.remote_state import RemoteFunction, read_remote_function
from ..errors import FunctionError, TasksAwsError
from ..packaging.archive import Archive
from ..process.threads import PARALLEL, DaemonPool
from ..ui.output import say, track
from ..ui.progress import ProgressLine
from .each import make_changes
from .located import LocatedFunction

_Job = TypeVar("_Job")
_Found = TypeVar("_Found")

# The layers that are being published, each once for all functions that use it.
Publishing = Mapping[LayerJob, "Future[LayerJob]"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job(LocatedFunction):
    """The deployment of one function to one account and region, as far as it has come."""

    archive: Archive | None  # None: a container image
    layers: tuple[LayerJob, ...] = ()  # those that the settings name, in order
    plan: Plan | None = None
    result: str = "not started"  # then created, updated, unchanged or failed
    version: str | None = None  # that the alias points to now
    url: str | None = None
    seconds: float = 0.0
    error: TasksAwsError | None = None

    @property
    def changes_something(self) -> bool:
        """Return whether the function, or a layer of it, differs from AWS."""
        return bool(self.plan and not self.plan.is_empty) or any(
            each.differs for each in self.layers
        )

    def with_error(self, error: TasksAwsError) -> Job:
        """Return the job as failed."""
        return replace(self, result="failed", error=error)


def start_reading(jobs: Iterable[_Job], read: Callable[[_Job], _Found]) -> list[Future[_Found]]:
    """Start to read the current state of each function or layer from AWS."""
    pool = DaemonPool()
    return [pool.submit(partial(read, job)) for job in jobs]


def stop_reading(reading: Iterable[Future[_Found]]) -> None:
    """Cancel reads that have not started."""
    for each in reading:
        each.cancel()


def read_function(job: Job, *, ahead: bool, everything: bool) -> RemoteFunction | None:
    """Return the current state of a job's function, for `plan_job`."""
    with translating(job.label, "read the function"):
        return read_remote_function(job.parameters, job.account, ahead=ahead, everything=everything)


def with_layers(job: Job, layers: Sequence[LayerJob]) -> Job:
    """Return a job with the layers that its function names, of the same account and region."""
    here = {each.layer.name: each for each in layers if each.account is job.account}
    return replace(job, layers=tuple(here[each] for each in job.parameters.function.layer_names))


def plan_job(job: Job, reading: Future[RemoteFunction | None], options: ApplyOptions) -> Job:
    """Return a job with its plan, or with the error that prevents one."""
    try:
        for layer in job.layers:
            if layer.error:
                raise layer.error
        return replace(job, plan=_plan(job, reading.result(), options))
    except TasksAwsError as error:
        return job.with_error(error)


def run_jobs(jobs: Sequence[Job], options: ApplyOptions, *, parallel: int = PARALLEL) -> list[Job]:
    """Apply all plans, so many at once, and return the jobs with their results.

    Layers come first in the queue: functions wait for their own layers, and layers for nothing.
    Last come functions whose layers another shard publishes.
    After Ctrl-C no further function is started, and those that were started are finished.
    """
    pool = ThreadPoolExecutor(min(parallel, PARALLEL))  # Python ends only after a change
    waits = DaemonPool()  # they take no thread from changes
    layers = dict.fromkeys(layer for job in jobs for layer in job.layers if layer.differs)
    publishing: dict[LayerJob, Future[LayerJob]] = {}
    queue = sorted(range(len(jobs)), key=lambda index: _awaits_a_shard(jobs[index]))
    done = [*jobs]

    def begin() -> None:
        for layer in layers:
            publishing[layer] = (
                waits.submit(partial(await_layer, layer, options.stop))
                if layer.publisher
                else pool.submit(publish_layer, layer)
            )

    def stop() -> None:
        options.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)

    def end(index: int, ended: Future[Job]) -> None:
        done[queue[index]] = _get_result(jobs[queue[index]], ended)

    changes = [(jobs[each].label, partial(_run, jobs[each], publishing, options)) for each in queue]
    make_changes(pool, changes, end, begin=begin, stop=stop)
    pool.shutdown(wait=False)
    return done


def publish_layers(layers: Sequence[LayerJob], options: ApplyOptions) -> list[LayerJob]:
    """Publish layers that no function of this shard uses, and return how each ended.

    After Ctrl-C no further layer is started, and those that were started are finished.
    """
    done = [*layers]

    def end(index: int, ended: Future[LayerJob]) -> None:
        try:
            done[index] = ended.result()
        except TasksAwsError as error:
            done[index] = replace(layers[index], error=error)

    changes = [(each.label, partial(publish_layer, each)) for each in layers]
    make_changes(DaemonPool(), changes, end, stop=options.stop.set)
    return done


def _awaits_a_shard(job: Job) -> bool:
    return any(each.publisher and each.differs for each in job.layers)


def _run(job: Job, publishing: Publishing, options: ApplyOptions) -> Job:
    """Apply a job's plan."""
    if job.plan is None:
        return job
    start = time.monotonic()
    before = job.plan
    creating = before.remote is None
    try:
        ready = _wait_for_layers(job, before, publishing, options)
        if options.stop.is_set() and _awaits_a_shard(ready):
            return job  # as if it had not been started
        job = ready
        if job.plan and job.plan.is_empty:
            say("deploy", f"{job.label}  unchanged")
            return replace(job, result="unchanged")
        with (
            translating(job.label, f"{'create' if creating else 'update'} the function"),
            track("create" if creating else "update", job.label) as progress,
        ):
            applied = _apply(job, options, progress)
            updated = "" if creating or not job.plan else job.plan.parts
            published = f"version {applied.version}" if applied.version else ""
            progress.result = ", ".join(filter(None, [updated, published]))
    except TasksAwsError as error:
        return replace(job.with_error(error), seconds=time.monotonic() - start)
    if applied.url != before.url:
        say("url", f"{job.label}  {applied.url}")
    return replace(
        job,
        result="created" if creating else "updated",
        version=applied.version,
        url=applied.url,
        seconds=time.monotonic() - start,
    )


def _wait_for_layers(job: Job, first: Plan, publishing: Publishing, options: ApplyOptions) -> Job:
    """Wait until a function's layers are published; return the job with their ARNs in its plan."""
    layers = tuple(
        publishing[layer].result() if layer in publishing else layer for layer in job.layers
    )
    if layers == job.layers:
        return job
    job = replace(job, layers=layers)
    return replace(job, plan=_plan(job, first.remote, options))


def _apply(job: Job, options: ApplyOptions, progress: ProgressLine) -> Applied:
    """Apply a plan; if what it would create exists by now, make and apply another plan."""
    assert job.plan is not None  # noqa: S101  # the caller's condition
    try:
        return apply(job.plan, job.account, options, progress)
    except AlreadyExistsError:
        # What the first plan has made is still to be removed elsewhere.
        everything = options.prune or bool(job.plan.made)
        found = read_remote_function(job.parameters, job.account, ahead=True, everything=everything)
        again = _plan(job, found, options)
        if job.plan.remote is None and (again.code or again.configuration) and not options.force:
            raise FunctionError(
                f"{job.label} was not created: it exists by now, and differs from the settings.",
                why="Another deploy has created it since it was read.",
                fix="Run this again, or with --force to overwrite it.",
            ) from None
    try:
        return apply(again, job.account, options, progress)
    except AlreadyExistsError as error:  # AWS says that it exists, and that it does not
        raise error.__cause__ or error from None


def _plan(job: Job, remote: RemoteFunction | None, options: ApplyOptions) -> Plan:
    parameters = job.parameters
    named = parameters.function.layers
    if named is not None:
        ours = {layer.layer.name: layer.reference for layer in job.layers}
        parameters = add_layers(parameters, [ours.get(name, name) for name in named])
    return make_plan(
        parameters,
        job.archive,
        remote,
        force=options.force,
        prune=options.prune,
        made=job.plan.made if job.plan else frozenset(),
    )


def _get_result(job: Job, future: Future[Job]) -> Job:
    """Return a finished job; an unexpected error must not hide the results of the others."""
    try:
        return future.result()
    except Exception as error:
        unexpected = FunctionError(
            f"Unexpected error while deploying {job.label}.", why=f"{type(error).__name__}: {error}"
        )
        unexpected.__cause__ = error
        return job.with_error(unexpected)
