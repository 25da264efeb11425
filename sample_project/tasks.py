"""The tasks of a project that deploys to AWS: try `invoke local assume deploy invoke`."""

import sys

from invoke.context import Context
from invoke.tasks import task

# Imported names become tasks of this project.
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
from tasks_aws.local import local  # noqa: F401


@task(pre=[assume])
def caller(c: Context) -> None:
    """Run a child process, which inherits the credentials."""
    c.run(f'"{sys.executable}" caller.py')


@task(pre=[assume])
def code(c: Context) -> None:
    """Use the credentials with boto3."""
    functions = session(c).client("lambda")
    found = functions.get_function(FunctionName="hello")["Configuration"]
    print(found["FunctionName"], found["Runtime"], f"{found['CodeSize']} bytes")
