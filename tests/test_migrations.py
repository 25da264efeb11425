"""The pages on migrations: the settings say what the other tool's did, and deploy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks_aws.aws_lambda.schema import make_schema
from tests.documents import ROOT, blocks, section, text
from tests.strict_sts import StrictSts
from tests.support import Project
from tests.wheels import make_wheel, offline

PAGE = ROOT / "docs" / "how-to" / "migrate.md"
SCRIPT = ROOT / "docs" / "how-to" / "migrate-script.md"
GULP = "Replace the gulp tasks, too"
Values = dict[str, Any]

HANDLER = "def handler(event, context):\n    return 'migrated'\n"
# Takes the place of the library, which has to be called with the application.
APIG_WSGI = """
def make_lambda_handler(app):
    assert app is not None
    return lambda event, context: app({}, print)
"""
SOURCES: dict[str, dict[str, str]] = {
    "Serverless Framework": {"src/app.py": HANDLER},
    "AWS SAM": {"src/app.py": HANDLER},
    "Chalice": {
        "app.py": "from chalicelib import answer\n\ndef orders(event, context): return answer\n",
        "chalicelib/__init__.py": "answer = 'migrated'\n",
    },
    "Zappa": {
        "src/app.py": "def app(environ, start_response): return 'migrated'\n",
        "src/requirements.txt": "apig-wsgi==1.0\n",
    },
    "lambroll": {"src/app.py": HANDLER},
    GULP: {"src/index.js": "exports.handler = async () => 'migrated'\n"},
}


def ours(tool: str) -> Values:
    """Return the one function of the settings, with its defaults and the region."""
    found = (yaml.safe_load(block) for block in blocks("yaml", section(tool, PAGE)))
    (aws,) = (each["aws"] for each in found if "aws" in each)
    (function,) = aws["functions"].values()
    return {"region": aws["region"], **aws.get("function_defaults", {}), **function}


def theirs(tool: str) -> Any:
    """Return the other tool's configuration."""
    if found := blocks("json", section(tool, PAGE)):
        return json.loads(found[0])
    return yaml.safe_load(blocks("yaml", section(tool, PAGE))[0])


def of_serverless(config: Any) -> Values:
    provider, function = config["provider"], config["functions"]["orders"]
    source, _, handler = function["handler"].rpartition("/")
    queue = function["events"][0]["sqs"]
    return {
        "FunctionName": f"{config['service']}-${{target:-dev}}-orders",
        "source": source,
        "Handler": handler,
        "Role": provider["iam"]["role"],
        "Runtime": provider["runtime"],
        "MemorySize": provider["memorySize"],
        "Timeout": provider["timeout"],
        "log_retention_days": provider["logRetentionInDays"],
        "region": provider["region"],
        "url": {"AuthType": "NONE"},
        "events": [{"EventSourceArn": queue["arn"], "BatchSize": queue["batchSize"]}],
        "exclude": [
            each.removeprefix(f"!{source}/").removesuffix("**")
            for each in config["package"]["patterns"]
        ],
        "Environment": {"Variables": {"STAGE": "${target:-dev}", "TABLE": "${env:TABLE:-orders}"}},
    }


def of_sam(config: Any) -> Values:
    (resource,) = config["Resources"].values()
    properties = resource["Properties"]
    queue, nightly = (each["Properties"] for each in properties["Events"].values())
    same = ("Handler", "Role", "Environment")
    return {
        **config["Globals"]["Function"],
        **{key: properties[key] for key in same},
        "source": properties["CodeUri"].rstrip("/"),
        "region": "eu-central-1",
        "alias": properties["AutoPublishAlias"],
        "canary": re.sub(
            r"Canary(\d+)Percent(\d+)Minutes",
            r"\1% for \2m",
            properties["DeploymentPreference"]["Type"],
        ),
        "url": properties["FunctionUrlConfig"],
        "events": [{"EventSourceArn": queue["Queue"], "BatchSize": queue["BatchSize"]}],
        "schedules": [
            {
                "Name": nightly["Name"],
                "ScheduleExpression": nightly["ScheduleExpression"],
                "Target": {"RoleArn": nightly["RoleArn"]},
            }
        ],
    }


