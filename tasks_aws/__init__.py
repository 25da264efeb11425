"""AWS for invoke: temporary credentials for every task, and Lambda deploys.

A public name is declared once, in the `__all__` of its module.
"""

import sys
from typing import TYPE_CHECKING, Any

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

# What tasks return: `import *` leaves these names out, because making the types takes long.
_RESULTS = ("Deployment", "DeploymentChange", "FunctionStatus", "LayerDeployment")

if TYPE_CHECKING:
    from .results import Deployment as Deployment
    from .results import DeploymentChange as DeploymentChange
    from .results import FunctionStatus as FunctionStatus
    from .results import LayerDeployment as LayerDeployment
else:  # mypy understands only a literal list, and goes by the imports without one
    __all__ = sorted([*api.__all__, *errors.__all__, *_TASKS, "__version__"])

    def __getattr__(name: str) -> Any:
        if name not in _RESULTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with own_imports():
            from . import results

        return getattr(results, name)


ns = Collection("aws", *map(globals().__getitem__, _TASKS))

if "--complete" in getattr(sys, "argv", ()):  # a shell completes a command line
    with own_imports():
        from .tasks.completion import complete_values

    complete_values()

# Under ``invoke -d`` the command line itself is logged before any task runs.
keep_secrets_out_of_logs()
