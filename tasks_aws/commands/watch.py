"""`deploy --watch`: to $LATEST whenever a file is saved, and what the functions then log.

What callers of an alias get stays as it is: no version is published, and nothing that is attached
to a function changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

from invoke.context import Context

from ..aws_lambda.apply import ApplyOptions
from ..aws_lambda.clients import Account
from ..aws_lambda.logs import Log
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.retry import LOG_EVENTS
from ..config.functions import FUNCTION_KEYS
from ..config.origins import settings_files
from ..errors import FunctionError, SettingsError, TasksAwsError, raise_failures
from ..packaging.saves import Saves, status
from ..ui.output import count, say, warn
from .accounts import check_account, make_accounts_ready
from .deployment import DeployOptions, package_and_plan
from .functions import print_new_events
from .jobs import Job, run_jobs
from .located import read_targets
from .packaging import workspace_of
from .protection import check_can_confirm, confirm_if_protected
from .selection import Selection, select

_TASK = "deploy --watch"

_PAUSE = 0.25  # seconds between two looks at the files, at least
_SHARE = 0.04  # of the time is spent on looking at them, at most
_CALM = 0.15  # seconds without another save, before what was saved is deployed
_LONGEST_UNREST = 3  # seconds after which it is deployed in any case
_SHOWN = 3  # files of a save

# What waits for an ordinary deploy: all that follows a version, or is attached to the function.
_LEFT = tuple(
    name
    for name, each in FUNCTION_KEYS.items()
    if each.removable or name in ("smoke", "canary", "keep_versions")
)


def watch_all(c: Context, options: DeployOptions) -> None:
    """Deploy functions to $LATEST, again at each save, and print their logs until Ctrl-C.

    Raises the error of the first deploy. Those of later ones are printed.
    """
    (settings,) = read_targets(c, options.targets)
    selection = select(settings, options.functions)
    functions = [*selection.functions.values()]
    _check_functions(functions)
    check_can_confirm([settings], _TASK, yes=options.yes)
    for each in functions:
        _say_what_is_left(each)
    watch = _Watch(c, options, selection)
    watch.begin()
    with suppress(KeyboardInterrupt):  # it ends this, like `logs --follow`
        watch.go_on()


class _Watch:
    """The functions that are watched, and how far they have come."""

    def __init__(self, c: Context, options: DeployOptions, selection: Selection) -> None:
        settings = selection.settings
        self._options, self._selection = options, selection
        self._workspace = workspace_of(c, settings.project)
        get = make_accounts_ready(c, [settings], active=not options.targets)
        # One account for all deploys: its session renews itself.
        self._accounts: Callable[[], list[Account]] = cache(get)
        layers = [*selection.layers, *selection.functions]
        self._saves = Saves(layers, self._workspace)
        self._settings = {path: status(str(path)) for path in settings_files(c.config)}
        self._meanwhile: set[str] = set()  # what was saved during a build, or by it
        self._by_builds: set[str] = set()  # what builds write again and again
        self._logs: dict[str, Log] = {}
        self._interrupted = False

    def begin(self) -> None:
        """Deploy for the first time, once the account is confirmed."""
        self._deploy(is_first=True)
        if self._interrupted:
            raise KeyboardInterrupt
        functions = count(len(self._selection.functions), "function")
        say("watch", f"{functions}, {count(self._saves.count, 'file')}; Ctrl-C ends it")

    def go_on(self) -> None:
        """Deploy whenever something is saved, and print what the functions log meanwhile."""
        while not self._interrupted:
            saved = self._wait_for_saves()
            say("watch", f"{_shorten(saved or self._meanwhile)} saved")
            try:
                self._deploy(is_second=not saved)
            except TasksAwsError as error:
                if self._interrupted:
                    raise
                warn(f"{error}\n  The previous code stays in place. Still watching.")

    def _wait_for_saves(self) -> list[str]:
        """Return what has been saved; nothing if all that was, was saved during a build."""
        pauses, next_read = LOG_EVENTS.pauses(), 0.0
        while True:
            began = time.monotonic()
            saved = self._saves.find()
            if saved or self._meanwhile:
                return self._wait_for_calm(saved)
            took = time.monotonic() - began
            self._mention_settings()
            if began >= next_read:
                self._print_logs()
                next_read = time.monotonic() + next(pauses)
            time.sleep(max(_PAUSE, took / _SHARE))

    def _wait_for_calm(self, saved: list[str]) -> list[str]:
        """Return what is saved until nothing more is: editors and formatters save many at once."""
        latest = time.monotonic() + _LONGEST_UNREST
        more = saved
        while more and time.monotonic() < latest:
            time.sleep(_CALM)
            more = self._saves.find()
            saved = sorted({*saved, *more})
        return saved

    def _deploy(self, *, is_first: bool = False, is_second: bool = False) -> None:
        options = ApplyOptions()
        jobs = self._plan(options, is_second=is_second)
        _raise_failures(jobs, "cannot be deployed: nothing was changed")
        if is_first:
            for account in self._accounts():
                check_account(account)
            confirm_if_protected(self._accounts(), _TASK, yes=self._options.yes)
        jobs = run_jobs(jobs, options, parallel=self._options.parallel)
        self._interrupted = options.stop.is_set()
        self._follow(jobs)
        _raise_failures(jobs, "could not be deployed")

    def _plan(self, options: ApplyOptions, *, is_second: bool) -> list[Job]:
        """Package the functions and compare them with AWS.

        What changes during a build is packaged a second time, for it may be the user's. What
        changes once more then is written by the build, and would be so for ever.
        """
        try:
            planned = package_and_plan(
                [self._selection],
                self._workspace,
                self._accounts,
                options,
                adapt=_of_latest,
            )
        finally:
            if self._saves.may_be_written:
                changed = {*self._saves.find()} - self._by_builds
                if is_second and changed:
                    say("watch", f"ignored, because the build writes them: {_shorten(changed)}")
                    self._by_builds |= changed
                self._meanwhile = set() if is_second else changed
        return [_must_exist(job) for job in planned.jobs]

    def _follow(self, jobs: list[Job]) -> None:
        """Follow the logs from now on, of what has changed and of what is not followed yet."""
        names = [job.parameters.function.name for job in jobs]
        width = max(map(len, names))
        for job, name in zip(jobs, names, strict=True):
            if name not in self._logs:
                self._logs[name] = Log(
                    parameters=job.parameters,
                    account=job.account,
                    since=time.time(),
                    prefix=f"{name:<{width}}  " if len(jobs) > 1 else "",
                    follow=True,
                )
            elif job.result == "updated":
                self._logs[name].since = time.time()

    def _print_logs(self) -> None:
        outcomes = [*print_new_events([*self._logs.values()])]
        for name, error in zip([*self._logs], outcomes, strict=True):
            if error:
                warn(f"{error}\n  This log is followed again after the next save.")
                del self._logs[name]

    def _mention_settings(self) -> None:
        for path, before in self._settings.items():
            if (now := status(str(path))) != before:
                self._settings[path] = now
                warn(f"{path.name} has changed: end this with Ctrl-C and start it again to use it.")


def _check_functions(functions: Collection[Parameters]) -> None:
    """Raise `SettingsError` for functions that cannot be watched."""
    for each in functions:
        key, reason = each.function.key, ""
        if each.function.canary:
            reason = (
                f"`{key}.canary` shifts traffic gradually, but `--watch` replaces the code at once."
            )
        elif each.image:
            reason = f"`{key}.Code.ImageUri` is a container image, which is built elsewhere."
        elif each.managed:
            reason = "It is on Lambda Managed Instances, which run published versions only."
        if reason:
            raise SettingsError(
                f"{each.function.name} cannot be deployed with `--watch`.",
                why=reason,
                fix="Name others with --function, or deploy it without --watch.",
            )


def _say_what_is_left(parameters: Parameters) -> None:
    """Say what of a function an ordinary deploy would do."""
    function = parameters.function
    if function.alias:
        say("watch", f"{function.name}  callers of alias {function.alias} are not affected")
    if function.smoke:
        say("watch", f"{function.name}  its smoke test is not run")
    left = [name for name in _LEFT if getattr(function, name) or name in function.removed]
    left += [name for name in function.parameters if name not in _in_latest(parameters)]
    if left := [name for name in left if name not in ("alias", "smoke", "keep_versions")]:
        say("watch", f"{function.name}  left to `deploy` without --watch: {', '.join(left)}")


def _in_latest(parameters: Parameters) -> set[str]:
    """Return the parameters that updates of the code and the configuration take."""
    return {"FunctionName", "Code", *parameters.configuration, *parameters.code}


def _of_latest(job: Job) -> Job:
    """Return the job for code and configuration alone, as if the settings had nothing else."""
    parameters, function = job.parameters, job.parameters.function
    kept = _in_latest(parameters)
    nothing: Any = dict.fromkeys(_LEFT)
    bare = replace(
        function,
        parameters={key: value for key, value in function.parameters.items() if key in kept},
        removed=frozenset(),
        **nothing,
    )
    return replace(job, parameters=replace(parameters, function=bare))


def _must_exist(job: Job) -> Job:
    if job.plan is None or job.plan.remote:
        return job
    error = FunctionError(
        f"{job.label} does not exist yet.",
        why="`--watch` updates functions that exist.",
        fix="Deploy it once without --watch.",
    )
    return replace(job, plan=None).with_error(error)


def _raise_failures(jobs: list[Job], what: str) -> None:
    raise_failures(((job.label, job.error) for job in jobs), what=what)


def _shorten(names: Collection[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(sorted(names)[:_SHOWN])}{more}"
