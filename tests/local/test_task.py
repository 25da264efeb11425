"""`invoke local`: a whole deploy on an AWS of its own, for any project."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.local.conftest import ACCOUNT, DEPLOYER, FUNCTION, SETTINGS
from tests.strict_sts import Role
from tests.support import TASKS, Project

OF_THE_USER = {
    "AWS_ACCESS_KEY_ID": "AKIAUSERUSERUSERUSER",
    "AWS_SECRET_ACCESS_KEY": "of-the-user",
    "AWS_SESSION_TOKEN": "of-the-user",
    "AWS_PROFILE": "gone",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9/",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
    "CPL_AWS_CREDENTIALS_FILE": "/of-the-user",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "PIP_INDEX_URL": "https://packages.example.com/simple",
}


def test_nothing_of_the_users_own_is_read_or_written(rehearsed: Project, tmp_path: Path) -> None:
    called = tmp_path / "called"
    rehearsed.profile("dev", credential_process=f"touch {called}", region="us-west-2")
    before = (rehearsed.home / ".aws" / "config").read_text()

    result = rehearsed.run("local", "assume", "whoami", "child", environ=OF_THE_USER)

    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/" in result.out
    child = rehearsed.exported(result)
    assert child["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert urlsplit(child["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1"
    assert "of-the-user" not in "".join(child.values())
    assert not [each for each in ("AWS_PROFILE", "AWS_ENDPOINT_URL_STS") if each in child]
    assert child["HOME"] == str(rehearsed.home)
    assert child["PIP_INDEX_URL"] == OF_THE_USER["PIP_INDEX_URL"]
    assert not called.exists()
    assert [path.name for path in (rehearsed.home / ".aws").iterdir()] == ["config"]
    assert (rehearsed.home / ".aws" / "config").read_text() == before


def test_everything_that_the_settings_name_is_there(rehearsed: Project) -> None:
    queue = "arn:aws:sqs:eu-central-1:${account_id}:jobs"
    role = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    schedule = {"Name": "nightly", "ScheduleExpression": "rate(1 day)", "Target": {"RoleArn": role}}
    variables = {"STAGE": "${ssm:/stage}-${cfn:Shared.Name}", "TOKEN": "${secret:api#token}"}
    rehearsed.settings(
        **SETTINGS,
        bucket="artifacts",
        mfa_serial="arn:aws:iam::111111111111:mfa/alice",
        local={"values": {"ssm:/stage": "blue", "secret:api#token": "hunter2-of-the-rehearsal"}},
        functions={
            "hello": {
                **FUNCTION,
                "alias": "live",
                "events": [{"EventSourceArn": queue}],
                "schedules": [schedule],
                "log_retention_days": 7,
                "layers": ["common"],
                "Environment": {"Variables": variables},
                "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            }
        },
        layers={"common": {"source": "src", "CompatibleRuntimes": ["python3.13"]}},
        targets={"prod": {"account_id": "2" * 12, "role_arn": f"arn:aws:iam::{'2' * 12}:role/P"}},
    )

    result = rehearsed.run("local", "deploy", "invoke", "deploy", "--target", "prod", timeout=120)

    assert json.loads(result.out) == {
        "stage": "blue-placeholder-of-cfn:Shared.Name",
        "token": "hunter2-of-the-rehearsal",
    }
    lines = [line.removeprefix("local").strip() for line in result.err.splitlines()]
    assert "MFA codes are not checked, so none is asked for" in lines
    assert "functions are in no VPC" in lines
    assert "placeholders for cfn:Shared.Name: set `aws.local.values`" in lines
    assert "create    hello  version 1" in result.err
    assert "account   222222222222, eu-central-1" in result.err


def test_what_cannot_be_made_is_named(rehearsed: Project) -> None:
    upload = {
        **{"StatementId": "up", "Action": "lambda:InvokeFunction"},
        **{"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::up"},
    }
    rehearsed.settings(**SETTINGS, functions={"hello": {**FUNCTION, "permissions": [upload]}})

    refused = rehearsed.run("local", "plan", code=1)

    assert "MiniStack could not create up (s3), which the settings name." in refused.err


def test_a_policy_without_anything_to_try_is_refused(rehearsed: Project) -> None:
    refused = rehearsed.run("local", "--reset", "--policy", "gone.json", code=1)

    assert "`--policy` has no effect after `--reset`" in refused.err


def test_a_layer_of_another_account_is_there(rehearsed: Project) -> None:
    layer = "arn:aws:lambda:eu-central-1:017000801446:layer:Powertools:3"
    rehearsed.settings(**SETTINGS, functions={"hello": {**FUNCTION, "layers": [layer]}})

    result = rehearsed.run("local", "assume", "deploy", "invoke")

    assert "layers of others are empty" in result.err
    assert '"stage"' in result.out


def test_parameters_and_secrets_may_be_named_by_their_arns(rehearsed: Project) -> None:
    parameter = f"ssm:arn:aws:ssm:eu-central-1:{ACCOUNT}:parameter/app/stage"
    secret = f"secret:arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:app/api-AbCdEf#token"
    rehearsed.settings(
        **SETTINGS,
        local={"values": {parameter: "blue", secret: "hunter2-of-the-rehearsal"}},
        functions={
            "hello": {
                **FUNCTION,
                "Environment": {
                    "Variables": {"STAGE": f"${{{parameter}}}", "TOKEN": f"${{{secret}}}"}
                },
            }
        },
    )

    result = rehearsed.run("local", "deploy", "invoke", timeout=120)

    assert json.loads(result.out) == {"stage": "blue", "token": "hunter2-of-the-rehearsal"}


@pytest.mark.parametrize("text", ["{}", '{"Statement": {"Efect": "Allow"}}'])
def test_a_policy_that_is_none_is_to_be_corrected(rehearsed: Project, text: str) -> None:
    (rehearsed.folder / "e.json").write_text(text)

    err = rehearsed.run("local", "--policy", "e.json", code=1).err

    assert "`--policy` cannot read a policy of e.json." in err
    assert "fix: Correct it, or name another file.\n" in err


def test_what_a_policy_lacks_and_the_emulator_does_not_refuse_is_in_a_warning(
    rehearsed: Project,
) -> None:
    rehearsed.settings(
        **SETTINGS, functions={"hello": {**FUNCTION, "alias": "live", "url": {"AuthType": "NONE"}}}
    )
    printed = json.loads(rehearsed.run("policy").out)
    (rehearsed.folder / "whole.json").write_text(json.dumps(printed))
    for statement in printed["Statement"]:
        actions = statement["Action"]
        for each in ("lambda:CreateFunctionUrlConfig", "lambda:UpdateAlias"):
            if each in actions:
                actions.remove(each)
        if "lambda:CreateFunction" in actions:
            statement["Resource"] = [f"{each}-of-others" for each in statement["Resource"]]
    (rehearsed.folder / "ours.json").write_text(json.dumps(printed))

    warned = rehearsed.run("local", "--policy", "ours.json").err
    silent = rehearsed.run("local", "--policy", "whole.json").err

    assert "warning" not in silent
    for each in ("CreateFunction,", "CreateFunctionUrlConfig,", "UpdateAlias,"):
        assert f" lambda:{each}" in warned


@pytest.mark.parametrize("target", ["prod", None])
def test_a_policy_is_for_the_target_that_is_tried(rehearsed: Project, target: str | None) -> None:
    other = {"role_arn": DEPLOYER.replace(ACCOUNT, "210987654321"), "account_id": "210987654321"}
    rehearsed.settings(**SETTINGS, functions={"hello": FUNCTION}, targets={"prod": other})
    named = ("--target", target) if target else ()
    printed = rehearsed.run("policy", *named).out
    (rehearsed.folder / "ours.json").write_text(printed)

    silent = rehearsed.run("local", "--policy", "ours.json", "assume", *named).err
    (rehearsed.folder / "ours.json").write_text(printed.replace("iam:PassRole", "iam:GetRole"))
    warned = rehearsed.run("local", "--policy", "ours.json", "assume", *named).err

    assert "warning" not in silent
    assert "warning   ours.json lacks iam:PassRole, which AWS refuses" in warned


def test_a_policy_of_ones_own_shows_what_it_lacks(rehearsed: Project) -> None:
    printed = json.loads(rehearsed.run("policy").out)
    for statement in printed["Statement"]:
        statement["Action"] = [
            each for each in statement["Action"] if each != "lambda:UpdateFunctionConfiguration"
        ]
    (rehearsed.folder / "ours.json").write_text(json.dumps(printed))
    (rehearsed.folder / "slow.yaml").write_text("aws: {functions: {hello: {Timeout: 9}}}")

    rehearsed.run("local", "--policy", "ours.json", "assume", "deploy")
    kept = ("local", "--keep", "--policy", "ours.json", "assume", "deploy")
    rehearsed.run(*kept)
    refused = rehearsed.run("-f", "slow.yaml", *kept, code=1)

    assert "lambda:UpdateFunctionConfiguration" in refused.err


def test_a_denial_names_the_action_that_aws_wants(rehearsed: Project) -> None:
    """MiniStack takes the removal of reserved concurrency for its being set."""
    reserving = {**FUNCTION, "ReservedConcurrentExecutions": 1}
    rehearsed.settings(**SETTINGS, functions={"hello": reserving})
    printed = json.loads(rehearsed.run("policy").out)
    for statement in printed["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if "Concurrency" not in each]
    (rehearsed.folder / "ours.json").write_text(json.dumps(printed))
    rehearsed.run("local", "--keep", "assume", "deploy")
    rehearsed.settings(
        **SETTINGS, functions={"hello": {**reserving, "ReservedConcurrentExecutions": "none"}}
    )

    refused = rehearsed.run("local", "--keep", "--policy", "ours.json", "assume", "deploy", code=1)

    _, _, told = refused.err.partition("Lambda could not update")
    assert "not authorized to perform: lambda:DeleteFunctionConcurrency " in told
    assert "PutFunctionConcurrency" not in told


def test_what_the_emulator_does_not_run_has_no_response(rehearsed: Project) -> None:
    java = {**FUNCTION, "Runtime": "java21", "alias": "live", "smoke": {"payload": {}}}
    rehearsed.settings(**SETTINGS, functions={"hello": java})

    result = rehearsed.run("local", "deploy", "invoke", code=1)

    assert "smoke     hello  version 1 not tested. The emulator does not run" in result.err
    assert "create    hello" in result.err
    assert "hello did not run." in result.err
    assert result.out == ""


def test_what_is_kept_is_there_for_the_next_command_line(rehearsed: Project) -> None:
    rehearsed.settings(**SETTINGS, functions={"hello": {**FUNCTION, "alias": "live"}})
    first = rehearsed.run("local", "--keep", "deploy", "invoke")
    url = first.err.split("MiniStack on ")[1].split(",")[0]

    kept = rehearsed.folder / ".tasks_aws" / "local"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "aws" / "credentials").stat().st_mode & 0o777 == 0o600

    second = rehearsed.run("local", "--keep", "clean", "deploy", "logs")

    assert f"MiniStack on {url}, which was kept" in second.err
    assert "hello  unchanged" in second.err
    assert "called" in second.out
    (rehearsed.folder / "src" / "app.py").write_text("def handler(event, context):\n    return 2\n")
    again = rehearsed.run("local", "--keep", "deploy", "invoke", "rollback", "invoke")
    assert again.out.splitlines()[0] == "2"
    assert json.loads(again.out.splitlines()[1])["stage"] is None

    reset = rehearsed.run("local", "--reset")

    assert "forgot what was in .tasks_aws/local" in reset.err
    assert not is_open(url)
    assert "create    hello" in rehearsed.run("local", "--keep", "deploy").err


def test_one_that_is_kept_is_joined_and_never_a_second(rehearsed: Project) -> None:
    targets = {"dev": {"region": "eu-west-1"}}
    rehearsed.settings(**SETTINGS | {"role_session_name": "${target}"}, targets=targets)
    words = ("local", "--keep", "assume", "--target", "dev")
    both = [rehearsed.start(*words) for _ in range(2)]

    told = [each.communicate(timeout=120)[1] for each in both]

    assert [each.returncode for each in both] == [0, 0]
    urls = [re.findall(r"MiniStack on (http://[\d.:]+)", each) for each in told]
    assert urls[0] == urls[1]
    assert sum("which was kept" in each for each in told) == 1
    assert "forgot" in rehearsed.run("local", "--reset").err
    assert not is_open(urls[0][0])
    assert "nothing is kept" in rehearsed.run("local", "--reset").err


@pytest.mark.parametrize("before", ["assume", "noop"])
def test_a_reset_by_another_command_line_is_told(rehearsed: Project, before: str) -> None:
    rehearsed.tasks(
        f"{TASKS}\nimport sys\nfrom tasks_aws.local import local\n"
        "@task\ndef meanwhile(c):\n    c.run(f'{sys.executable} -m invoke local --reset')\n"
    )

    result = rehearsed.run("local", "--keep", before, "meanwhile", "deploy", code=1)

    assert "The emulator that `local` started is no longer running." in result.err
    assert "`invoke local --reset` on another command line has stopped it." in result.err


def test_a_reset_under_dry_forgets_nothing(rehearsed: Project) -> None:
    rehearsed.run("local", "--keep", "deploy")

    said = rehearsed.run("--dry", "local", "--reset").err

    assert "would forget what is in .tasks_aws/local" in said
    assert json.loads(rehearsed.run("local", "--keep", "status", "--json").out)[0]["State"]


def test_after_a_reset_what_follows_runs_on_a_new_one(rehearsed: Project) -> None:
    result = rehearsed.run("local", "--reset", "assume", "whoami")

    assert ACCOUNT in result.out
    assert "MiniStack on" in result.err


def is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(urlsplit(url).port or 0))) == 0


def test_without_a_profile_the_default_chain_finds_a_user(rehearsed: Project) -> None:
    rehearsed.settings(region="eu-central-1", functions={"hello": FUNCTION})

    result = rehearsed.run("local", "whoami", "deploy", "invoke")

    assert "account  000000000000" in result.out
    assert "create    hello" in result.err


def test_clients_of_ours_send_nothing_elsewhere(rehearsed: Project) -> None:
    tasks = (rehearsed.folder / "tasks.py").read_text()
    elsewhere = 'session(c).client("sqs", endpoint_url="https://sqs.example.com").list_queues()'
    rehearsed.tasks(f"{tasks}\n@task\ndef elsewhere(c):\n    {elsewhere}\n")

    refused = rehearsed.run("local", "elsewhere", code=1)

    assert "Nothing was sent to sqs.example.com." in refused.err


def test_a_region_that_aws_may_not_have_is_named_in_a_rehearsal_too(rehearsed: Project) -> None:
    rehearsed.settings(**SETTINGS | {"region": "eu-central-9"}, functions={"hello": FUNCTION})

    said = rehearsed.run("local", "assume").err

    assert "names the region eu-central-9, which is not known" in said


def test_it_ends_what_was_assumed_before_it(rehearsed: Project) -> None:
    result = rehearsed.run("local", "assume", "local", "assume", "whoami")

    assert result.err.count("MiniStack on") == 2
    assert ACCOUNT in result.out


def test_credentials_stay_where_no_emulator_starts(
    project: Project, role: Role, tmp_path: Path
) -> None:
    (tmp_path / "ministack").mkdir()
    (tmp_path / "ministack" / "__init__.py").write_text("raise ImportError('of another version')")
    project.tasks(
        f"{TASKS}\nfrom tasks_aws.local import local\n"
        "@task\ndef attempt(c):\n"
        "    try: local(c)\n"
        "    except TasksAwsError as error: print(error.what)\n"
    )

    result = project.run("assume", "attempt", "child", environ={"PYTHONPATH": str(tmp_path)})

    assert "MiniStack did not start." in result.out
    assert project.exported(result)["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_no_shell_takes_credentials_of_the_emulator(rehearsed: Project) -> None:
    refused = rehearsed.run("local", "assume", "env", code=1)

    assert refused.out == ""
    assert "`env` prints no credentials of an embedded AWS." in refused.err


@pytest.mark.parametrize(
    ("settings", "words", "message"),
    [
        ({"functions": {"local": FUNCTION}}, ["--keep"], "want the same folder"),
        (
            {"local": {"values": {"env:STAGE": "x"}}},
            [],
            "which does not refer to a value stored in AWS",
        ),
        ({"local": {"value": {}}}, [], "Unknown setting `aws.local.value`"),
        ({}, ["--policy", "missing.json"], "Cannot read the file missing.json of `--policy`"),
        ({}, ["--policy", "invoke.yaml"], "The file invoke.yaml of `--policy` is not JSON"),
    ],
)
def test_a_mistake_is_said_before_anything_starts(
    rehearsed: Project, settings: dict[str, object], words: list[str], message: str
) -> None:
    rehearsed.settings(**SETTINGS | settings)

    refused = rehearsed.run("local", *words, "assume", code=1)

    assert message in refused.err
    assert "MiniStack on" not in refused.err
