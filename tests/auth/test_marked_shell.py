"""`shell` marks the prompt of the user's own shell, and changes nothing else of it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_aws.auth.identity import Origin
from tasks_aws.auth.marked_shell import marked_shell
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

MARK = "(Deployer 123456789012) "
BASHRC = "alias mine='echo the-alias'\nPS1='[$?] mine> '\n"
FISH = "alias mine 'echo the-alias'\nfunction fish_prompt; echo -n \"[$status] mine> \"; end\n"
ZSHRC = "alias mine='echo the-alias'\nPROMPT='[%?] mine> '\n"


def open_shell(project: Project, name: str, *words: str) -> Any:
    """Open a shell with `invoke shell`, once its first prompt is there."""
    if not (path := shutil.which(name)):
        pytest.skip(f"{name} is not installed")
    project.environ |= {"SHELL": path, "TERM": "dumb"}
    # Without this folder, the first fish of a user reads all manual pages. Its own prompt would run
    # Git with the credentials, as every program of the user's that is started in that shell.
    (project.home / ".local/share/fish/generated_completions").mkdir(parents=True)
    if not (project.home / ".config/fish/config.fish").exists():
        write(project, {".config/fish/config.fish": FISH})
    terminal = project.terminal(*words, "shell")
    terminal.expect_exact("`exit` leaves the shell")
    return terminal


def write(project: Project, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("shell", "files"),
    [
        ("bash", {".bashrc": BASHRC}),
        ("bash", {".bashrc": f"{BASHRC}PROMPT_COMMAND='s=$?; PS1=\"[$s] mine> \";'"}),
        ("bash", {".bashrc": f"{BASHRC}PROMPT_COMMAND=('true' 'PS1=\"[\\$?] mine> \"')"}),
        ("zsh", {".zshrc": ZSHRC}),
        ("zsh", {".zshrc": f"{ZSHRC}precmd() {{ PROMPT='[%?] mine> ' }}"}),
        ("zsh", {".zshenv": "ZDOTDIR=~/zsh", "zsh/.zshrc": ZSHRC}),
        ("fish", {".config/fish/config.fish": FISH}),
    ],
    ids=["bash", "bash-anew", "bash-array", "zsh", "zsh-anew", "zsh-elsewhere", "fish"],
)
def test_the_users_own_prompt_is_marked(
    project: Project, role: Role, shell: str, files: dict[str, str]
) -> None:
    write(project, files)
    terminal = open_shell(project, shell)
    terminal.expect_exact(f"{MARK}[0] mine> ")
    terminal.sendline("mine")
    terminal.expect_exact("the-alias\r\n")
    terminal.expect_exact(f"{MARK}[0] mine> ")
    terminal.sendline("false")
    terminal.expect_exact(f"{MARK}[1] mine> ")
    terminal.sendline('true; echo "vault-$AWS_VAULT, profile-$AWS_PROFILE."')
    terminal.expect_exact("vault-Deployer, profile-.")
    terminal.sendline("exit")

    project.finish(terminal)
    assert {name: (project.home / name).read_text() for name in files} == files
    assert list(Path(project.environ["TMPDIR"]).glob("tasks-aws-*/*")) == []


def test_zsh_has_its_own_folder_and_history_again(project: Project, role: Role) -> None:
    write(project, {".zshenv": "HISTFILE=${ZDOTDIR:-$HOME}/.zsh_history\n", ".zshrc": ZSHRC})
    terminal = open_shell(project, "zsh")
    terminal.expect_exact("mine> ")
    terminal.sendline('echo "folder-${ZDOTDIR-none}, history-$HISTFILE."')

    terminal.expect_exact(f"folder-none, history-{project.home}/.zsh_history.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_name_of_a_profile_is_not_run(project: Project, sts: StrictSts, shell: str) -> None:
    key, name = sts.user_key(), "$(touch pwned)`touch pwned`%d'\""
    project.profile(
        "quoted", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-west-1"
    )
    config = project.home / ".aws" / "config"
    config.write_text(
        config.read_text().replace("[profile quoted]", f"[profile {shlex.quote(name)}]")
    )
    project.settings(profile=name)
    terminal = open_shell(project, shell)

    terminal.expect_exact("(--touch pwned--touch pwned--d-- 111111111111) ")

    assert not (project.folder / "pwned").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_mark_can_be_left_out(project: Project, role: Role, shell: str) -> None:
    write(project, {".bashrc": BASHRC, ".zshrc": ZSHRC, ".config/fish/config.fish": FISH})
    project.environ["TASKS_AWS_DISABLE_PROMPT"] = "1"
    terminal = open_shell(project, shell)

    terminal.expect_exact("[0] mine> ")

    assert MARK not in terminal.before


def test_a_shell_that_we_cannot_mark_is_the_users(project: Project, role: Role) -> None:
    project.environ["PS1"] = "$ "
    terminal = open_shell(project, "sh")
    terminal.expect_exact("$ ")
    terminal.sendline("echo vault-$AWS_VAULT.")

    terminal.expect_exact("vault-Deployer.")


def test_without_a_role_the_mark_is_the_profile(project: Project, user: Key) -> None:
    project.settings(profile="dev")

    open_shell(project, "bash").expect_exact("(dev 111111111111) ")


@pytest.mark.parametrize(
    ("variables", "shell"), [({"COMSPEC": r"C:\cmd.exe"}, r"C:\cmd.exe"), ({}, "cmd.exe")]
)
def test_on_windows_it_is_the_command_interpreter(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], shell: str
) -> None:
    identity = Origin(profile="dev", identity=(), long_term=False)
    now: Any = SimpleNamespace(
        credentials=SimpleNamespace(account_id="123456789012"),
        request=SimpleNamespace(identity=identity),
    )
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        command = marked_shell(now, variables)

    assert command == ([shell], {"AWS_VAULT": "dev"})
