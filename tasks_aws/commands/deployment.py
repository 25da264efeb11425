"""From settings to deployed functions: what the tasks `plan` and `deploy` do, step by step.

Everything is packaged before credentials are obtained, unless `assume` ran before: mistakes are
reported first, and no credentials expire meanwhile. Nothing is changed before all functions are
planned.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

from invoke.context import Context
from invoke.exceptions import Exit

from ..auth.environment import users_environment
from ..aws_lambda.apply import ApplyOptions
from ..aws_lambda.clients import Account
from ..aws_lambda.layers import LayerJob, diff_layer, read_newest_version
from ..aws_lambda.lookups import resolve_references
from ..aws_lambda.plan import Plan
from ..aws_lambda.validation import validate_function
from ..config.functions import ARCHIVE_PARAMETERS, LAYER_KEYS, Function, Layer
from ..config.git import read_commit
from ..config.shards import WHOLE, Shard
from ..errors import FunctionError, TasksAwsError, raise_failures
from ..packaging.archive import Archive
from ..packaging.build import package
from ..packaging.imports import import_check
from ..packaging.limits import check_together, check_upload
from ..packaging.workspace import Workspace
from ..process.garbage_collection import paused_collection
from ..process.threads import PARALLEL, in_parallel
from ..results import Deployment
from ..secret import secrets_in
from ..text.terminal import is_watched
from ..ui.output import (
    count,
    format_duration,
    format_size,
    print_diff,
    print_table,
    say,
    track,
    warn,
)
from ..ui.program import INTERRUPTED
from ..ui.prompt import agrees, why_no_prompt
from .accounts import check_account, make_accounts_ready
from .jobs import (
    Job,
    plan_job,
    publish_layers,
    read_function,
    run_jobs,
    start_reading,
    stop_reading,
    with_layers,
)
from .located import LocatedFunction, check_distinct, locate, read_targets
from .packaging import do_with_each, workspace_of
from .protection import check_can_confirm, confirm_if_protected
from .report import Report, describe, describe_plan, printed_as_json
from .selection import Selection, say_what_is_selected, select

_TO_DO = {"create": "to create", "update": "to update"}
DIFFERS = 2  # the exit code of a plan

# Up to so many functions, everything about each is read at once, whether it exists or not; of more
# functions, which wait for Lambda's quotas in any case, no request is wasted on those that do not.
_READ_AHEAD = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeployOptions:
    """What to plan or deploy, and how, as the task's options say."""

    functions: Sequence[str] = ()  # empty: all
    targets: Sequence[str] = ()  # empty: the settings of `assume`
    shard: Shard = WHOLE  # of these functions
    force: bool = False
    prune: bool = False
    yes: bool = False
    exit_code: bool = False  # of a plan: 2 if something would change
    show_values: bool = False
    json: bool = False
    parallel: int = PARALLEL

    @property
    def risk(self) -> str:
        """Return which options have to be confirmed where a target is protected; often none."""
        risky = {"--force": self.force, "--prune": self.prune}
        return " ".join(option for option, given in risky.items() if given)


class Planned(NamedTuple):
    """What is to be done."""

    jobs: list[Job]
    layers: list[LayerJob]  # to publish for functions of other shards alone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Wanted:
    """A function or a layer that needs an archive, and those of its layers that have one."""

    layer: Layer
    target: str
    layers: Mapping[str, Archive]


def plan_all(c: Context, options: DeployOptions) -> list[Deployment]:
    """Package all functions, compare them with AWS and print what would change.

    What is attached to a function and in no setting is read, too, and mentioned.

    Raises the error of a function that cannot be deployed, or one for all of them, and `Exit` if
    the exit code is to tell of changes.
    """
    apply_options = ApplyOptions(force=options.force, prune=options.prune)
    report: Report[Deployment] = []
    with printed_as_json(report, wanted=options.json):
        planned = _prepare(c, options, apply_options, everything=True)
        report += [
            (describe_plan(job, show_values=options.show_values), job.error) for job in planned.jobs
        ]
        _raise_failures(planned, "cannot be deployed: nothing was changed")
        _print_plans(planned, options)
    deployments = [each for each, _ in report]
    if options.exit_code and (planned.layers or any(each.differs for each in deployments)):
        raise Exit(code=DIFFERS)
    return deployments


