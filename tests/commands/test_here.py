"""`invoke --here` runs a package on this machine as Lambda would, and prints as `invoke` does."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.packaging.natives import this_machine
from tests.aws_lambda.describe import CODE, describe
from tests.conftest import REGION, EmbeddedAws
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

PYTHON = f"python3.{sys.version_info[1]}"
ECHO = "def handler(event, context):\n    return event\n"


def node_version() -> str:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    return done.stdout[1:].partition(".")[0]


NODE = f"nodejs{node_version()}.x"


@pytest.fixture
def deployer(project: Project, sts: StrictSts, user: Key) -> Role:
    """The role that functions run as."""
    return sts.role("Deployer")


def write(
    project: Project,
    role: Role,
    files: dict[str, str],
    *,
    aws: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Write the function `hello` and its settings."""
    described = {**write_source(project, "src", files), **changes}
    settings = {"functions": {"hello": described}, **(aws or {})}
    project.settings(profile="dev", role_arn=role.arn, **settings)


def write_each(project: Project, role: Role, sources: list[dict[str, str]], **changes: Any) -> None:
    """Write several functions, whose answers come in this order."""
    functions = {
        f"f{number}": {**write_source(project, f"src{number}", files), **changes}
        for number, files in enumerate(sources)
    }
    project.settings(profile="dev", role_arn=role.arn, functions=functions)


def write_source(project: Project, source: str, files: dict[str, str]) -> dict[str, Any]:
    """Write the files of a function, and return its settings."""
    for name, text in files.items():
        path = project.folder / source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {
        "source": source,
        "Handler": "app.handler",
        "Runtime": PYTHON if "app.py" in files else NODE,
        "Role": "arn:aws:iam::123456789012:role/hello",
    }


def here(project: Project, *words: str) -> Any:
    """Return what the function responds."""
    return json.loads(project.run("invoke", "--here", *words).out)


def test_the_package_runs_and_the_response_and_the_log_are_apart(
    project: Project, deployer: Role
) -> None:
    code = "def handler(event, context):\n    print('the log')\n    return {'got': event}\n"
    write(project, deployer, {"app.py": code}, MemorySize=512)

    result = project.run("invoke", "--here", "--payload", '{"a": [1, "ü"]}')

    assert json.loads(result.out) == {"got": {"a": [1, "ü"]}}
    assert re.search(
        r"^START RequestId: (\S+) Version: \$LATEST\nthe log\nEND RequestId: \1\n"
        r"REPORT RequestId: \1\tDuration: [\d.]+ ms\tMemory Size: 512 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms$",
        result.err,
        re.MULTILINE,
    )


def test_what_is_not_packaged_cannot_be_imported(project: Project, deployer: Role) -> None:
    code = "import sys\nname = 'inv' + 'oke'\n__import__(name)\n"
    write(project, deployer, {"app.py": f"{code}{ECHO}"})

    result = project.run("invoke", "--here", code=1)

    assert json.loads(result.out) | {"requestId": ""} == {
        "errorMessage": "Unable to import module 'app': No module named 'invoke'",
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }
    assert "hello failed: Unhandled." in result.err


def test_the_sdk_of_the_runtime_is_there_and_acts_as_the_role(
    project: Project, aws: EmbeddedAws
) -> None:
    code = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('sts').get_caller_identity()['Arn']\n"
    )
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text(code)
    describe(project, Runtime=PYTHON)

    assert ":assumed-role/deployer/" in here(project)


