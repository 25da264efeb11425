"""AWS for invoke: temporary credentials for every task, and Lambda deploys."""

from invoke.collection import Collection

from .api import credentials, environment, redshift, session
from .errors import CredentialsError, FunctionError, PackageError, SettingsError, TasksAwsError
from .tasks import (
    TASKS,
    assume,
    build,
    clean,
    console,
    deploy,
    destroy,
    env,
    exec_,
    forget,
    init,
    invoke_,
    logs,
    package,
    plan,
    prune,
    rollback,
    sessions,
    shell,
    status,
    whoami,
)
from .ui.output import keep_secrets_out_of_logs
from .version import __version__

# `ns` is not among them: `from tasks_aws import *` would make it the user's own namespace.
__all__ = [
    "CredentialsError",
    "FunctionError",
    "PackageError",
    "SettingsError",
    "TasksAwsError",
    "__version__",
    "assume",
    "build",
    "clean",
    "console",
    "credentials",
    "deploy",
    "destroy",
    "env",
    "environment",
    "exec_",
    "forget",
    "init",
    "invoke_",
    "logs",
    "package",
    "plan",
    "prune",
    "redshift",
    "rollback",
    "session",
    "sessions",
    "shell",
    "status",
    "whoami",
]

# Their tasks are named `invoke` and `exec`; `import *` must not hide a module and a builtin.
invoke = invoke_
exec = exec_  # noqa: A001

ns = Collection("aws", *TASKS)

# Under ``invoke -d`` the command line itself is logged before any task runs.
keep_secrets_out_of_logs()