def _print_plans(planned: Planned, options: DeployOptions) -> None:
    used = (layer for job in planned.jobs for layer in job.layers)
    for layer in dict.fromkeys((*used, *planned.layers)):
        say("plan", f"{layer.label}  {layer.summary}")
        print_diff(change.format_line() for change in (*layer.changes, *layer.permission_changes))
    for job in planned.jobs:
        if job.plan:
            say("plan", f"{job.label}  {job.plan}")
            print_diff(
                change.format_line(show_values=options.show_values) for change in job.plan.changes
            )
            _mention_unnamed("plan", job.label, job.plan, pruned=options.prune)
    if len(planned.jobs) > 1:
        verbs = (job.plan.verb for job in planned.jobs if job.plan)
        say("total", _count_results(_TO_DO.get(verb, verb) for verb in verbs))


def deploy_all(c: Context, options: DeployOptions) -> list[Deployment]:
    """Package all functions, and create or update those that differ from AWS.

    Raises the error of a function that failed, or one for all of them.
    """
    if options.risk:
        check_can_confirm(
            read_targets(c, options.targets), f"deploy {options.risk}", yes=options.yes
        )
    apply_options = ApplyOptions(force=options.force, prune=options.prune)
    report: Report[Deployment] = []
    with printed_as_json(report, wanted=options.json):
        planned = _prepare(c, options, apply_options, everything=options.prune)

        def note(jobs: Iterable[Job]) -> None:
            report[:] = [
                (describe(plan, job, job.result, show_values=options.show_values), job.error)
                for plan, job in zip(planned.jobs, jobs, strict=True)
            ]

        note(planned.jobs)
        _raise_failures(planned, "cannot be deployed: nothing was changed")
        _deploy(planned, options, apply_options, note)
    return [each for each, _ in report]


def _deploy(
    planned: Planned,
    options: DeployOptions,
    apply_options: ApplyOptions,
    note: Callable[[Iterable[Job]], None],
) -> None:
    """Apply the plans, and pass the jobs with their results to `note`."""
    jobs, layers = planned
    for job in jobs:
        if job.plan:
            _mention_unnamed("deploy", job.label, job.plan, pruned=options.prune)
    changing = [job for job in jobs if job.changes_something]
    places = [*(each.account for each in layers), *(each.account for each in changing)]
    for account in dict.fromkeys(places):
        check_account(account)
    if options.prune:
        _confirm_removal(changing, yes=options.yes)
    if options.risk:
        losing = [job for job in changing if options.force or (job.plan and job.plan.unnamed)]
        accounts = dict.fromkeys(job.account for job in losing)
        confirm_if_protected(accounts, f"deploy {options.risk}", yes=options.yes)
    if changing:
        project = changing[0].account.settings.project
        commit = read_commit(project, users_environment())
        apply_options = replace(apply_options, commit=commit)
    started = time.monotonic()
    layers = publish_layers(layers, apply_options)
    if not apply_options.stop.is_set():
        jobs = run_jobs(jobs, apply_options, parallel=options.parallel)
    note(jobs)
    if len(jobs) > 1:
        print_table(("function", "target", "result", "version", "time"), map(_row, jobs))
        took = format_duration(time.monotonic() - started)
        say("total", f"{_count_results(job.result for job in jobs)}, {took}")
    _raise_failures(Planned(jobs, layers), "could not be deployed")
    if apply_options.stop.is_set():
        raise Exit("Interrupted. Completed changes are listed above.", code=INTERRUPTED)


def _mention_unnamed(event: str, label: str, plan: Plan, *, pruned: bool) -> None:
    """Say what is attached to a function and in no setting, and what of that cannot be known."""
    unnamed = plan.describe_unnamed()
    if unnamed and not pruned:
        say(event, f"{label}  not in the settings: {unnamed} (removed by --prune)")
    if plan.unreadable:
        names = ", ".join(f"{name} ({why})" for name, why in plan.unreadable.items())
        warn(f"{label}: cannot check for resources that no setting names: {names}")


def _confirm_removal(jobs: Iterable[Job], *, yes: bool) -> None:
    """List what `--prune` removes, and ask whoever is at the terminal. Raises `FunctionError`."""
    removing = [job for job in jobs if job.plan and job.plan.unnamed]
    for job in removing:
        say("prune", f"{job.label}  will lose what is not in the settings:")
        updates = job.plan.unnamed if job.plan else ()
        print_diff(change.format_line() for update in updates for change in update.changes)
    if not removing or yes or why_no_prompt():
        return
    if not agrees("Remove all of this?"):
        raise FunctionError(
            "Nothing was changed: the removal was not confirmed.",
            fix="Add what is to stay to the settings, or deploy without --prune.",
        )