def test_the_variables_are_those_of_lambda_and_of_the_function_alone(
    project: Project, deployer: Role
) -> None:
    code = (
        "import os\n"
        "def handler(event, context):\n"
        "    return {k: v for k, v in os.environ.items() if 'SECRET' not in k and 'TOKEN' not in k}"
    )
    write(
        project,
        deployer,
        {"app.py": code},
        Environment={"Variables": {"STAGE": "test", "TZ": "Asia/Tokyo"}},
        LoggingConfig={"LogGroup": "/hello"},
    )
    project.environ |= {"OF_THE_USER": "1", "AWS_PROFILE": "dev", "HTTPS_PROXY": "http://proxy"}
    project.environ["NO_PROXY"] = "*"

    found = here(project)

    assert found["STAGE"] == "test"
    assert found["TZ"] == "Asia/Tokyo"
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == REGION
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "hello"
    assert found["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "/hello"
    assert found["_HANDLER"] == "app.handler"
    assert found["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{PYTHON}"
    assert found["HTTPS_PROXY"] == "http://proxy"  # how AWS is reached from here
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert found["HOME"] != str(project.home)
    assert found.keys().isdisjoint({"OF_THE_USER", "AWS_PROFILE", "USER", "TASKS_AWS_REQUEST"})


def test_the_session_is_masked_in_the_log(project: Project, deployer: Role) -> None:
    code = (
        "import os\n"
        "def handler(event, context):\n"
        "    print(os.environ['AWS_SECRET_ACCESS_KEY'], os.environ['AWS_SESSION_TOKEN'])\n"
    )
    write(project, deployer, {"app.py": code})

    assert "\n*** ***\n" in project.run("invoke", "--here").err


def test_the_context_is_that_of_lambda(project: Project, deployer: Role) -> None:
    code = (
        "def handler(event, context):\n"
        "    return [context.function_name, context.memory_limit_in_mb, context.function_version,\n"
        "            context.invoked_function_arn, context.client_context.custom,\n"
        "            context.identity.cognito_identity_id, context.log_group_name,\n"
        "            6000 < context.get_remaining_time_in_millis() <= 7000]\n"
    )
    write(project, deployer, {"app.py": code}, Timeout=7, FunctionName="hello-7")

    assert here(project, "--client-context", '{"custom": {"a": 1}}') == [
        "hello-7",
        "128",
        "$LATEST",
        f"arn:aws:lambda:{REGION}:123456789012:function:hello-7",
        {"a": 1},
        None,
        "/aws/lambda/hello-7",
        True,
    ]


def test_an_error_has_the_type_the_message_and_the_lines_of_the_function(
    project: Project, deployer: Role
) -> None:
    code = "def handler(event, context):\n    raise ValueError('no such thing')\n"
    write(project, deployer, {"app.py": code})

    result = project.run("invoke", "--here", code=1)

    answer = json.loads(result.out)
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "no such thing")
    (line,) = answer["stackTrace"]
    assert 'app.py", line 2, in handler\n' in line
    assert "[ERROR] ValueError: no such thing\nTraceback (most recent call last):\n" in result.err


ENDS = [
    ("import os; os._exit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
    ("raise SystemExit", "Runtime.ExitError", "Runtime exited without providing a reason"),
    ("import os; os.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: 9"),
    ("return {1, 2}", "Runtime.MarshalError", "Unable to marshal response"),
    ("return 'x' * 7_000_000", "Function.ResponseSizeTooLarge", "exceeded maximum"),
]


def test_other_ends_are_as_on_lambda(project: Project, deployer: Role) -> None:
    codes = [{"app.py": f"def handler(event, context):\n    {code}\n"} for code, *_ in ENDS]
    write_each(project, deployer, codes)

    answers = project.run("invoke", "--here", code=1).out.splitlines()

    for answer, (_, kind, message) in zip(map(json.loads, answers), ENDS, strict=True):
        assert answer["errorType"] == kind
        assert message in answer["errorMessage"]


def test_a_function_that_takes_too_long_is_killed_with_all_that_it_started(
    project: Project, deployer: Role, tmp_path: Path
) -> None:
    code = (
        "import subprocess, time\n"
        "time.sleep(1.2)  # before the handler is called, no time counts\n"
        "def handler(event, context):\n"
        f"    child = subprocess.Popen(['sleep', '600'])\n"
        f"    open('{tmp_path}/pid', 'w').write(str(child.pid))\n"
        "    print('begun')\n"
        "    child.wait()\n"
    )
    write(project, deployer, {"app.py": code}, Timeout=1)

    result = project.run("invoke", "--here", code=1)

    assert json.loads(result.out)["errorType"] == "Sandbox.Timedout"
    assert json.loads(result.out)["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert "\nbegun\n" in result.err
    assert re.search(r"Duration: 10\d\d\.\d\d ms\tMemory Size: 128 MB\tMax Memory", result.err)
    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_and_no_file(
    project: Project, deployer: Role, tmp_path: Path, number: int
) -> None:
    pid = tmp_path / "pid"
    code = (
        "import os, time\n"
        "def handler(event, context):\n"
        f"    open('{pid}.new', 'w').write(str(os.getpid()))\n"
        f"    os.rename('{pid}.new', '{pid}')\n"
        "    time.sleep(600)\n"
    )
    write(project, deployer, {"app.py": code}, Timeout=900)

    running = project.start("invoke", "--here")
    while not pid.exists():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(number)
    _, err = running.communicate(timeout=20)

    assert running.returncode == 128 + number
    assert "Traceback" not in err
    assert is_gone(int(pid.read_text()))
    assert [*Path(project.environ["TMPDIR"]).glob("tasks-aws-here-*")] == []


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and ") Z " in status.read_text():
            return True
        time.sleep(0.05)
    return False


def test_layers_are_where_lambda_has_them_the_later_ones_on_top(
    project: Project, deployer: Role
) -> None:
    for layer in ("first", "second"):
        folder = project.folder / layer
        folder.mkdir()
        (folder / "common.py").write_text(f"NAME = '{layer}'\n")
        (folder / f"{layer}.py").write_text("")
    code = (
        "import common, first, second\n"
        "def handler(event, context):\n    return common.NAME, common.__file__.split('/')[-3:]\n"
    )
    layers = {
        name: {"source": name, "CompatibleRuntimes": [PYTHON]} for name in ("first", "second")
    }
    write(project, deployer, {"app.py": code}, aws={"layers": layers}, layers=["first", "second"])

    assert here(project) == ["second", ["opt", "python", "common.py"]]


def test_several_functions_run_at_once_and_one_that_fails_hides_no_other(
    project: Project, deployer: Role
) -> None:
    bad = {"app.py": "def handler(event, context): 1 / 0\n"}
    write_each(project, deployer, [bad, {"app.py": ECHO}])

    result = project.run("invoke", "--here", "--payload", "1", code=1)

    first, second = result.out.splitlines()
    assert json.loads(first)["errorType"] == "ZeroDivisionError"
    assert second == "1"
    assert "1 of 2 functions failed." in result.err


def test_references_are_resolved_as_deploy_resolves_them(
    project: Project, aws: EmbeddedAws
) -> None:
    TAINT.collect("hunter2-hunter2")
    aws.client("ssm").put_parameter(Name="/stage", Value="from-ssm", Type="String")
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text(CODE)
    describe(
        project,
        role="everything",
        Runtime=PYTHON,
        Environment={"Variables": {"STAGE": "${ssm:/stage}"}},
    )

    assert here(project)["stage"] == "from-ssm"


def test_logging_is_set_up_as_on_lambda(project: Project, deployer: Role) -> None:
    code = (
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.info('not shown')\n"
        "    logging.warning('shown')\n"
    )
    write(project, deployer, {"app.py": code})

    err = project.run("invoke", "--here").err

    assert re.search(r"^\[WARNING\]\t[\d-]{10}T[\d:]{8}\.\d{3}Z\t[\w-]{36}\tshown$", err, re.M)
    assert "not shown" not in err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--async"], "--async"),
        (["--stream"], "--stream"),
        (["--qualifier", "live"], "--qualifier"),
        (["--execution-name", "once"], "--execution-name"),
    ],
)
def test_what_only_lambda_can_do_is_refused(
    project: Project, deployer: Role, words: list[str], option: str
) -> None:
    write(project, deployer, {"app.py": ECHO})

    result = project.run("invoke", "--here", *words, code=1)

    assert result.err.startswith(f"`--here` and `{option}` cannot be combined.")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Runtime": "java21"}, "Its runtime is java21; `--here` runs Python and Node.js."),
        ({"Runtime": "provided.al2023"}, "Its runtime is provided.al2023"),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "Pass --tenant-id."),
        (
            {"Code": {"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/a:1"}},
            "Its code is a container image.",
        ),
        (
            {"layers": ["arn:aws:lambda:us-east-1:123456789012:layer:tools:1"]},
            "The layer arn:aws:lambda:us-east-1:123456789012:layer:tools:1 is on AWS",
        ),
    ],
)
def test_a_function_that_cannot_run_here_is_refused_before_any_call(
    project: Project, sts: StrictSts, deployer: Role, changes: dict[str, Any], why: str
) -> None:
    write(project, deployer, {"app.py": ECHO}, **changes)
    if "Code" in changes:
        path = project.folder / "invoke.yaml"
        path.write_text(re.sub(r"\n *(Runtime|Handler|source): .*", "", path.read_text()))

    result = project.run("invoke", "--here", code=1)

    assert result.err.startswith("hello cannot be run with `--here`.")
    assert why in result.err
    assert sts.count("AssumeRole") == 0


