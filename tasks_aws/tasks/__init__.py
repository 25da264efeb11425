"""The tasks: the command line, and nothing else. Each imports what it runs when it runs."""

from .functions import build, clean, deploy, invoke_, package, plan
from .identity import assume, console, env, exec_, forget, sessions, shell, whoami

TASKS = (
    assume,
    build,
    clean,
    console,
    deploy,
    env,
    exec_,
    forget,
    invoke_,
    package,
    plan,
    sessions,
    shell,
    whoami,
)

__all__ = (
    "TASKS",
    "assume",
    "build",
    "clean",
    "console",
    "deploy",
    "env",
    "exec_",
    "forget",
    "invoke_",
    "package",
    "plan",
    "sessions",
    "shell",
    "whoami",
)
