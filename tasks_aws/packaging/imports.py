"""What a handler imports, and what is reported when some of it would not be found on Lambda."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..config.functions import Function
from ..errors import PackageError
from ..ui.output import warn

# Variables that change what can be imported on Lambda.
_SEARCH_VARIABLES = {"AWS_LAMBDA_EXEC_WRAPPER", "NODE_OPTIONS", "NODE_PATH", "PYTHONPATH"}

# Packages on PyPI whose modules have other names; these are the ones that are asked for most.
DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "MySQLdb": "mysqlclient",
    "PIL": "Pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dotenv": "python-dotenv",
    "jwt": "PyJWT",
    "psycopg2": "psycopg2-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


class MissingImport(NamedTuple):
    """An import that fails on Lambda, and takes the function with it."""

    file: str  # the name in the archive
    line: int
    name: str  # what nothing provides, as the language names it: google.cloud.storage, @scope/x
    problem: str = ""  # if it is another than that nothing provides it
    fix: str = ""  # if adding a dependency is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a handler imports, followed through the project's own files."""

    files: tuple[str, ...]  # the project's own files that it reaches, itself first
    packages: frozenset[str]  # what it imports besides these: top-level names, or npm packages
    missing: tuple[MissingImport, ...]  # what is certain to be imported, and certain not to exist


def import_check(function: Function) -> str:
    """Return what a missing import is: an error, a warning, or nothing if it is not looked for."""
    environment = function.parameters.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    changed = isinstance(variables, Mapping) and _SEARCH_VARIABLES & variables.keys()
    if not function.check_imports or changed:
        return ""
    unknown = len(function.layers or ()) > len(function.layer_names)
    return "warning" if unknown or function.parameters.get("Layers") else "error"


def report_missing(function: Function, missing: Sequence[MissingImport], check: str) -> None:
    """Raise `PackageError` for imports that would fail, or print a warning if `check` says so."""
    missing = [_explain_relative(each) for each in missing]
    first, *others = missing
    why = f"The archive, the function's layers and the runtime {function.runtime} were searched."
    if others:
        lines = ", ".join(f"{each.file} line {each.line} ({each.name})" for each in missing)
        what = f"Nothing provides what the handler imports: {lines}."
    elif first.problem:
        what = f"{first.problem}."
        why = f"{first.file} line {first.line} imports {first.name}."
    else:
        what = f"{first.file} line {first.line} imports {first.name}, which nothing provides."
    packages = [DISTRIBUTIONS.get(each.name, each.name) for each in missing if not each.fix]
    fixes = [each.fix for each in missing if each.fix]
    if check == "warning":
        if packages:
            fixes = ["It has to be in one of the layers named by ARN.", *fixes]
        warn(f"{function.label}: {what} {' '.join(dict.fromkeys(fixes))}")
        return
    if packages:
        names = ", ".join(dict.fromkeys(packages))
        add = f"Add {names} to the function's dependencies, or to `{function.key}.source`."
        fixes = [add, *fixes]
    raise PackageError(
        what,
        why=why,
        fix=f"{' '.join(dict.fromkeys(fixes))} If Lambda does find "
        f"{'them' if others else 'it'}, set `{function.key}.check_imports` to false.",
    )


def _explain_relative(missing: MissingImport) -> MissingImport:
    """Say of a relative import in Python that it needs a file or a package, not a dependency."""
    name = missing.name.lstrip(".")
    if missing.fix or not missing.name.startswith("."):
        return missing
    absolute = f"from {name} import …" if name else "import module"
    return missing._replace(
        problem=f"{missing.file} line {missing.line} imports {missing.name} relative to a package, "
        "and is in none",
        fix=f"A relative import works only inside a package: write `{absolute}`.",
    )
