"""Every format of `env`, run in the shell that it is for."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tasks_aws.auth.environment import exported, superfluous
from tasks_aws.auth.formats import FORMATS, Handover
from tasks_aws.auth.formats import render as render_handover
from tasks_aws.auth.values import Credentials
from tasks_aws.errors import CredentialsError
from tasks_aws.secret import Secret
from tests.strict_sts import Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

AWKWARD = 'it\'s "q" $HOME `id` \\n % ! & | ; # * ~ ü'
CHILD = f"{sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'"

# A shell, and how it is told to run a text and then a child that prints its environment.
SHELLS = {
    "bash": (["bash", "-euc"], "{text}\n{child}", "bash"),
    "zsh": (["zsh", "-fc"], "{text}\n{child}", "zsh"),
    "dash": (["dash", "-euc"], "{text}\n{child}", "sh"),
    "fish": (["fish", "--no-config", "-c"], "{text}\n{child}", "fish"),
    "xonsh": ([sys.executable, "-m", "xonsh", "--no-rc", "-c"], "{text}\n{child}", "xonsh"),
}


def awkward(text: str = AWKWARD) -> Credentials:
    return Credentials(
        access_key_id="ASIAEXAMPLE",
        secret_access_key=Secret(text),
        session_token=Secret("tok/en+=="),
        expiration=datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        account_id="123456789012",
    )


def render(name: str, credentials: Credentials, region: str) -> str:
    variables = exported(credentials, region)
    given = Handover(
        credentials=credentials,
        region=region,
        variables=variables,
        superfluous=superfluous(variables),
    )
    return render_handover(name, given)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_the_values_as_they_are(shell: str, tmp_path: Path) -> None:
    command, script, name = SHELLS[shell]
    if not shutil.which(command[0]):
        pytest.skip(f"{shell} is not installed")
    text = render(name, awkward(), "eu-central-1")

    process = subprocess.run(
        [*command, script.format(text=text, child=CHILD)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_PROFILE": "stale", "KEPT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert process.returncode == 0, process.stderr
    printed = re.search(r"\{.*\}", process.stdout)
    assert printed, process.stdout
    found = json.loads(printed[0])
    aws = {key: value for key, value in found.items() if key.startswith("AWS_")}
    assert aws == {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWKWARD,
        "AWS_SESSION_TOKEN": "tok/en+==",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CREDENTIAL_EXPIRATION": "2030-01-02T03:04:05Z",
        "AWS_ACCOUNT_ID": "123456789012",
    }
    assert found["KEPT"] == "1"


def test_fish_keeps_a_universal_variable_and_does_not_let_it_override(tmp_path: Path) -> None:
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    (tmp_path / "lines.fish").write_text(render("fish", awkward("secret"), "eu-central-1"))
    report = "echo status=$status; env | string match -r '^AWS_(?:PROFILE|REGION)=.*'"

    def fish(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["fish", "-c", script],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )

    fish("set -Ux AWS_PROFILE mine")
    refused = fish(f"source lines.fish; {report}")
    kept = fish("set -Uu AWS_PROFILE $AWS_PROFILE; echo $AWS_PROFILE")
    taken = fish(f"source lines.fish; {report}; echo $AWS_PROFILE", AWS_PROFILE="inherited")

    assert refused.stdout == "status=1\nAWS_PROFILE=mine\n"
    assert refused.stderr == (
        "The universal variable AWS_PROFILE would override the credentials. "
        "Stop exporting it: set -Uu AWS_PROFILE $AWS_PROFILE\n"
    )
    assert kept.stdout == "mine\n"
    assert taken.stdout == "status=0\nAWS_REGION=eu-central-1\nmine\n"
    assert taken.stderr == ""


def test_powershell_is_quoted_by_its_rules() -> None:
    text = render("powershell", awkward("a'b\u2019c$d`e"), "eu-central-1")

    lines = text.splitlines()
    assert "$env:AWS_SECRET_ACCESS_KEY = 'a''b\u2019\u2019c$d`e'" in lines
    assert "Remove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue" in lines


def test_cmd_is_quoted_by_its_rules() -> None:
    lines = render("cmd", awkward("a&b|c<d>^ü"), "eu-central-1").splitlines()

    assert 'set "AWS_SECRET_ACCESS_KEY=a&b|c<d>^ü"' in lines
    assert 'set "AWS_PROFILE="' in lines


@pytest.mark.parametrize("sign", ['"', "%", "!"])
def test_cmd_is_not_given_what_it_cannot_quote(sign: str) -> None:
    with pytest.raises(CredentialsError, match="AWS_SECRET_ACCESS_KEY contains a character"):
        render("cmd", awkward(f"a{sign}b"), "eu-central-1")


def test_nushell_is_quoted_by_its_rules() -> None:
    lines = render("nushell", awkward('a"b\\c$d'), "eu-central-1").splitlines()

    assert '$env.AWS_SECRET_ACCESS_KEY = "a\\"b\\\\c$d"' in lines
    assert "hide-env --ignore-errors AWS_PROFILE" in lines


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_takes_a_line_break(name: str) -> None:
    with pytest.raises(CredentialsError, match="contains a control character"):
        render(name, awkward("a\nexport EVIL=1"), "eu-central-1")


def test_dotenv_is_read_by_a_shell(tmp_path: Path) -> None:
    text = render("dotenv", awkward('a$b"c`d\\e'), "eu-central-1")

    process = subprocess.run(
        ["bash", "-c", f"set -a\n{text}\n{CHILD}"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(process.stdout)["AWS_SECRET_ACCESS_KEY"] == 'a$b"c`d\\e'


def test_ini_is_a_credentials_file() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(render("ini", awkward(), "eu-central-1"))

    assert parser["default"]["aws_secret_access_key"] == AWKWARD
    assert parser["default"]["region"] == "eu-central-1"


def test_redshift_has_both_spellings() -> None:
    credentials = awkward("se/cret")

    assert render("redshift", credentials, "x") == (
        "aws_access_key_id=ASIAEXAMPLE;aws_secret_access_key=se/cret;token=tok/en+=="
    )
    assert render("redshift-keys", credentials, "x") == (
        "ACCESS_KEY_ID 'ASIAEXAMPLE' SECRET_ACCESS_KEY 'se/cret' SESSION_TOKEN 'tok/en+=='"
    )


@pytest.mark.parametrize("name", ["redshift", "redshift-keys"])
def test_redshift_is_given_nothing_that_would_end_its_string(name: str) -> None:
    with pytest.raises(CredentialsError, match="contains a character"):
        render(name, awkward("a'; drop table x; --"), "eu-central-1")


def test_github_masks_before_it_hands_over(project: Project, sts: StrictSts, role: Role) -> None:
    file = project.home / "github_env"
    words = ["assume", "env", "--format", "github"]

    with TAINT.prints_secrets("GitHub is told what to mask"):
        result = project.run(*words, environ={"GITHUB_ENV": str(file)})

    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    key = sts.keys[variables["AWS_ACCESS_KEY_ID"]]
    TAINT.own(file, key.secret, str(key.token))  # GitHub's own file
    assert result.out.splitlines() == [f"::add-mask::{key.secret}", f"::add-mask::{key.token}"]
    assert variables["AWS_SESSION_TOKEN"] == key.token
    assert "GITHUB_ENV" in project.run(*words, code=1).err


def test_json_works_as_a_credential_process(project: Project, sts: StrictSts, role: Role) -> None:
    project.profile(
        "ours", credential_process=f"{sys.executable} -m invoke assume env --format json"
    )
    program = "import boto3; print(boto3.Session(profile_name='ours', region_name='eu-west-1')"
    program += ".client('sts').get_caller_identity()['Arn'])"

    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
    )

    assert "assumed-role/Deployer/alice" in process.stdout, process.stderr


def test_every_format_runs(project: Project, sts: StrictSts, role: Role) -> None:
    for name in set(FORMATS) - {"github"}:
        with TAINT.prints_secrets("`env` does"):
            assert re.search("ASIA", project.run("env", "--format", name).out)
