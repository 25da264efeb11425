"""Commands that talk to AWS, each with a state before it that can be made anew for every run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from botocore.exceptions import ClientError

from tests.aws_lambda.describe import HELLO, describe
from tests.conftest import EmbeddedAws
from tests.faults.faults import Call
from tests.strict_sts import StrictSts
from tests.support import Project
from tests.taint import TAINT

BUCKET = "artifacts-under-faults"
LARGE_BYTES = 9 << 20  # two parts

CODE = """
import os
import lib

def handler(event, context):
    return {{"code": "{which}", "stage": os.environ["STAGE"], "layer": lib.WHICH}}
"""


DEPLOYS = (
    *("first deploy", "deploy of changes", "deploy through S3"),
    *("deploy with another alias", "deploy that takes away"),
)
_NUMBERS = count()


class Scenario(Protocol):
    """A command, and what it has to bring about."""

    name: str
    words: tuple[str, ...]

    def prepare(self) -> None:
        """Make the state before it, and the wish for the next one."""

    def learn(self) -> None:
        """Take what there is after a run with no fault as what has to be after every run."""

    def own(self, calls: Sequence[Call]) -> Sequence[Call]:
        """Return those of its calls that no other scenario has."""

    def mixed(self) -> str:
        """Say what is neither as before nor as wished, though it has to be one of them."""

    def missing(self) -> str:
        """Say what is not as wished."""


@dataclass
class Deploying:
    """Deploys of a function with all that lies around it, from one of two states to the other.

    A first deploy is that of a new function, by someone who has no session yet. Where the
    archive goes through S3, nothing lies around the function. What is moved or taken away has been
    made before each run.
    """

    name: str  # one of DEPLOYS
    project: Project
    aws: EmbeddedAws
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    which: str = "A"
    function: str = field(default_factory=lambda: f"hello-{next(_NUMBERS)}")

    def __post_init__(self) -> None:
        self.creating, self.large = (self.name == DEPLOYS[index] for index in (0, 2))
        self.moving, self.removing = (self.name == DEPLOYS[index] for index in (3, 4))
        self.words: tuple[str, ...] = ("assume", "deploy") if self.creating else ("deploy",)
        self._lambda: Any = self.aws.functions()
        self._scheduler = self.aws.client("scheduler")
        self._logs, self._s3 = self.aws.client("logs"), self.aws.client("s3")
        client = self.aws.client("sqs")
        self.queue = client.get_queue_attributes(
            QueueUrl=client.get_queue_url(QueueName="jobs")["QueueUrl"],
            AttributeNames=["QueueArn"],
        )["Attributes"]["QueueArn"]

    def prepare(self) -> None:
        if self.creating or self.moving:  # things move only to an alias that is new
            self.forget()
            self.function = f"hello-{next(_NUMBERS)}"
        if self.creating:
            shutil.rmtree(self.project.home / ".aws" / "cli", ignore_errors=True)
        elif not self.moving:
            self.which = "B" if self.which == "A" else "A"
        if self.large:
            self._empty_bucket()
        if self.moving or self.removing:
            self.which = "A"
            self._describe()
            self.project.run("deploy", environ={"AWS_ENDPOINT_URL": self.aws.endpoint})
            if self.which not in self.expected:
                self.learn()
            self.which = "B"
        self._describe()

    @property
    def alias(self) -> str:
        """Return the alias in the settings."""
        return "other" if self.moving and self.which == "B" else "live"

    def forget(self) -> None:
        """Delete the function: a queue without jobs costs something for each that waits for it."""
        client = self._lambda
        for each in client.list_event_source_mappings()["EventSourceMappings"]:
            if f":{self.function}:" in each["FunctionArn"]:
                client.delete_event_source_mapping(UUID=each["UUID"])
        with suppress(self._scheduler.exceptions.ResourceNotFoundException):
            self._scheduler.delete_schedule(Name=self.function)
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=self.function)

    def own(self, calls: Sequence[Call]) -> Sequence[Call]:
        return [call for call in calls if BUCKET in call.line] if self.large else calls

    def learn(self) -> None:
        self.expected[self.which] = self._observed()

    def mixed(self) -> str:
        served = self._served()
        allowed = [each["served"] for each in self.expected.values()]
        if self.creating or self.moving:  # the alias is new
            allowed.append(None)
        return "" if served in allowed else f"behind the alias: {served}"

    def missing(self) -> str:
        observed, expected = self._observed(), self.expected[self.which]
        return "; ".join(
            f"{key} is {observed[key]}, not {expected[key]}"
            for key in expected
            if observed[key] != expected[key]
        )

    def _describe(self) -> None:
        which, number = self.which, 1 if self.which == "A" else 2
        source = self.project.folder / "src"
        for folder, file, text in (
            ("src", "app.py", CODE.format(which=which)),
            ("lib", "lib.py", f'WHICH = "{which}"\n'),
        ):
            (self.project.folder / folder).mkdir(parents=True, exist_ok=True)
            (self.project.folder / folder / file).write_text(text)
        if self.large:
            (self.project.folder / "src" / "lib.py").write_text("WHICH = None\n")
            (source / "large.bin").write_bytes(which.encode() + self._noise)
        answer = {"code": which, "stage": which}
        function = {
            **HELLO,
            "FunctionName": self.function,
            "MemorySize": 256 * number,
            "Environment": {"Variables": {"STAGE": which}},
            "alias": self.alias,
            "smoke": {"expect": answer},
        }
        around = {
            "layers": ["lib"],
            "keep_versions": 2,
            "Tags": {"Which": which, f"Only{which}": "1"},
            "ReservedConcurrentExecutions": number,
            "MaximumRetryAttempts": number - 1,
            "log_retention_days": 7 * number,
            "url": {"AuthType": "NONE", "Cors": {"AllowOrigins": [f"https://{which}.test"]}},
            "events": [{"EventSourceArn": self.queue, "BatchSize": number}],
            "schedules": [
                {
                    "Name": self.function,
                    "ScheduleExpression": f"rate({number} hour)",
                    "Target": {"RoleArn": "arn:aws:iam::000000000000:role/scheduler"},
                }
            ],
            "permissions": [
                {
                    "StatementId": "bucket",
                    "Action": "lambda:InvokeFunction",
                    "Principal": "s3.amazonaws.com",
                    "SourceArn": f"arn:aws:s3:::{which.lower()}",
                }
            ],
        }
        if self.removing and which == "B":
            kept = ("layers", "keep_versions")
            around = {key: value if key in kept else "none" for key, value in around.items()}
        function |= {"bucket": BUCKET} if self.large else around
        layers = {
            "lib": {
                "source": "lib",
                "CompatibleRuntimes": [HELLO["Runtime"]],
                "keep_versions": 2,
                "permissions": [{"StatementId": which, "Principal": str(number) * 12}],
            }
        }
        describe(
            self.project,
            role="everything",
            aws={"functions": {"hello": function}, "layers": {} if self.large else layers},
        )

    _noise = os.urandom(LARGE_BYTES)

    def _empty_bucket(self) -> None:
        for each in self._s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self._s3.delete_object(Bucket=BUCKET, Key=each["Key"])

    def _served(self) -> Any:
        """Return what the alias leads to: code, configuration, and what they answer."""
        client = self._lambda
        try:
            found = client.get_function(FunctionName=self.function, Qualifier=self.alias)[
                "Configuration"
            ]
        except client.exceptions.ResourceNotFoundException:
            return None
        answer = client.invoke(FunctionName=self.function, Qualifier=self.alias)
        return {
            "sha256": found["CodeSha256"],
            "memory": found["MemorySize"],
            "environment": found["Environment"],
            "answer": json.loads(answer["Payload"].read()),
        }

    def _observed(self) -> dict[str, Any]:
        client = self._lambda
        named = {"FunctionName": self.function}
        live = {**named, "Qualifier": self.alias}
        found: dict[str, Any] = {"served": self._served()}
        if self.large:
            return found
        function = client.get_function(**named)
        policy = _get(client.get_policy, **live).get("Policy", '{"Statement": []}')
        statements = json.loads(policy)["Statement"]
        mappings = client.list_event_source_mappings(EventSourceArn=self.queue)
        schedule = _get(self._scheduler.get_schedule, Name=self.function)
        newest = client.list_layer_versions(LayerName="lib")["LayerVersions"][0]["Version"]
        shared = _get(client.get_layer_version_policy, LayerName="lib", VersionNumber=newest)
        group = f"/aws/lambda/{self.function}"
        (log,) = self._logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        versions = client.list_versions_by_function(**named)["Versions"]
        return {
            **found,
            "tags": function.get("Tags"),
            "concurrency": function.get("Concurrency"),
            "retries": _get(client.get_function_event_invoke_config, **live).get(
                "MaximumRetryAttempts"
            ),
            "retention": log.get("retentionInDays"),
            "cors": _get(client.get_function_url_config, **live).get("Cors"),
            "permissions": sorted((each["Sid"], str(each["Condition"])) for each in statements),
            "events": [
                (each["BatchSize"], each["FunctionArn"].endswith(f":{self.alias}"))
                for each in mappings["EventSourceMappings"]
                if f":{self.function}:" in each["FunctionArn"]
            ],
            "schedule": schedule.get("ScheduleExpression"),
            "scheduled alias": schedule.get("Target", {}).get("Arn", "").rpartition(":")[2],
            "layer permissions": json.loads(shared["Policy"])["Statement"][0]["Principal"],
            "many versions": len(versions) > (7 if self.moving else 5),  # of one alias, or two
        }


def _get(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """Return an answer, which is empty if there is nothing."""
    try:
        answer: dict[str, Any] = call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return {}
    return answer


@dataclass
class Assuming:
    """A role, assumed by someone who has no session yet: an MFA session first, then the role."""

    project: Project
    sts: StrictSts
    name: str = "assume"
    words: tuple[str, ...] = ("assume", "whoami")

    def __post_init__(self) -> None:
        self._device, self._codes = self.sts.device(), self.project.home.parent / "codes"
        self.project.settings(
            profile="dev",
            role_arn=self.sts.role("Deployer").arn,
            mfa_serial=self._device.serial,
            mfa_session=True,
            mfa_command=f"head -n 1 {self._codes} && sed -i 1d {self._codes}",
        )

    def prepare(self) -> None:
        shutil.rmtree(self.project.home / ".aws" / "cli", ignore_errors=True)
        self._device.used.clear()
        codes = [self._device.code(step) for step in (0, 1, -1)]
        self._codes.write_text("".join(f"{code}\n" for code in codes))
        TAINT.own(self._codes, *codes)

    def learn(self) -> None:
        pass  # what there has to be is known

    def own(self, calls: Sequence[Call]) -> Sequence[Call]:
        return calls

    def mixed(self) -> str:
        broken = []
        for path in self.project.cache_files():
            try:
                json.loads(path.read_text())["Credentials"]["SessionToken"]
            except (KeyError, ValueError):
                broken.append(path.name)
        return f"broken: {broken}" if broken else ""

    def missing(self) -> str:
        found = len(self.project.cache_files())
        return "" if found == 2 else f"{found} sessions are cached, not 2"
