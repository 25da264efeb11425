"""The role of the proof: it may do what `policy` has printed, and nothing else."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from tasks_aws.local.differences import for_ministack
from tests import taint
from tests.aws_lambda.describe import describe, write_source
from tests.conftest import EmbeddedAws
from tests.enforcing import EnforcingProxy
from tests.local_aws import ACCOUNT, policy
from tests.policy_proof.scenarios import ROLE, Step, make_what_is_referred_to
from tests.quick_aws import start_quick_aws
from tests.support import Project
from tests.warm import Ended, Warm

LARGE_BYTES = 9 << 20  # which go through a bucket, in two parts


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The URL of MiniStack, without its pauses."""
    with mock.patch.dict(os.environ, taint.recording()):
        server = start_quick_aws()
    try:
        yield server.url
    finally:
        server.stop()


@dataclass
class Deployer:
    """A project, and a role whose policies MiniStack and the proxy before it enforce."""

    project: Project
    aws: EmbeddedAws
    proxy: EnforcingProxy
    warm: Warm

    def prepare(self, step: Step) -> list[dict[str, Any]]:
        """Write the settings and the code of a step; return what `policy` prints for it."""
        write_source(self.project, f"def handler(event, context):\n    return {step.code}\n")
        library = self.project.folder / "lib" / "lib.py"
        library.parent.mkdir(exist_ok=True)
        library.write_text(f"WHICH = {step.code}\n")
        if "bucket" in step.function:
            large = self.project.folder / "src" / "large.bin"
            large.write_bytes(random.Random(step.code).randbytes(LARGE_BYTES))
        describe(self.project, role="printed", aws=step.aws)
        step.before(self.aws)
        printed = self.run("policy", "--task", step.task)
        assert printed.code == 0, printed.err
        found = json.loads(printed.out)
        return found if isinstance(found, list) else [found]

    def allow(self, policies: Iterable[dict[str, Any]]) -> None:
        """Give the role these policies alone."""
        self.proxy.policies = [*policies]
        there = for_ministack(self.proxy.policies)
        self.aws.client("iam").put_role_policy(
            RoleName="printed",
            PolicyName="printed",
            PolicyDocument=policy(*(one for each in there for one in each["Statement"])),
        )

    def run(self, *words: str) -> Ended:
        """Run a command line."""
        self.proxy.refused.clear()
        self.proxy.withheld.clear()
        return self.warm.start(words, self.project.folder, self.project.environ).wait(60)


@pytest.fixture
def deployer(project: Project, aws: EmbeddedAws, warm: Warm) -> Iterator[Deployer]:
    """A deployer, and all that settings refer to."""
    iam = aws.client("iam")
    user = f"arn:aws:iam::{ACCOUNT}:user/developer"
    trust = policy({"Action": "sts:AssumeRole", "Principal": {"AWS": user}})
    iam.create_role(RoleName="printed", AssumeRolePolicyDocument=trust)
    may_assume = policy({"Action": "sts:AssumeRole", "Resource": f"{ROLE}/printed"})
    iam.put_user_policy(UserName="developer", PolicyName="printed", PolicyDocument=may_assume)
    make_what_is_referred_to(aws)
    proxy = EnforcingProxy(aws.endpoint)
    with proxy:
        project.environ["AWS_ENDPOINT_URL"] = proxy.url
        yield Deployer(project, aws, proxy, warm)
