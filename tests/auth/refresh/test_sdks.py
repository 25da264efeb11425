"""Work that outlives its sessions many times, with real clocks and with AWS's own SDKs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project

LIFETIME = 8  # seconds; renewed in the second half of it

PYTHON = """
import sys, time
import boto3
client, end = boto3.client("sts"), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    print("boto3", client.get_caller_identity()["Arn"], flush=True)
    time.sleep(0.5)
"""

SHELL = """
end=$(($(date +%s) + $1))
while [ $(date +%s) -lt $end ]; do
  arn=$(aws sts get-caller-identity --query Arn --output text) || exit 1
  echo "aws $arn"
  sleep 1
done
"""

NODE = """
const end = Date.now() + 1000 * Number(process.argv[2]);
const pause = () => new Promise(done => setTimeout(done, 500));
async function work(name, ask) {
  while (Date.now() < end) { console.log(name, (await ask()).Arn); await pause(); }
}
const fail = error => { console.error(error); process.exit(1); };
"""

NODE_3 = f"""{NODE}
const {{STSClient, GetCallerIdentityCommand}} = require("@aws-sdk/client-sts");
const client = new STSClient({{}});
work("javascript-3", () => client.send(new GetCallerIdentityCommand({{}}))).catch(fail);
"""

NODE_2 = f"""{NODE}
const STS = require("aws-sdk/clients/sts");
const client = new STS({{endpoint: process.env.AWS_ENDPOINT_URL}});
work("javascript-2", () => client.getCallerIdentity().promise()).catch(fail);
"""

# What to run for each SDK, its program, and what tells whether it is there.
SDKS = {
    "boto3": (sys.executable, "work.py", PYTHON, [sys.executable, "-c", "import boto3"]),
    "aws": ("sh", "work.sh", SHELL, ["aws", "--version"]),
    "javascript-3": ("node", "three.js", NODE_3, ["node", "-e", 'require("@aws-sdk/client-sts")']),
    "javascript-2": ("node", "two.js", NODE_2, ["node", "-e", 'require("aws-sdk/clients/sts")']),
}

TASKS = """
import os, time
from concurrent.futures import ThreadPoolExecutor
from invoke import task
from tasks_aws import *

@task
def work(c, seconds, programs):
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(c.run, f"{program} {seconds}", in_stream=False, hide="out")
            for program in programs.split(",")
        ]
        client, end = session(c).client("sts"), time.monotonic() + float(seconds)
        while time.monotonic() < end:
            print("session", client.get_caller_identity()["Arn"], flush=True)
            time.sleep(0.5)
        for run in runs:
            print(run.result().stdout)
"""


def is_there(probe: list[str]) -> bool:
    return (
        bool(shutil.which(probe[0])) and not subprocess.run(probe, capture_output=True).returncode
    )


@pytest.mark.parametrize(
    ("way", "seconds"),
    [
        ("true", 24),
        pytest.param("endpoint", 24, marks=pytest.mark.long),
        pytest.param("true", 120, marks=pytest.mark.long),
    ],
)
def test_no_call_of_any_sdk_fails_for_expiry(
    project: Project, sts: StrictSts, role: Role, way: str, seconds: int
) -> None:
    present = [name for name, (*_, probe) in SDKS.items() if is_there(probe)]
    for name in present:
        (project.folder / SDKS[name][1]).write_text(SDKS[name][2])
    programs = ",".join(" ".join(SDKS[name][:2]) for name in present)
    project.tasks(TASKS)
    environ = {"INVOKE_AWS_KEEP_FRESH": way, "NODE_PATH": os.environ.get("NODE_PATH", "")}
    sts.lifetime = LIFETIME

    result = project.run(
        "assume", "work", str(seconds), programs, environ=environ, timeout=seconds + 60
    )

    calls = [line.split() for line in result.out.splitlines() if line]
    assert {arn.split("/")[1] for _, arn in calls} == {"Deployer"}
    assert {name for name, _ in calls} == {"session", *present}
    # A session is used for at least half of its time, if for a second less: times are whole ones.
    assert seconds / LIFETIME < sts.count("AssumeRole") < (seconds + 5) / (LIFETIME / 2 - 1)
    if len(present) < len(SDKS):
        pytest.skip(f"passed, but without {', '.join(SDKS.keys() - present)}: not installed")
