"""Many functions at once: read, planned and changed in parallel, each with its own outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TypeVar

from ..aws_lambda.apply import AlreadyExistsError, Options, apply
from ..aws_lambda.clients import PARALLEL, Account
from ..aws_lambda.error_messages import translating
from ..aws_lambda.layers import LayerJob, publish
from ..aws_lambda.parameters import Parameters, with_layers
from ..aws_lambda.plan import Plan, plan
from ..aws_lambda.remote_state import Current, read
from ..errors import CredentialsError, FunctionError, SettingsError, TasksAwsError
from ..packaging.archive import Archive
from ..secret import without_secrets
from ..ui.output import say, step
from ..ui.progress import Step as Progress

_Job = TypeVar("_Job")
_Found = TypeVar("_Found")

# The layers that are being published, each once for all functions that use it.
Publishing = Mapping[LayerJob, "Future[LayerJob]"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One function that goes to one place, and what came of it so far."""

    parameters: Parameters
    account: Account
    archive: Archive | None  # None: a container image
    layers: tuple[LayerJob, ...] = ()  # those that the settings name, in order
    plan: Plan | None = None
    result: str = "not begun"  # then created, updated, unchanged or failed
    version: str | None = None  # that the alias has now
    seconds: float = 0.0
    error: TasksAwsError | None = None

    @property
    def label(self) -> str:
        """Return how its lines name it."""
        target = self.account.settings.target
        name = self.parameters.function.name
        return f"{name} ({target})" if target else name

    def failed(self, error: TasksAwsError) -> Job:
        """Return it with an error that ended it; AWS's answers may repeat what they were sent."""
        error.message = without_secrets(str(error), self.parameters.function)
        return replace(self, result="failed", error=error)


def start_reading(jobs: Iterable[_Job], read: Callable[[_Job], _Found]) -> list[Future[_Found]]:
    """Begin to read what AWS has of each function or layer."""
    pool = ThreadPoolExecutor(PARALLEL)
    reading = [pool.submit(read, job) for job in jobs]
    pool.shutdown(wait=False)
    return reading


def stop_reading(reading: Iterable[Future[_Found]]) -> None:
    """Read no more than what is being read already."""
    for each in reading:
        each.cancel()


def refuse_twice_the_same(jobs: Sequence[Job]) -> None:
    """Raise `SettingsError` if two jobs are for one function: each would overwrite the other."""
    seen: dict[tuple[str, str, str], Job] = {}
    for job in jobs:
        name = (job.account.account_id, job.account.region, job.parameters.name)
        other = seen.setdefault(name, job)
        if other is not job:
            raise SettingsError(
                f"{other.label} and {job.label} are one function, {job.parameters.name} in "
                f"{job.account.account_id}, {job.account.region}.",
                why="Each would overwrite what the other has changed.",
                fix="Give them different names (FunctionName), or targets in different places.",
            )


def read_function(job: Job) -> Current | None:
    """Return what AWS has of a function, for `planned`."""
    with translating(job.label, "read the function"):
        return read(job.parameters, job.account)


def with_own_layers(job: Job, layers: Sequence[LayerJob]) -> Job:
    """Return a job with those of the layers that its function names, at its place."""
    here = {each.layer.name: each for each in layers if each.account is job.account}
    return replace(job, layers=tuple(here[each] for each in job.parameters.function.layer_names))


def planned(job: Job, reading: Future[Current | None], options: Options) -> Job:
    """Return a job with its plan, or with the error that there is none."""
    try:
        for layer in job.layers:
            if layer.error:
                raise layer.error
        return replace(job, plan=_plan(job, reading.result(), options))
    except TasksAwsError as error:
        return job.failed(error)


def check_account(account: Account) -> None:
    """Say where the changes go. Raises `CredentialsError` if that is another account.

    AWS itself is asked: what a cache says of its credentials may be wrong.
    """
    with translating(str(account), "say whose credentials these are, for"):
        caller = account.client("sts").get_caller_identity()
    for expected in (account.settings.account_id, account.account_id):
        if expected and caller["Account"] != expected:
            raise CredentialsError(
                f"These credentials belong to account {caller['Account']}, not {expected}.",
                why="Nothing was changed: functions are deployed only where the settings say.",
                fix="Choose the right profile, role or target, or correct `aws.account_id`.",
            )
    say("account", f"{account}, as {caller['Arn']}")


