"""AWS for invoke: temporary credentials for every task, and Lambda deploys.

A public name is declared once, in the `__all__` of its module.
"""

from typing import TYPE_CHECKING

from invoke.collection import Collection

from .process.importing import own_imports

with own_imports():
    from . import api, errors
    from .api import *  # noqa: F403
    from .errors import *  # noqa: F403
    from .tasks import credentials as _credentials
    from .tasks import deployment as _deployment
    from .tasks import functions as _functions
    from .tasks.credentials import *  # noqa: F403
    from .tasks.credentials import exec as exec  # noqa: A004
    from .tasks.deployment import *  # noqa: F403
    from .tasks.functions import *  # noqa: F403
    from .tasks.functions import invoke as invoke
    from .ui.logs import keep_secrets_out_of_logs
    from .version import __version__ as __version__

_TASKS = [*_credentials.__all__, *_deployment.__all__, *_functions.__all__]

if not TYPE_CHECKING:  # mypy understands only a literal list, and goes by the imports without one
    __all__ = sorted([*api.__all__, *errors.__all__, *_TASKS, "__version__"])

ns = Collection("aws", *map(globals().__getitem__, _TASKS))

# Under ``invoke -d`` the command line itself is logged before any task runs.
keep_secrets_out_of_logs()