def of_chalice(config: Any) -> Values:
    ((stage, values),) = config["stages"].items()
    return {
        "FunctionName": f"{config['app_name']}-{stage}-orders",
        "source": ["app.py", {"chalicelib": "chalicelib"}],
        "Handler": "app.orders",
        "Runtime": "python3.13",  # the one that runs Chalice
        "Role": config["iam_role_arn"],
        "MemorySize": config["lambda_memory_size"],
        "Timeout": config["lambda_timeout"],
        "Environment": {"Variables": values["environment_variables"]},
        "region": "eu-central-1",
    }


def of_zappa(config: Any) -> Values:
    ((stage, values),) = config.items()
    return {
        "FunctionName": f"{values['project_name']}-{stage}",
        "source": "src",
        "Handler": "lambda_function.handler",
        "Role": values["role_arn"],
        "Runtime": values["runtime"],
        "MemorySize": values["memory_size"],
        "Timeout": values["timeout_seconds"],
        "Environment": {"Variables": values["aws_environment_variables"]},
        "exclude": [f"{each}/" for each in values["exclude"]],
        "region": values["aws_region"],
        "url": {"AuthType": "NONE"},
    }


def of_lambroll(config: Any) -> Values:
    templates = json.dumps({key: config[key] for key in config if key != "FunctionName"})
    templates = re.sub(r"\{\{ env `(\w+)` `(\w+)` \}\}", r"${env:\1:-\2}", templates)
    templates = re.sub(r"\{\{ ssm `([\w/]+)` \}\}", r"${ssm:\1}", templates)
    return {
        **json.loads(templates),
        "source": "src",
        "alias": "current",
        "region": "eu-central-1",
    }


