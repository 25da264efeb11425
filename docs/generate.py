"""Write what in the documentation is derived from the code and the project's files.

`conf.py` calls `main` before every build, and a test compares the references with the code.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

import tasks_aws
from docs.lambda_api import lambda_api_rows
from docs.variables import variables_page
from tasks_aws.auth.child_process import CANNOT_RUN, NO_PROGRAM
from tasks_aws.auth.sts_calls import CARRIED, Start, carrier
from tasks_aws.aws_lambda.schema import make_schema
from tasks_aws.commands.deployment import DIFFERS
from tasks_aws.config.declare import Setting
from tasks_aws.config.functions import ARCHIVE_PARAMETERS, FUNCTION_KEYS, LAYER_KEYS
from tasks_aws.config.references import KINDS
from tasks_aws.config.settings import SECTIONS, SETTINGS
from tasks_aws.errors import TasksAwsError
from tasks_aws.local import local
from tasks_aws.packaging.exclusion import SECRETS, TASK_FILES, TOOL_FILES
from tasks_aws.ui.output import STDOUT_CLOSED
from tasks_aws.ui.program import INTERRUPTED

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = Path(__file__).parent
# What stands in a page between these lines is derived.
BEGIN, END = "<!-- begin: written by docs/generate.py -->\n", "<!-- end -->\n"
ROOT = DOCS.parent
TASKS: dict[str, Any] = {name: tasks_aws.ns[name] for name in tasks_aws.ns.task_names}
TASKS["local"] = local
PROJECT_PAGES = (
    "README.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "CHANGELOG.md",
)


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


def excluded_list() -> str:
    """Return the list in `reference/packaging.md`: what is excluded by default."""
    items = (
        f"secrets: {_names(SECRETS)}, and a requirements, lock or index file (such as "
        "`requirements.txt` or `uv.toml`) that contains the password of an index;",
        f"in the folder of `tasks.py`: {_names(TASK_FILES)};",
        f"what tools leave, tasks-aws among them: {_names(TOOL_FILES)}.",
    )
    return "".join(
        textwrap.fill(
            f"- {item}",
            width=_WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
        for item in items
    )


def exit_codes_table() -> str:
    """Return the table of exit codes, with what they mean."""
    rows = {
        "0": "Done. `plan` and `policy --check` may have found differences; see 2.",
        f"{TasksAwsError('').code}": "An error, whose text is on stderr; of `invoke`, also one of "
        "the function. invoke itself uses it for an unknown task or option.",
        f"{DIFFERS}": "`plan --exit-code`: something would change. `policy --check`: something is "
        "missing.",
        f"{CANNOT_RUN}": "`exec`: the program is there, but cannot be run.",
        f"{NO_PROGRAM}": "`exec`: there is no such program.",
        f"{INTERRUPTED}": "Ctrl-C. `deploy` has finished the changes that were under way.",
        f"{STDOUT_CLOSED}": "Nobody reads stdout any more, as in `invoke logs | head -1`.",
        "128 + *n*": "The signal *n* has ended it, or the program that `exec` ran: 143 is SIGTERM.",
        "any": "`exec`, `shell`: the exit code of the program. The same goes for a command that "
        "fails in a task of yours, with `c.run`.",
    }
    return _table(("Exit code", "Meaning"), rows.items()) + "\n"


def supported_page() -> str:
    """Return what pyproject.toml says of Pythons, dependencies and extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = [
        each.rpartition(" ")[2]
        for each in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", each)
    ]
    extras = {
        name: wanted
        for name, wanted in project["optional-dependencies"].items()
        if name not in _FOR_DEVELOPERS
    }
    python = project["requires-python"].replace(">=", "")
    parts = [
        "## Python",
        f"Python {python} or later"
        + (f"; declared as tested are {', '.join(tested)}." if tested else "."),
        "## Dependencies",
        _table(("Package", "Version"), map(_requirement_row, project["dependencies"])),
        "## Extras",
        "`pip install 'tasks-aws[login]'` installs one of them.",
        _table(
            ("Extra", "Installs", "For"),
            (
                (f"`{name}`", ", ".join(f"`{each}`" for each in wanted), _EXTRAS.get(name, ""))
                for name, wanted in extras.items()
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _requirement_row(requirement: str) -> tuple[str, str]:
    wanted = Requirement(requirement)
    version = str(wanted.specifier).replace(">=", "") + " or later"
    return f"`{wanted.name}`", f"{version}, if `{wanted.marker}`" if wanted.marker else version


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


def with_project_links(page: str) -> str:
    """Return a page with its links to files of the project's root leading to their pages."""
    names = "|".join(map(re.escape, PROJECT_PAGES))
    return re.sub(
        rf"\]\(\.\./((?:\.\./)*)({names})(?=[)#])",
        lambda link: f"]({link[1]}project/{link[2].lower()}",
        page,
    )


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
    if setting.unset or (not setting.default and setting.default is not False):
        return setting.unset or ""
    text: str = yaml.safe_dump(setting.default, default_flow_style=True, sort_keys=False)
    return f"`{text.splitlines()[0]}`"


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


_WIDTH = 120  # of a line of the documentation
_FOR_DEVELOPERS = ("bench", "dev")
_EXTRAS = {
    "uv": "[faster installation](packaging.md#dependencies) of the dependencies of functions",
    "keyring": "`cache: keyring`, in the [settings](settings.md)",
    "login": "profiles of [`aws login`](../how-to/sso.md#sign-in-with-aws-login)",
    "local": "[`local`](../how-to/rehearse.md), and the fixture "
    "[`aws_local`](../how-to/testing.md)",
}
REFERENCES = {
    "tasks.md": tasks_page,
    "settings.md": settings_page,
    "sessions.md": sessions_table,
    "packaging.md": excluded_list,
    "variables.md": variables_page,
    "exit-codes.md": exit_codes_table,
    "supported.md": supported_page,
    "lambda-api.md": lambda_api_page,
}

if __name__ == "__main__":
    main()
    write_schema()
