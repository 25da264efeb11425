"""Write what in the documentation is derived from the code and the project's files.

`conf.py` calls `main` before every build, and a test compares the references with the code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tasks_aws
from docs.lambda_api import lambda_api_rows
from tasks_aws.auth.sts_calls import CARRIED, Start, carrier
from tasks_aws.aws_lambda.schema import make_schema
from tasks_aws.config.declare import Setting
from tasks_aws.config.functions import ARCHIVE_PARAMETERS, FUNCTION_KEYS, LAYER_KEYS
from tasks_aws.config.references import KINDS
from tasks_aws.config.settings import SECTIONS, SETTINGS
from tasks_aws.local import local

DOCS = Path(__file__).parent
# What stands in a page between these lines is derived.
BEGIN, END = "<!-- begin: written by docs/generate.py -->\n", "<!-- end -->\n"
ROOT = DOCS.parent
TASKS: dict[str, Any] = {name: tasks_aws.ns[name] for name in tasks_aws.ns.task_names}
TASKS["local"] = local
PROJECT_PAGES = ("README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")


def main() -> None:
    """Write every generated page whose text has changed."""
    for name, text in REFERENCES.items():
        page = DOCS / "reference" / name
        _write(page, with_part(page.read_text(encoding="utf-8"), text()))
    for name in PROJECT_PAGES:
        if (ROOT / name).exists():
            _write(DOCS / "project" / name.lower(), project_page(name))


def with_part(page: str, part: str) -> str:
    """Return a page with its derived part."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{part}\n{END}{rest.partition(END)[2]}"


def tasks_page() -> str:
    """Return a section for each task: its docstring and its options."""
    return "\n".join(_task_section(name) for name in sorted(TASKS))


def settings_page() -> str:
    """Return the tables of the settings, of the keys of functions and layers, and of references."""
    functions_only = {name: FUNCTION_KEYS[name] for name in FUNCTION_KEYS if name not in LAYER_KEYS}
    sections = ((f"`{name}`", doc) for name, doc in SECTIONS.items())
    references = (
        (" or ".join(f"`{form}`" for form in forms), doc) for _, forms, doc in KINDS.values()
    )
    parts = [
        "## Keys under aws",
        _settings_table(SETTINGS),
        "These keys hold mappings:",
        _table(("Key", "Meaning"), sections),
        "## Keys of functions and layers",
        _settings_table(LAYER_KEYS),
        "## Keys of functions",
        _settings_table(functions_only),
        "## References",
        _table(("Reference", "Value"), references),
        f"""\
AWS resolves `${{account_id}}`, `${{region}}`, `${{ssm:…}}`, `${{secret:…}}` and `${{cfn:…}}`. They
are allowed where the value is not needed before there are credentials: under `aws` in
{_aws_resolved(SETTINGS)}; under a function or layer in {_aws_resolved(FUNCTION_KEYS)}, and in all
capitalised keys except {_names(ARCHIVE_PARAMETERS)}.""",
    ]
    return "\n\n".join(parts) + "\n"


def lambda_api_page() -> str:
    """Return the table of the operations of the Lambda API."""
    return _table(("Operation", "Called by", "For these settings, or why not"), lambda_api_rows())


def sessions_table() -> str:
    """Return the table in `reference/sessions.md`: the call that carries each setting."""
    names = list(dict.fromkeys(name for carried in CARRIED.values() for name in carried))
    rows = ((f"`{name}`", *(_session_cell(start, name) for start in Start)) for name in names)
    return _table(("Setting", *(start.value for start in Start)), rows)


def _session_cell(start: Start, name: str) -> str:
    if call := carrier(start, name):
        return f"`{call}`"
    if call := carrier(start, name, besides=["policy"]):
        return f"`{call}`, with a policy; else an error"
    return "an error"


def project_page(name: str) -> str:
    """Return a file of the project's root, with its links leading from the project folder."""

    def adapt(link: re.Match[str]) -> str:
        target = link[1]
        if target in PROJECT_PAGES:
            return f"]({target.lower()}"
        if target.startswith("docs/"):
            return f"](../{target.removeprefix('docs/')}"
        return link[0] if ":" in target else f"](../../{target}"

    return re.sub(r"\]\(([^)#]+)", adapt, (ROOT / name).read_text(encoding="utf-8"))


def write_schema() -> None:
    """Write the JSON Schema that the package contains; only a release does, with its botocore."""
    text = json.dumps(make_schema(), indent=1, ensure_ascii=False)
    _write(Path(tasks_aws.__file__).parent / "schema.json", f"{text}\n")


def _task_section(name: str) -> str:
    task = TASKS[name]
    summary, _, details = (task.__doc__ or "").partition("\n")
    lines = [f"## {name}", "", summary, ""]
    if details.strip():
        lines += [re.sub(r"^ +", "", details.strip(), flags=re.MULTILINE), ""]
    options = [_option_row(argument) for argument in task.get_arguments()]
    if options:
        lines += ["| option | meaning |", "|---|---|", *options, ""]
    return "\n".join(lines)


def _option_row(argument: Any) -> str:
    name = argument.name.strip("_").replace("_", "-")
    value = "" if argument.kind is bool else f" {name.upper()}"
    meaning = (argument.help or "").replace("|", r"\|").replace("<", r"\<")
    return f"| `--{name}{value}` | {meaning} |"


def _settings_table(settings: Mapping[str, Setting]) -> str:
    rows = (
        (f"`{name}`", _takes(each), _default(each), each.doc) for name, each in settings.items()
    )
    return _table(("Key", "Takes", "Default", "Meaning"), rows)


def _takes(setting: Setting) -> str:
    return f"{setting.parse.takes}, or `none`" if setting.removable else setting.parse.takes


def _default(setting: Setting) -> str:
    if setting.unset or not setting.default:
        return setting.unset or ("`false`" if setting.default is False else "")
    return f"`{setting.default}`"


def _aws_resolved(settings: Mapping[str, Setting]) -> str:
    return _names(name for name, each in settings.items() if each.aws_references)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


REFERENCES = {
    "tasks.md": tasks_page,
    "settings.md": settings_page,
    "lambda-api.md": lambda_api_page,
}

if __name__ == "__main__":
    main()
    write_schema()