@pytest.mark.parametrize(
    ("runtime", "what"), [("python3.99", "Python 3.99"), ("nodejs98.x", "Node.js 98")]
)
def test_a_runtime_that_is_not_installed_is_named(
    project: Project, sts: StrictSts, deployer: Role, runtime: str, what: str
) -> None:
    write(project, deployer, {"app.py": ECHO, "app.js": ""}, Runtime=runtime)

    result = project.run("invoke", "--here", code=1)

    assert f"{what} is not installed, which `--here` needs to run hello." in result.err
    assert sts.count("AssumeRole") == 0


def test_a_package_for_another_machine_is_refused(project: Project, deployer: Role) -> None:
    architecture, elf = ("arm64", 183) if platform.machine() == "x86_64" else ("x86_64", 62)
    header = f"\x7fELF\x02\x01\x01{chr(0) * 9}\x03{chr(0)}{chr(elf)}{chr(0)}"
    write(project, deployer, {"app.py": ECHO}, Architectures=[architecture])
    (project.folder / "src" / "own").mkdir()
    (project.folder / "src" / "own" / "core.so").write_bytes(header.encode("latin-1"))

    result = project.run("invoke", "--here", code=1)

    assert (
        f"hello cannot be run on this machine, which is {this_machine()}.\n"
        f"  why: Its package contains own, compiled for Linux on {architecture}." in result.err
    )


