"""Writes the pages of the reference that come from the code: ``python docs/generate.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks_aws.config.declare import Setting
from tasks_aws.config.functions import ARCHIVE_PARAMETERS, FUNCTION_KEYS, LAYER_KEYS
from tasks_aws.config.load import SECTIONS, SETTINGS
from tasks_aws.config.references import KINDS

OUTPUT = Path(__file__).parent / "reference" / "_generated"


def main() -> None:
    """Write all generated pages."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "settings.md").write_text(settings_page(), encoding="utf-8")


def settings_page() -> str:
    """Return the tables of the settings, of the keys of functions and layers, and of references."""
    functions_only = {name: FUNCTION_KEYS[name] for name in FUNCTION_KEYS if name not in LAYER_KEYS}
    sections = ((f"`{name}`", doc) for name, doc in SECTIONS.items())
    references = (
        (" or ".join(f"`{form}`" for form in forms), doc) for _, forms, doc in KINDS.values()
    )
    parts = [
        "## Settings",
        "Keys under `aws`.",
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


def _settings_table(settings: Mapping[str, Setting]) -> str:
    rows = (
        (f"`{name}`", each.parse.takes, _default(each), each.doc) for name, each in settings.items()
    )
    return _table(("Key", "Takes", "Default", "Meaning"), rows)


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


if __name__ == "__main__":
    main()