@paused_collection()
def _prepare(
    c: Context, options: DeployOptions, apply_options: ApplyOptions, *, everything: bool
) -> Planned:
    """Package and plan all functions; compare what no setting names, too, with `everything`."""
    selections = [
        select(each, options.functions, options.shard) for each in read_targets(c, options.targets)
    ]
    say_what_is_selected(selections[0])
    if all(each.is_empty for each in selections):
        return Planned([], [])
    settings = [each.settings for each in selections]
    get_ready = make_accounts_ready(c, settings, active=not options.targets)

    def get_all() -> list[Account]:
        accounts = get_ready()
        for account in accounts:
            account.share_quotas(options.shard.count)
        return accounts

    workspace = workspace_of(c, selections[0].settings.project)
    return package_and_plan(selections, workspace, get_all, apply_options, everything=everything)


def package_and_plan(
    selections: Sequence[Selection],
    workspace: Workspace,
    get_all: Callable[[], Sequence[Account]],
    options: ApplyOptions,
    *,
    everything: bool = False,
    adapt: Callable[[Job], Job] = lambda job: job,
) -> Planned:
    """Package functions and layers, and compare them with AWS; return a job for each function.

    `get_all` returns the account of each selection; it is called once everything is packaged.
    `adapt` changes the jobs before they are planned.
    """
    archives = _package_all(selections, workspace)
    jobs: list[Job] = []
    layer_jobs: list[LayerJob] = []
    others: list[LocatedFunction] = []
    for own_layer_jobs, own_jobs, of_other_shards in in_parallel(
        lambda pair: (
            _layer_jobs(*pair, archives),
            _jobs(*pair, archives),
            locate(pair[0].others, pair[1]),
        ),
        [*zip(selections, get_all(), strict=True)],
    ):
        layer_jobs += own_layer_jobs
        jobs += map(adapt, own_jobs)
        others += of_other_shards
    check_distinct([*jobs, *others])
    return _plan_jobs(jobs, layer_jobs, options, everything=everything)


def _package_all(selections: Sequence[Selection], workspace: Workspace) -> dict[Layer, Archive]:
    """Return the archives of functions and layers; what targets have in common is made once.

    Raises the error of one that cannot be packaged, or one for all of them.
    """
    archives: dict[Layer, Archive] = {}
    outcomes: list[tuple[str, object]] = []
    with workspace.shared.run():
        for find in (_want_layers, _want_functions):
            wanted = [each for selection in selections for each in find(selection, archives)]
            for each, outcome in zip(wanted, _package_each(wanted, workspace), strict=True):
                checked = _check(each, outcome)
                if isinstance(checked, Archive):
                    archives[each.layer] = checked
                outcomes.append((each.layer.label, checked))
    raise_failures(
        outcomes,
        things="functions and layers" if any(each.layers for each in selections) else "functions",
        what="cannot be deployed: nothing was changed",
    )
    return archives


def _want_layers(selection: Selection, archives: Mapping[Layer, Archive]) -> Iterable[_Wanted]:
    for each in selection.layers:
        yield _Wanted(layer=each, target=selection.settings.target or "", layers={})


def _want_functions(selection: Selection, archives: Mapping[Layer, Archive]) -> Iterable[_Wanted]:
    made = {each.name: archives[each] for each in selection.layers if each in archives}
    for each in selection.zipped:
        own = {name: made[name] for name in each.layer_names if name in made}
        yield _Wanted(layer=each, target=selection.settings.target or "", layers=own)


def _package_each(wanted: Sequence[_Wanted], workspace: Workspace) -> list[Archive | TasksAwsError]:
    """Package functions or layers, of equal ones the first, and return how each ended."""
    keys: list[tuple[str, ...]] = []
    distinct: dict[tuple[str, ...], Layer] = {}
    layers: dict[Layer, Sequence[Archive]] = {}
    for each in wanted:
        layer, own = each.layer, [*each.layers.values()]
        if isinstance(layer, Function) and len(own) < len(layer.layer_names):
            layer = replace(layer, check_imports=False)  # one of its layers could not be packaged
        keys.append(key := (layer.stem, *_packaging_key(layer, own)))
        if key not in distinct:
            if any(stem == layer.stem for stem, *_ in distinct):
                # It is a part of file names.
                layer = replace(layer, variant=quote(each.target, safe=""))
            distinct[key], layers[layer] = layer, own
    make = partial(_make_archives, layers, workspace)
    made = dict(zip(distinct, make([*distinct.values()]), strict=True))
    return [made[key] for key in keys]


