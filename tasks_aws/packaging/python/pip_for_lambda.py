"""pip for another Python on Linux: ``python pip_for_lambda.py '{"python_version": …}' install …``.

With ``--python-version`` and ``--platform`` pip selects wheels for another Python, but it still
evaluates environment markers (PEP 508, such as ``; python_version < "3.11"``) for the Python that
runs it. This program gives it the markers of the target. uv does not need it.
"""

from __future__ import annotations

import sys
from typing import Any

if not getattr(sys.flags, "safe_path", False):
    sys.path.pop(0)  # this file's folder: its modules must not replace those of Python or pip


def main(target: str, *words: str) -> None:
    """Run pip with these arguments, and with markers in JSON."""
    import json
    import runpy

    from pip._vendor.packaging import markers

    # Newer versions of pip declare its type.
    environment: Any = {**markers.default_environment(), **json.loads(target)}
    markers.default_environment = environment.copy
    sys.argv = ["pip", *words]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
