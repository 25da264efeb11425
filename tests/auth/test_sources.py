"""Credentials that others start from are loaded without anybody noticing.

Keys of an administrator are exported in the shell, the source takes seconds, and meanwhile every
program that starts and every client that is made belongs to the role that was assumed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.packaging.support import FUNCTION
from tests.strict_sts import Key, StrictSts
from tests.support import Project
from tests.taint import TAINT

TASKS = """
SAMPLES = 500  # of each kind
import json, os, subprocess, sys, threading, time
import botocore.session
from invoke import task
from tasks_aws import *

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE")
samples = {"children": [], "variables": [], "clients": []}

def sample_children():
    script = "echo " + " ".join(f'"${name}"' for name in NAMES)
    while True:
        said = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True).stdout
        samples["children"].append(said.split())

def sample_variables():
    while True:
        samples["variables"].append([os.environ.get(name, "") for name in NAMES])
        time.sleep(0.002)

def sample_clients():
    while True:
        found = botocore.session.Session().get_credentials()
        samples["clients"].append([found.get_frozen_credentials().access_key])
        time.sleep(0.01)

@task
def sample(c):
    for each in (sample_children, sample_variables, sample_clients):
        threading.Thread(target=each, daemon=True).start()

@task
def renew(c):
    client = session(c).client("sts")
    for _ in range(3):
        client.get_caller_identity()
        time.sleep(2.2)

@task
def look(c):
    for _ in range(3):
        c.run("sh -c 'echo $AWS_ACCESS_KEY_ID' >> looked")
        time.sleep(1.5)

@task
def report(c):
    while any(len(samples[each]) < SAMPLES for each in ("children", "variables")):
        time.sleep(0.1)
    counts = {kind: len(each) for kind, each in samples.items()}
    seen = {kind: sorted(set(map(tuple, each))) for kind, each in samples.items()}
    print(json.dumps([counts, seen]))
"""
SLOW = """
import sys, time
with open(sys.argv[1], "a") as log:
    log.write("asked\\n")
time.sleep(1.5)
print(open(sys.argv[2]).read())
"""


@pytest.fixture
def admin(project: Project, sts: StrictSts) -> Key:
    """Keys of another account, exported in the shell."""
    key = sts.user_key("arn:aws:iam::999999999999:user/admin")
    project.environ |= {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_PROFILE": "admin",
        "AWS_REGION": "eu-central-1",
    }
    project.profile("admin", aws_access_key_id=key.id, aws_secret_access_key=key.secret)
    return key


@pytest.fixture
def asked(project: Project, sts: StrictSts, tmp_path: Path) -> Path:
    """A profile `slow` whose credential_process takes seconds; a file has a line for each run."""
    key = sts.user_key()
    answer, log, program = (tmp_path / name for name in ("answer", "log", "slow.py"))
    answer.write_text(
        json.dumps({"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret})
    )
    TAINT.own(answer, key.secret)
    program.write_text(SLOW)
    project.profile(
        "slow", credential_process=f"{sys.executable} {program} {log} {answer}", region="eu-west-1"
    )
    return log


COMMANDS = {
    "renewal": ["assume", "sample", "renew", "report"],
    "renewal for children": ["assume", "--keep-fresh", "sample", "look", "report"],
    "second role": ["assume", "sample", "assume", "--target", "other", "report"],
    "targets": ["assume", "sample", "caught", "report"],
    "build": ["assume", "sample", "package", "report"],
}
FAN_OUT = """
@task
def caught(c):
    try:
        plan(c, target=["one", "two"])
    except TasksAwsError as error:  # there is no Lambda
        print(error, file=sys.stderr)
"""


@pytest.mark.parametrize("work", COMMANDS)
def test_nobody_is_ever_the_user_while_a_source_is_loaded(
    project: Project, sts: StrictSts, admin: Key, asked: Path, work: str
) -> None:
    first, second = sts.role("First"), sts.role("Second")
    sts.lifetime = 3 if "renewal" in work else None
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): ...")
    function = {**FUNCTION, "Role": first.arn, "build": ["sleep 2"], "requirements": "none"}
    project.tasks(TASKS + FAN_OUT)
    project.settings(
        profile="slow",
        role_arn=first.arn,
        account_id="123456789012",
        functions={"hello": function},
        targets={name: {"role_arn": second.arn} for name in ("other", "one", "two")},
    )

    result = project.run(*COMMANDS[work], timeout=120)

    counts, samples = json.loads(result.out.splitlines()[-1])
    users = {"", admin.id, *(key.id for key in sts.keys.values() if not key.token)}
    if work == "renewal for children":
        users.remove("")  # children have no keys, but files of ours
        configs = [config for _, _, config in samples["variables"]]
        assert all(each.startswith(project.environ["TMPDIR"]) for each in configs)
    assert not {sample[0] for each in samples.values() for sample in each} & users
    assert not [sample for each in samples.values() for sample in each if "admin" in sample]
    assert len(asked.read_text().splitlines()) >= {"build": 1}.get(work, 2)
    assert min(counts["children"], counts["variables"]) >= 500
    assert counts["clients"]