TOOLS: dict[str, Callable[[Any], Values]] = {
    "Serverless Framework": of_serverless,
    "AWS SAM": of_sam,
    "Chalice": of_chalice,
    "Zappa": of_zappa,
    "lambroll": of_lambroll,
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_settings_say_what_those_of_the_other_tool_say(tool: str) -> None:
    assert TOOLS[tool](theirs(tool)) == ours(tool)


@pytest.mark.parametrize("tool", SOURCES)
def test_the_settings_that_take_the_place_of_another_tools_deploy(
    project: Project, tmp_path: Path, tool: str
) -> None:
    if tool == GULP and not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    part = section(tool, PAGE, SCRIPT)
    (settings,) = (each for each in blocks("yaml", part) if "\naws:\n" in each)
    (project.folder / "invoke.yaml").write_text(settings)
    files = {**SOURCES[tool], **dict(files_of(part))}
    for name, content in files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(content)
    wheel = {"apig_wsgi.py": APIG_WSGI}
    make_wheel(tmp_path / "wheels", "apig_wsgi", tag="py3-none-any", files=wheel)
    project.environ.update(offline(tmp_path / "wheels"))
    project.tasks("from tasks_aws import *\nfrom tasks_aws.local import local\n")

    project.run("settings", "--check")
    result = project.run("local", "assume", "deploy", "invoke")

    assert json.loads(result.out) == "migrated"


def files_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the files of Python on a page, by the paths in their first lines."""
    for block in blocks("py", text):
        path = re.match(r"# (\S+\.py)\n", block)
        assert path
        yield path[1], block


def test_the_tables_name_settings_and_tasks_that_exist() -> None:
    schema = make_schema()["$defs"]
    known = {
        *schema["aws"]["properties"],
        *schema["function"]["properties"],
        *("invoke", "jq", "assume", "deploy", "creds=$(invoke", "redshift(c)"),  # commands
        *("invoke.yaml", "package.json", "requirements.txt"),
    }
    rows = re.findall(r"^\| .* \| (.*) \|$", text(PAGE) + text(SCRIPT), re.MULTILINE)
    named = [each for row in rows for each in re.findall(r"`([^`]+)`", row)]
    words = {re.split(r"[: ]", each)[0] for each in named if not each.startswith(("$", "-", "."))}

    assert len(words) > 30
    assert words - known == set()


# ---- the shell script


def test_the_settings_make_the_call_of_the_script(
    project: Project, sts: StrictSts, tmp_path: Path
) -> None:
    key, device = sts.user_key(), sts.device()
    sts.role("Deployer", mfa=True)
    project.profile(
        "dev",
        region="eu-central-1",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
    )
    if not shutil.which("jq"):
        pytest.skip("jq is not installed")
    (script,) = blocks("bash", text(SCRIPT))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "npx").write_text(
        '#!/bin/sh\ntest "$*" = "gulp deploy" && echo "gulp has $AWS_ACCESS_KEY_ID in $AWS_REGION"'
    )
    (programs / "npx").chmod(0o755)
    (programs / "cli.py").write_text(AWS_CLI)
    # A function, and words on standard input: the code of the script is on no command line here.
    (programs / "aws.sh").write_text(
        f"aws() {{ printf '%s\\n' \"$@\" | '{sys.executable}' '{programs}/cli.py'; }}\n"
    )
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"
    environ = {**project.environ, "BASH_ENV": str(programs / "aws.sh")}
    before = subprocess.run(
        ["bash", "-c", script],
        cwd=project.folder,
        env=environ,
        input=f"{device.code()}\n",
        capture_output=True,
        text=True,
    )
    assert before.returncode == 0, before.stderr
    section_ = section("Keep the program, replace the rest", SCRIPT)
    (project.folder / "invoke.yaml").write_text(blocks("yaml", section_)[0])
    project.tasks(blocks("python", section_)[0])

    terminal = project.terminal("publish")
    terminal.expect("MFA code for .*: ")
    terminal.sendline(device.code(1))
    after = project.finish(terminal)

    of_script, of_settings = (params for name, params in sts.calls if name == "AssumeRole")
    assert {**of_settings, "TokenCode": ""} == {**of_script, "TokenCode": ""}
    for printed in (before.stdout, after):
        assert re.search(r"gulp has ASIA\w+ in eu-central-1", printed)


def test_every_task_that_the_page_calls_is_imported_by_its_tasks_py() -> None:
    page = text(SCRIPT)
    imported = re.findall(r"^from tasks_aws import (.*)$", page, re.MULTILINE)[0].split(", ")

    called = re.findall(r"\binvoke (?:assume )?(\w+)", page)

    assert sorted({*called, "assume"}) == sorted(imported)


# As much of the AWS CLI as the script uses.
AWS_CLI = """
import argparse, json, sys, boto3
parser = argparse.ArgumentParser()
parser.add_argument("words", nargs="*")
parser.add_argument("--profile")
names = ["role-arn", "role-session-name", "serial-number", "token-code", "duration-seconds"]
for name in names:
    parser.add_argument(f"--{name}", required=True)
options = parser.parse_args(sys.stdin.read().splitlines())
assert options.words == ["sts", "assume-role"]
parameters = {
    "".join(map(str.capitalize, name.split("-"))): getattr(options, name.replace("-", "_"))
    for name in names
}
parameters["DurationSeconds"] = int(parameters["DurationSeconds"])
answer = boto3.Session(profile_name=options.profile).client("sts").assume_role(**parameters)
print(json.dumps({"Credentials": answer["Credentials"]}, default=str))
"""


def test_the_settings_that_take_the_place_of_gulp_say_what_its_configuration_says() -> None:
    replaced = section(GULP, SCRIPT)
    config = dict(re.findall(r"^  (\w+): (.*),$", blocks("js", replaced)[0], re.MULTILINE))
    event = dict(re.findall(r'(\w+): (".*?"|\d+)', config.pop("eventSource")))
    aws = yaml.safe_load(blocks("yaml", replaced)[0])["aws"]
    ((name, function),) = aws["functions"].items()

    values = {key: json.loads(value) for key, value in config.items()}
    assert name == values.pop("functionName")
    assert aws["region"] == values.pop("region")
    assert function == {
        "source": "src",
        **{key[0].upper() + key[1:]: value for key, value in values.items()},
        "events": [{key: json.loads(value) for key, value in event.items()}],
    }
