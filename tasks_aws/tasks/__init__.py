"""The tasks: the command line, and nothing else. Each imports what it runs when it runs."""

from .credentials import assume, console, env, exec_, forget, sessions, shell, whoami
from .deployment import build, clean, deploy, package, plan
from .functions import destroy, init, invoke_, logs, prune, rollback, status

TASKS = (
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

__all__ = (
    "TASKS",
    "assume",
    "build",
    "clean",
    "console",
    "deploy",
    "destroy",
    "env",
    "exec_",
    "forget",
    "init",
    "invoke_",
    "logs",
    "package",
    "plan",
    "prune",
    "rollback",
    "sessions",
    "shell",
    "status",
    "whoami",
)