def deployed(jobs: Sequence[Job], options: Options, *, parallel: int = PARALLEL) -> list[Job]:
    """Carry out all plans, so many at once, and return how each ended.

    Layers come first in the queue: a function waits for its own, and they wait for nothing.
    After Ctrl-C no further function is begun, and what is under way is brought to its end.
    """
    pool = ThreadPoolExecutor(min(parallel, PARALLEL))
    layers = dict.fromkeys(layer for job in jobs for layer in job.layers if layer.changes)
    publishing = {layer: pool.submit(publish, layer) for layer in layers}
    futures = [pool.submit(_deploy, job, publishing, options) for job in jobs]
    try:
        wait(futures)
    except KeyboardInterrupt:
        options.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        going = [job.label for job, each in zip(jobs, futures, strict=True) if each.running()]
        if going:
            say("stopping", f"once {', '.join(going)} is done, lest it be left half changed")
        wait([each for each in futures if not each.cancelled()])
    pool.shutdown(wait=False)
    return [
        job if future.cancelled() else _ended(job, future)
        for job, future in zip(jobs, futures, strict=True)
    ]


def _ended(job: Job, future: Future[Job]) -> Job:
    """Return how a job ended; what nobody foresaw hides no other job's end, either."""
    try:
        return future.result()
    except Exception as error:
        unforeseen = FunctionError(
            f"{job.label} ended with an error of its own.", why=f"{type(error).__name__}: {error}"
        )
        unforeseen.__cause__ = error
        return job.failed(unforeseen)


def _plan(job: Job, current: Current | None, options: Options) -> Plan:
    parameters = job.parameters
    named = parameters.function.layers
    if named is not None:
        ours = {layer.layer.name: layer.reference for layer in job.layers}
        parameters = with_layers(parameters, [ours.get(name, name) for name in named])
    return plan(parameters, job.archive, current, force=options.force, prune=options.prune)


def _with_published(job: Job, first: Plan, publishing: Publishing, options: Options) -> Job:
    """Wait for a function's layers, and return the job with a plan that has their ARNs."""
    layers = tuple(
        publishing[layer].result() if layer in publishing else layer for layer in job.layers
    )
    if layers == job.layers:
        return job
    job = replace(job, layers=layers)
    return replace(job, plan=_plan(job, first.current, options))


def _deploy(job: Job, publishing: Publishing, options: Options) -> Job:
    if job.plan is None:
        return job
    if job.plan.nothing:
        say("deploy", f"{job.label}  unchanged")
        return replace(job, result="unchanged")
    start = time.monotonic()
    creating = job.plan.current is None
    try:
        job = _with_published(job, job.plan, publishing, options)
        with (
            translating(job.label, f"{'create' if creating else 'update'} the function"),
            step("create" if creating else "update", job.label) as progress,
        ):
            version = _applied(job, options, progress)
            done = "" if creating else str(job.plan).removeprefix("update ")
            at = f"version {version}" if version else ""
            progress.result = ", ".join(filter(None, [done, at]))
    except TasksAwsError as error:
        return replace(job.failed(error), seconds=time.monotonic() - start)
    return replace(
        job,
        result="created" if creating else "updated",
        version=version,
        seconds=time.monotonic() - start,
    )


def _applied(job: Job, options: Options, progress: Progress) -> str | None:
    """Carry out a plan; if somebody created what it would create, make another plan."""
    assert job.plan is not None  # noqa: S101  # the caller's condition
    try:
        return apply(job.plan, job.account, options, progress)
    except AlreadyExistsError:
        again = _plan(job, read(job.parameters, job.account), options)
    try:
        return apply(again, job.account, options, progress)
    except AlreadyExistsError as error:  # AWS says that it is there, and that it is not
        raise error.__cause__ or error from None