def test_dry_says_what_would_be_run(project: Project, sts: StrictSts, deployer: Role) -> None:
    write(project, deployer, {"app.py": ECHO})

    result = project.run("--dry", "invoke", "--here")

    assert result.out == ""
    assert re.search(r"invoke    would run hello here: app\.handler, by /\S*python", result.err)
    assert sts.count("AssumeRole") == 0


NODE_HANDLERS = {
    "async": {"app.js": "exports.handler = async (event) => ({ got: event });"},
    "callback": {"app.js": "exports.handler = (event, c, done) => done(null, { got: event });"},
    "later": {
        "app.js": "exports.handler = (event, context, done) => {"
        " setTimeout(() => done(null, { got: event }), 50); };"
    },
    "waits for nothing": {
        "app.js": "exports.handler = (event, context, done) => {"
        " context.callbackWaitsForEmptyEventLoop = false;"
        " setInterval(() => {}, 1000); done(null, { got: event }); };"
    },
    "ESM": {"app.mjs": "export const handler = async (event) => ({ got: event });"},
    "ESM by package.json": {
        "app.js": "await null; export const handler = async (event) => ({ got: event });",
        "package.json": '{"type": "module"}',
    },
    "CJS": {"app.cjs": "exports.handler = async (event) => ({ got: event });"},
    "streamed": {
        "app.mjs": "export const handler = awslambda.streamifyResponse(async (event, out) => {"
        ' out.write(\'{"got": \'); out.end(JSON.stringify(event) + "}"); });'
    },
    "installed": {
        "app.mjs": "import got from 'dep'; export const handler = async (event) => got(event);",
        "node_modules/dep/index.js": "module.exports = (event) => ({ got: event });",
        "node_modules/dep/package.json": '{"name": "dep", "version": "1.0.0"}',
    },
}


