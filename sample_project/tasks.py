"""The tasks of a project that deploys to AWS: try `invoke local assume deploy invoke`."""

import sys

from invoke.context import Context
from invoke.tasks import task

# Imported names become tasks of this project.
from local_aws import local  # noqa: F401

from tasks_aws import (  # noqa: F401
    assume,
    build,
    clean,
    deploy,
    destroy,
    env,
    init,
    invoke,
    logs,
    package,
    plan,
    prune,
    rollback,
    session,
    settings,
    status,
    whoami,
)


@task(pre=[assume])
def caller(c: Context) -> None:
    """Run a child process, which inherits the credentials."""
    c.run(f'"{sys.executable}" caller.py')


@task(pre=[assume])
def functions(c: Context) -> None:
    """Use the credentials with boto3."""
    for function in session(c).client("lambda").list_functions()["Functions"]:
        print(function["FunctionName"], function["Runtime"], f"{function['CodeSize']} bytes")
