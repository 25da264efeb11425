"""AWS for invoke: temporary credentials for every task, and Lambda deploys."""

from invoke.collection import Collection

from .api import credentials, environment, session
from .errors import (
    CredentialsError,
    FunctionError,
    PackageError,
    SettingsError,
    TasksAwsError,
)
from .output import keep_secrets_out_of_logs
from .tasks import assume, build, clean, deploy, env, invoke_, package, whoami
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
    "credentials",
    "deploy",
    "env",
    "environment",
    "invoke_",
    "package",
    "session",
    "whoami",
]

# The task's name is `invoke`; `import *` gives it as `invoke_`, lest it hide the module invoke.
invoke = invoke_

ns = Collection("aws", assume, build, clean, deploy, env, invoke_, package, whoami)

# Under ``invoke -d`` the command line itself is logged before any task runs.
keep_secrets_out_of_logs()