def _make_archives(
    own: Mapping[Layer, Sequence[Archive]], workspace: Workspace, wanted: Sequence[Layer]
) -> list[Archive | TasksAwsError]:
    """Package functions or layers in parallel, on a terminal with one progress line for all."""

    def make(*, brief: bool = False) -> list[Archive | TasksAwsError]:
        return do_with_each(wanted, lambda each: package(each, workspace, own[each]), brief=brief)

    if len(wanted) < 2 or not is_watched():
        return make()
    with track("zip", count(len(wanted), "archive")) as line:
        outcomes = make(brief=True)
        line.result = format_size(sum(each.size for each in outcomes if isinstance(each, Archive)))
    return outcomes


def _check(wanted: _Wanted, outcome: Archive | TasksAwsError) -> Archive | TasksAwsError:
    """Return an archive that can be deployed, or the error that says why there is none."""
    if isinstance(outcome, Archive):
        try:
            check_upload(wanted.layer, outcome)
            check_together(wanted.layer.name, outcome, wanted.layers)
        except TasksAwsError as error:
            return error
    return outcome


def _packaging_key(layer: Layer, layers: Sequence[Archive]) -> tuple[str, ...]:
    """Return what an archive depends on, and whether it is accepted."""
    own = [
        getattr(layer, name)
        for name, each in LAYER_KEYS.items()
        if not each.aws_references and name not in ("bucket_owner", "keep_versions")
    ]
    parameters = [layer.parameters.get(key) for key in ARCHIVE_PARAMETERS]
    # The handler, and what it imports, may be in a layer.
    checked = isinstance(layer, Function) and (
        import_check(layer),
        bool(layer.layers or layer.parameters.get("Layers")),
        [each.digest for each in layers],
    )
    found = (own, checked, parameters)
    return repr(found), *secrets_in(found)  # which look alike


def _layer_jobs(
    selection: Selection, account: Account, archives: Mapping[Layer, Archive]
) -> list[LayerJob]:
    """Return a job for each layer, with the references in its settings resolved."""
    final_layers = resolve_references(selection.layers, account)
    publisher = selection.shard.publisher
    return [
        LayerJob(layer=final, account=account, archive=archives[layer], publisher=publisher)
        for layer, final in zip(selection.layers, final_layers, strict=True)
    ]


def _jobs(selection: Selection, account: Account, archives: Mapping[Layer, Archive]) -> list[Job]:
    """Return a job for each function, with the references in its settings resolved."""
    final_functions = resolve_references(selection.functions, account)
    return [
        Job(
            parameters=parameters if final is function else validate_function(final),
            account=account,
            archive=archives.get(function),
        )
        for (function, parameters), final in zip(
            selection.functions.items(), final_functions, strict=True
        )
    ]


def _plan_jobs(
    jobs: Sequence[Job],
    layer_jobs: Sequence[LayerJob],
    options: ApplyOptions,
    *,
    everything: bool,
) -> Planned:
    """Compare all layers and functions with AWS; return the jobs with their plans."""
    ahead = len(jobs) <= _READ_AHEAD
    functions = start_reading(jobs, partial(read_function, ahead=ahead, everything=everything))
    layers = start_reading(layer_jobs, read_newest_version)
    try:
        ready = [diff_layer(job, newest) for job, newest in zip(layer_jobs, layers, strict=True)]
        planned = [
            plan_job(with_layers(job, ready), current, options)
            for job, current in zip(jobs, functions, strict=True)
        ]
        used = {layer for job in planned for layer in job.layers}
        unused = [each for each in ready if each not in used and (each.differs or each.error)]
        return Planned(planned, unused)
    finally:  # also after Ctrl-C: nobody needs the rest
        stop_reading(functions)
        stop_reading(layers)


def _count_results(results: Iterable[str]) -> str:
    """Return how many functions have each result.

    >>> _count_results(["created", "unchanged", "created"])
    '3 functions: 2 created, 1 unchanged'
    """
    counted = Counter(results)
    parts = ", ".join(f"{number} {result}" for result, number in counted.items())
    return f"{count(counted.total(), 'function')}: {parts}"


def _row(job: Job) -> tuple[str, ...]:
    return (
        job.parameters.name,
        job.account.settings.target or "-",
        job.result,
        job.version or "-",
        format_duration(job.seconds) if job.seconds else "-",
    )


def _raise_failures(planned: Planned, what: str) -> None:
    things = "functions and layers" if planned.layers else "functions"
    layers = [(each.label, each.error) for each in planned.layers]
    jobs = [(each.label, each.error) for each in planned.jobs]
    raise_failures([*layers, *jobs], what=what, things=things)
