"""The user's interactive shell, with a prompt that names the role.

Nothing is written to the user's own files: the shell is started with files or a command of ours
that read those first. Every prompt is marked anew, because many are made anew each time.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .active import Active
from .identity import Identity, Origin, StsSession, WebIdentityToken
from .refresh.private_files import make_private_folder, write_private

NO_MARK = "TASKS_AWS_DISABLE_PROMPT"  # set by users who want no mark

# Inline, not a function: a user may have exported PROMPT_COMMAND, and started bash inside bash.
_BASHRC = r"""
[ -r ~/.bashrc ] && . ~/.bashrc
if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
    PROMPT_COMMAND+=('[[ $PS1 == *"@MARK@"* ]] || PS1="@MARK@$PS1"')
else
    PROMPT_COMMAND+=${PROMPT_COMMAND:+$'\n'}'[[ $PS1 == *"@MARK@"* ]] || PS1="@MARK@$PS1"'
fi
"""

# The user's .zshenv may set another ZDOTDIR; /etc/zshrc takes ours for the place of the history.
_ZSHENV = """
@RESTORE@
[[ -r ${ZDOTDIR:-$HOME}/.zshenv ]] && source ${ZDOTDIR:-$HOME}/.zshenv
__tasks_aws_zdotdir=${ZDOTDIR-}
[[ -o rcs ]] && ZDOTDIR=@OURS@
"""
_ZSHRC = """
ZDOTDIR=$__tasks_aws_zdotdir
[[ -n $ZDOTDIR ]] || unset ZDOTDIR
unset __tasks_aws_zdotdir
[[ ${HISTFILE-} == @OURS@/* ]] && HISTFILE=${ZDOTDIR:-$HOME}/${HISTFILE:t}
[[ -r ${ZDOTDIR:-$HOME}/.zshrc ]] && source ${ZDOTDIR:-$HOME}/.zshrc
__tasks_aws_mark() { [[ $PROMPT == *"@MARK@"* ]] || PROMPT="@MARK@$PROMPT" }
precmd_functions+=(__tasks_aws_mark)
"""

# The part of the prompt that is shown first: fish_prompt itself keeps $status and $pipestatus.
_FISH = """
functions -q fish_mode_prompt; and functions -c fish_mode_prompt __tasks_aws_mode_prompt
function fish_mode_prompt
    printf %s '@MARK@'
    functions -q __tasks_aws_mode_prompt; and __tasks_aws_mode_prompt
end
"""


def marked_shell(now: Active, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command of the user's shell, and the variables that it needs besides."""
    account = now.credentials.account_id or ""
    name = _name(now.request.identity) or account
    variables = {"AWS_VAULT": name}  # which prompts such as starship's show
    if os.name == "nt":
        return [environ.get("COMSPEC", "cmd.exe")], variables
    shell = environ.get("SHELL") or "/bin/sh"
    if not environ.get(NO_MARK):
        # A profile may have any name, and prompts expand what looks like a command.
        words = re.sub(r"[^\w+=,.@:/ -]", "-", " ".join(dict.fromkeys((name, account))))
        with suppress(OSError):  # no place for temporary files
            options, others = _options(shell, f"({words.strip()}) ", environ)
            return [shell, *options, "-i"], {**variables, **others}
    return [shell, "-i"], variables


def _name(identity: Identity | WebIdentityToken) -> str | None:
    """Return the name of the role, else of the profile."""
    if isinstance(identity, StsSession):
        role = identity.role_arn
        return role.rpartition("/")[2] if role else _name(identity.source)
    return identity.profile if isinstance(identity, Origin) else None


def _options(shell: str, mark: str, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the options and variables with which a shell marks its prompt, if we know how."""
    kind = Path(shell).name
    if kind == "fish":
        return ["--init-command", _FISH.replace("@MARK@", mark)], {}
    if kind not in ("bash", "zsh"):
        return [], {}
    folder = make_private_folder()
    if kind == "bash":
        rc = write_private(folder / "bashrc", _BASHRC.replace("@MARK@", mark))
        return ["--rcfile", str(rc)], {}
    before = environ.get("ZDOTDIR")
    values = {
        "@MARK@": mark,
        "@OURS@": shlex.quote(str(folder)),
        "@RESTORE@": f"ZDOTDIR={shlex.quote(before)}" if before else "unset ZDOTDIR",
    }
    for name, text in ((".zshenv", _ZSHENV), (".zshrc", _ZSHRC)):
        for word, value in values.items():
            text = text.replace(word, value)
        write_private(folder / name, text)
    return [], {"ZDOTDIR": str(folder)}
