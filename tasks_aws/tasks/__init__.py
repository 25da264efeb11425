"""The tasks: the command line, and nothing else. Each imports what it runs when it runs."""

from .functions import build, clean, deploy, invoke_, package
from .identity import assume, env, whoami

__all__ = ("assume", "build", "clean", "deploy", "env", "invoke_", "package", "whoami")
