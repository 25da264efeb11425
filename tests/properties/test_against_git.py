"""What the rules of an ignore file leave out is what git itself leaves out."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks_aws.packaging.ignore_rules import IgnoreRules, read_patterns
from tests.properties import sandbox

if not shutil.which("git"):
    pytest.skip("git is not installed", allow_module_level=True)

Tree = dict[str, Any]  # names, with the tree of a folder and None for a file

NAMES = (
    *("a", "b", "ab", "aab", "a.py", "b.py", ".env"),
    *("a b", "[a]", "!a", "#a", "a-b", "A1", "a\\"),
)
IDIOMS = (
    *("*", "!*/", "!*.py", "!a", "a/", "/a", "!/a/", "**/a", "a/**", "!a/**", "a/**/b", "**"),
    *("/*", "!/a", "*.py", "!*/a.py", "a/*", "!a/*", "a/*/", "a/**/", "!**/"),
    *("\ufeff*.py", "a\r", "b  ", "!"),
)
PIECES = (
    *("a", "b", "ab", "x", "A1", ".py", ".env", "-", " ", "#", "\t", "!", "/", "\\", "\\*", "\\a"),
    *("*", "**", "***", "?", "**/", "/**", "[", "]", "[ab]", "[!a]", "[^b]", "[a-b]", "[]a]"),
    *("[a-]", "[b-a]", "[!]]", "[]-a]", "[--9]", "[a/b]", "[\\]a]", "[:a]", "[[:a]", "[[:foo:]]"),
    *("[[:alpha:]]", "[[:digit:]1]", "[![:punct:]]"),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.none(),
    lambda below: st.dictionaries(st.sampled_from(NAMES), below, max_size=4),
    max_leaves=9,
).map(lambda made: made or {"a": {"b": None, "a.py": None}, "b": None})
PATTERNS = st.sampled_from(IDIOMS) | st.builds(
    "{}{}".format,
    st.sampled_from(["", "!"]),
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
)
CASES = st.tuples(TREES, st.lists(PATTERNS, min_size=1, max_size=5))
# Against its documentation, git took the asterisks in `a**/b` for folders, as in `a/**/b`, until it
# was mended (2.39 still does, 2.55 no longer).
FORMER_FAULT = re.compile(r"[^*?\[\\]*[^*?\[\\/]\*\*")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder in a repository each time."""
    repository = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    return (repository / str(number) for number in count())


@given(st.lists(CASES, min_size=20, max_size=40))
@example([({"a": {"a.py": None, "b": None}, "b.py": None}, ["*", "!*/", "!*.py"])])
@example([({"a": {"b": None}, "ab": None}, ["a**/b"])])
def test_what_is_left_out_is_what_git_leaves_out(
    folders: Iterator[Path], cases: list[tuple[Tree, list[str]]]
) -> None:
    root = next(folders)
    if has_former_fault(root):
        without = [(tree, [p for p in ps if not FORMER_FAULT.match(p)]) for tree, ps in cases]
        cases = [(tree, patterns) for tree, patterns in without if patterns]
    for number, (tree, patterns) in enumerate(cases):
        folder = root / str(number)
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_bytes("\n".join(patterns).encode())
        for name, is_folder in list_names(tree):
            if is_folder:  # git looks at what is there, and takes the rest for files
                (folder / name).mkdir()

    ignored = ask_git(
        root, [f"{n}/{name}" for n, (tree, _) in enumerate(cases) for name, _ in list_names(tree)]
    )

    for number, (tree, patterns) in enumerate(cases):
        rules = IgnoreRules(read_patterns(root / str(number) / ".gitignore"))
        kept = {name for name, _ in list_names(tree) if f"{number}/{name}" not in ignored}
        assert set(walk(tree, rules)) == kept, (patterns, tree)
    sandbox.examples += len(cases)


def has_former_fault(root: Path) -> bool:
    folder = root / "fault"
    folder.mkdir(parents=True)
    (folder / ".gitignore").write_text("a**/b")
    return "fault/ab" in ask_git(root, ["fault/ab"])


def ask_git(folder: Path, names: list[str]) -> set[str]:
    """Return those of the names that git ignores."""
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=folder,
        env={"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
        input="\0".join(names),
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode in (0, 1), asked.stderr  # 1: none
    return set(asked.stdout.split("\0"))


def list_names(tree: Tree, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yield all names below a folder, and whether they are of folders."""
    for name, below in tree.items():
        yield prefix + name, below is not None
        yield from list_names(below or {}, f"{prefix}{name}/")


def walk(tree: Tree, rules: IgnoreRules, prefix: str = "") -> Iterator[str]:
    """Yield the names that the rules keep."""
    for name, below in tree.items():
        whole = f"{prefix}{name}" if below is None else f"{prefix}{name}/"
        if not rules.decide(whole):
            yield whole.rstrip("/")
            yield from walk(below or {}, rules, whole)