CALLBACKS = ("callback", "later", "waits for nothing")


def test_node_handlers_of_every_style_run(project: Project, deployer: Role) -> None:
    write_each(project, deployer, [*NODE_HANDLERS.values()], requirements="none")
    refused = CALLBACKS if int(node_version()) >= 24 else ()

    ended = project.run("invoke", "--here", "--payload", '{"a": 1}', code=1 if refused else 0)

    got = dict(zip(NODE_HANDLERS, map(json.loads, ended.out.splitlines()), strict=True))
    for style in refused:
        assert got.pop(style)["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert got == {style: {"got": {"a": 1}} for style in NODE_HANDLERS if style not in refused}


NODE_ERRORS = [
    ("throw new TypeError('no such thing')", "TypeError", "no such thing"),
    ("throw 'a string'", "string", "a string"),
    (
        "Promise.reject(new Error('lost')); await new Promise(r => setTimeout(r, 500))",
        "Runtime.UnhandledPromiseRejection",
        "Error: lost",
    ),
    ("process.exit(3)", "Runtime.ExitError", "exit status 3"),
    ("require('not' + '-there')", "Error", "Cannot find module 'not-there'"),
]


def test_errors_of_node_are_as_on_lambda(project: Project, deployer: Role) -> None:
    codes = [{"app.js": f"exports.handler = async () => {{ {code} }};"} for code, *_ in NODE_ERRORS]
    write_each(project, deployer, codes)

    answers = project.run("invoke", "--here", code=1).out.splitlines()

    for answer, (_, kind, message) in zip(map(json.loads, answers), NODE_ERRORS, strict=True):
        assert answer["errorType"] == kind
        assert message in answer["errorMessage"]


def test_node_has_the_context_the_log_and_the_layers_of_lambda(
    project: Project, deployer: Role
) -> None:
    folder = project.folder / "lib" / "node_modules" / "common"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("module.exports = 'from the layer';")
    layer = {"source": "lib", "requirements": "none"}
    code = (
        "import common from 'common';\n"
        "export const handler = async (event, context) => {\n"
        "  console.warn('the %s', 'log');\n"
        "  return [common, context.functionName, context.memoryLimitInMB, context.identity,\n"
        "    context.clientContext, context.invokedFunctionArn, process.env.STAGE,\n"
        "    context.getRemainingTimeInMillis() <= 3000];\n"
        "};\n"
    )
    write(
        project,
        deployer,
        {"app.mjs": code},
        aws={"layers": {"common": {**layer, "CompatibleRuntimes": [NODE]}}},
        layers=["common"],
        Environment={"Variables": {"STAGE": "test"}},
    )

    result = project.run("invoke", "--here", "--client-context", '{"custom": {}}')

    assert json.loads(result.out) == [
        *("from the layer", "hello", "128", None, {"custom": {}}),
        *(f"arn:aws:lambda:{REGION}:123456789012:function:hello", "test", True),
    ]
    assert re.search(r"^\S+Z\t[\w-]{36}\tWARN\tthe log$", result.err, re.MULTILINE)
    assert re.search(r"Max Memory Used: \d+ MB", result.err)


def test_node_finds_the_sdk_of_its_runtime_in_the_project(project: Project, deployer: Role) -> None:
    code = "import { sdk } from '@aws-sdk/client-s3'; export const handler = async () => sdk;"
    write(project, deployer, {"app.mjs": code})
    folder = project.folder / "node_modules" / "@aws-sdk" / "client-s3"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("exports.sdk = require('other');")
    (folder.parents[1] / "other.js").write_text("module.exports = 'of the project';")

    assert here(project) == "of the project"


def test_no_docker_and_no_server_is_needed(project: Project, deployer: Role) -> None:
    write(project, deployer, {"app.py": ECHO})
    git = shutil.which("git")
    assert git
    project.environ["PATH"] = str(Path(git).parent)

    assert here(project, "--payload", "1") == 1
