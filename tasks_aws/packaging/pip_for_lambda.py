"""pip for another Python on Linux: ``python pip_for_lambda.py 3.13 aarch64 install …``.

pip chooses wheels for its ``--python-version`` and ``--platform``, but decides by the Python that
runs it which requirements are meant at all (``; python_version < "3.11"``). Here it takes the
environment markers (PEP 508) of the given Python and machine for its own. uv needs no such help.
"""

from __future__ import annotations

import sys

if not getattr(sys.flags, "safe_path", False):
    sys.path.pop(0)  # the folder of this file, whose `select` is not Python's


def main(python: str, machine: str, *words: str) -> None:
    """Run pip with these words."""
    import runpy

    from pip._vendor.packaging import markers

    environment = {
        **markers.default_environment(),
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    markers.default_environment = environment.copy
    sys.argv = ["pip", *words]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
