"""Work that outlives its sessions many times, with real clocks and with AWS's own SDKs."""

from __future__ import annotations

import json
import time

import pytest

from tests.downstream.tools import TOOLS
from tests.strict_sts import Role, StrictSts
from tests.support import Project

LIFETIME = 8  # seconds; renewed in the second half of it

TASKS = """
import json, time
from concurrent.futures import ThreadPoolExecutor
from invoke import task
from tasks_aws import *

@task
def work(c, seconds):
    with ThreadPoolExecutor(9) as pool, open("programs.json") as programs:
        runs = [
            pool.submit(c.run, f"{program} {seconds}", env=environ, in_stream=False, hide="out")
            for program, environ in json.load(programs)
        ]
        client, end = session(c).client("sts"), time.monotonic() + float(seconds)
        while time.monotonic() < end:
            print("session", client.get_caller_identity()["Arn"], flush=True)
            time.sleep(0.5)
        for run in runs:
            print(run.result().stdout)
"""


@pytest.mark.parametrize(
    ("slow", "seconds"),
    [(False, 24), *(pytest.param(each, 120, marks=pytest.mark.long) for each in (False, True))],
)
def test_no_call_of_any_sdk_fails_for_expiry(
    project: Project, sts: StrictSts, role: Role, slow: bool, seconds: int
) -> None:
    sdks = [tool for tool in TOOLS if tool.work and tool.slow is slow]
    present = [tool for tool in sdks if tool.installed()]
    programs = [(tool.work, tool.environ()) for tool in present]
    (project.folder / "programs.json").write_text(json.dumps(programs))
    project.tasks(TASKS)
    sts.lifetime = LIFETIME

    began = time.monotonic()
    result = project.run("assume", "--keep-fresh", "work", str(seconds), timeout=seconds + 120)
    took = time.monotonic() - began

    calls = [line.split() for line in result.out.splitlines() if line]
    arns = {sts.keys[signer].arn if signer in sts.keys else signer for _, signer in calls}
    assert {arn.split("/")[1] for arn in arns} == {"Deployer"}
    assert len({name for name, _ in calls}) == 1 + len(present)
    # A session is used for at least half of its time, if for a second less: times are whole ones.
    assert seconds / LIFETIME < sts.count("AssumeRole") < 1 + took / (LIFETIME / 2 - 1)
    if missing := [tool.name for tool in sdks if tool not in present]:
        pytest.skip(f"passed, but without {', '.join(missing)}: not installed")
