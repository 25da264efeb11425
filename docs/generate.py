"""Write the pages of the documentation that are derived from the code and the project's files.

`conf.py` calls `main` before every build. The pages are git-ignored; each function returns one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tasks_aws

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PROJECT_PAGES = ("README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")


def main() -> None:
    """Write every generated page whose text has changed."""
    _write(DOCS / "reference" / "_generated" / "tasks.md", tasks_page())
    for name in PROJECT_PAGES:
        if (ROOT / name).exists():
            _write(DOCS / "project" / name.lower(), project_page(name))


def tasks_page() -> str:
    """Return a section for each task: its docstring and its options."""
    return "\n".join(_task_section(name) for name in sorted(tasks_aws.ns.task_names))


def project_page(name: str) -> str:
    """Return a file of the project's root, with its links leading from the project folder."""

    def adapt(link: re.Match[str]) -> str:
        target = link[1]
        if target in PROJECT_PAGES:
            return f"]({target.lower()}"
        return f"](../{target.removeprefix('docs/')}" if target.startswith("docs/") else link[0]

    return re.sub(r"\]\(([^)#]+)", adapt, (ROOT / name).read_text(encoding="utf-8"))


def _task_section(name: str) -> str:
    task: Any = tasks_aws.ns[name]
    summary, _, details = (task.__doc__ or "").partition("\n")
    lines = [f"(task-{name})=", f"## {name}", "", summary, ""]
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


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
