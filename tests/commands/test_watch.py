"""`deploy --watch`: each save goes to $LATEST, and callers of the alias notice nothing."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.aws_lambda.conftest import Hello
from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.clock import Clock
from tests.proxy import Answer, Handler, Proxy, Rule
from tests.support import Project

ANSWER = "def handler(event, context):\n    return {}\n"
WATCHING = "Ctrl-C ends it"


@pytest.fixture
def live(hello: Hello, proxy: Proxy) -> Hello:
    """The function `hello`, deployed with an alias, and changed since."""
    describe(hello.project, role="everything", alias="live")
    save(hello.project, "before")
    hello.project.run("deploy")
    proxy.requests.clear()
    return hello


def save(project: Project, answer: str) -> None:
    write_source(project, ANSWER.format(json.dumps(answer)))


def answer_of(hello: Hello, qualifier: str = "$LATEST") -> Any:
    """Return what the function answers, or a version of it."""
    answer = hello.aws.functions().invoke(FunctionName="hello", Qualifier=qualifier)
    return json.load(answer["Payload"])


def configuration(hello: Hello) -> Any:
    return hello.aws.functions().get_function(FunctionName="hello")["Configuration"]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start(project: Project, *words: str) -> Any:
    """Start to watch, and return the terminal once the first deploy has ended."""
    terminal = project.terminal("deploy", "--watch", *words)
    terminal.expect_exact(WATCHING)
    return terminal


def stop(project: Project, terminal: Any) -> str:
    terminal.sendintr()
    return project.finish(terminal)


def log(hello: Hello, message: str, *, seconds_ago: float = 0) -> None:
    """Write a line into the function's log."""
    logs, group = hello.aws.client("logs"), "/aws/lambda/hello"
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName="a")
    event = {"timestamp": int((time.time() - seconds_ago) * 1000), "message": message}
    logs.put_log_events(logGroupName=group, logStreamName="a", logEvents=[event])


def test_a_save_is_in_latest_and_callers_of_the_alias_notice_nothing(
    live: Hello, proxy: Proxy
) -> None:
    describe(
        live.project,
        role="everything",
        alias="live",
        MemorySize=512,
        smoke={"expect": "never"},
        url={"AuthType": "AWS_IAM"},
    )
    save(live.project, "first")
    log(live, "of the code before", seconds_ago=5)

    terminal = start(live.project)
    said = str(terminal.before)
    assert answer_of(live) == "first"
    assert (
        live.aws.functions().get_function(FunctionName="hello")["Configuration"]["MemorySize"]
        == 512
    )
    save(live.project, "second")
    terminal.expect_exact("src/app.py saved")
    terminal.expect("update    hello  code,")
    wait_for(lambda: answer_of(live) == "second")
    time.sleep(1)
    log(live, "of the code since")
    terminal.expect_exact("of the code since")
    said += str(terminal.before) + stop(live.project, terminal)

    assert "of the code before" not in said
    assert "hello  callers of alias live are not affected" in said
    assert "hello  its smoke test is not run" in said
    assert "hello  left to `deploy` without --watch: url" in said
    assert answer_of(live, "live") == "before"
    assert live.versions() == ["1"]
    changes = {each for each in proxy.lambda_requests() if not each.startswith("GET")}
    assert {each.rpartition("/hello/")[2] for each in changes} == {"configuration", "code"}


def test_a_mistake_is_told_and_the_next_save_is_deployed(live: Hello) -> None:
    terminal = start(live.project)
    source = live.project.folder / "src" / "app.py"

    source.write_text("import nowhere_at_all\n" + ANSWER.format(1))
    terminal.expect_exact("nowhere_at_all")
    terminal.expect_exact("Still watching.")
    source.unlink()
    terminal.expect_exact("Still watching.")
    assert answer_of(live) == "before"
    save(live.project, "right again")
    terminal.expect("update    hello  code,")

    assert "Traceback" not in str(terminal.before) + stop(live.project, terminal)
    assert answer_of(live) == "right again"


def test_what_aws_refuses_is_told_and_the_next_save_is_deployed(live: Hello, proxy: Proxy) -> None:
    terminal = start(live.project)

    proxy.refuse("PUT .*/code", 403, "AccessDeniedException", "not now", times=1)
    save(live.project, "refused")
    terminal.expect_exact("not now")
    terminal.expect_exact("Still watching.")
    save(live.project, "accepted")
    terminal.expect("update    hello  code,")

    stop(live.project, terminal)
    assert answer_of(live) == "accepted"


def test_ctrl_c_while_it_updates_leaves_a_whole_function(live: Hello, proxy: Proxy) -> None:
    terminal = start(live.project)
    reached, go_on = threading.Event(), threading.Event()

    def hold(handler: Handler) -> bool:
        reached.set()
        go_on.wait(20)
        return False

    proxy.rules.append(Rule("PUT .*/code", hold))
    save(live.project, "whole")
    assert reached.wait(40)
    terminal.sendintr()
    terminal.expect_exact("waiting for hello, so that it is not left half-changed")
    go_on.set()

    assert "update    hello  code" in live.project.finish(terminal)
    assert configuration(live)["LastUpdateStatus"] == "Successful"
    assert answer_of(live) == "whole"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"alias": "live", "canary": "10% for 5m"}, "canary"),
        (
            {
                "Code": {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/hello:1"},
                **dict.fromkeys(("source", "Handler", "Runtime")),
            },
            "container image",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused_before_any_request(
    hello: Hello, proxy: Proxy, changes: dict[str, Any], why: str
) -> None:
    describe(hello.project, **changes)

    result = hello.project.run("deploy", "--watch", code=1)

    assert result.err.startswith("hello cannot be deployed with `--watch`.")
    assert why in result.err
    assert proxy.requests == []


@pytest.mark.parametrize(
    "words",
    [
        *(["--dry-run"], ["--force"], ["--prune"], ["--show-values"]),
        ["--target", "dev", "--target", "prod"],
        ["--target", "prod"],  # which is protected, and nobody can be asked
    ],
)
def test_what_contradicts_it_is_refused_before_any_request(
    hello: Hello, proxy: Proxy, words: list[str]
) -> None:
    describe(hello.project, aws={"targets": {"dev": {}, "prod": {"protected": True}}})

    result = hello.project.run("deploy", "--watch", *words, code=1)

    assert "--watch`" in result.err
    assert result.err.count("\n") <= 3
    assert proxy.requests == []
    assert "--watch`" in hello.project.run("--dry", "deploy", "--watch", code=1).err


def test_a_function_that_does_not_exist_is_not_created(hello: Hello) -> None:
    result = hello.project.run("deploy", "--watch", code=1)

    assert "hello does not exist yet." in result.err
    assert "Deploy it once without --watch." in result.err
    assert not hello.exists()


def test_a_protected_target_is_confirmed_once(live: Hello) -> None:
    targets = {"prod": {"protected": True}}
    describe(live.project, role="everything", alias="live", aws={"targets": targets})
    save(live.project, "first")
    words = ("deploy", "--watch", "--target", "prod")

    terminal = live.project.terminal(*words)
    terminal.expect_exact("Type prod to confirm deploy --watch: ")
    terminal.sendline("no")
    assert "Nothing was changed" in live.project.finish(terminal, code=1)
    assert answer_of(live) == "before"

    terminal = live.project.terminal(*words)
    terminal.expect_exact("Type prod to confirm deploy --watch: ")
    terminal.sendline("prod")
    terminal.expect_exact(WATCHING)
    save(live.project, "second")
    terminal.expect_exact("update    hello (prod)  code,")
    assert "Type" not in str(terminal.before) + stop(live.project, terminal)


def test_what_build_commands_write_into_the_source_is_not_taken_for_saves(live: Hello) -> None:
    made = live.project.folder / "src" / "made.py"
    describe(
        live.project,
        role="everything",
        alias="live",
        build=f"date +'# %N' > '{made}'; touch '{made}'",
    )

    terminal = start(live.project)
    terminal.expect_exact("ignored, because the build writes them: src/made.py")
    save(live.project, "mine")
    terminal.expect_exact("src/app.py saved")
    terminal.expect("update    hello  code")
    with pytest.raises(pexpect.TIMEOUT):
        terminal.expect_exact("saved", timeout=4)

    stop(live.project, terminal)
    assert answer_of(live) == "mine"


def test_two_functions_and_their_layer_are_watched(hello: Hello) -> None:
    layer = {"source": {"shared": "python"}, "CompatibleRuntimes": ["python3.13"]}
    two = {name: {**HELLO, "source": name, "layers": ["common"]} for name in ("hello", "bye")}
    (hello.project.folder / "shared").mkdir()
    shared = hello.project.folder / "shared" / "common.py"
    shared.write_text("answer = 1\n")
    for name in two:
        write_source(hello.project, ANSWER.format(1), name)
    describe(hello.project, role="everything", aws={"functions": two, "layers": {"common": layer}})
    hello.project.run("deploy")

    terminal = start(hello.project)
    write_source(hello.project, ANSWER.format(2), "bye")
    terminal.expect("update    bye  code,")
    shared.write_text("answer = 2\n")
    terminal.expect_exact("shared/common.py saved")
    terminal.expect("update    (hello|bye)  Layers")
    terminal.expect("update    (hello|bye)  Layers")
    log(hello, "a line")
    terminal.expect_exact("hello  a line")

    stop(hello.project, terminal)
    assert [each["Arn"].rpartition(":")[2] for each in configuration(hello)["Layers"]] == ["2"]


def test_a_log_that_cannot_be_read_is_followed_again_after_a_save(
    live: Hello, proxy: Proxy
) -> None:
    log(live, "old", seconds_ago=60)
    proxy.refuse("FilterLogEvents", 400, "AccessDeniedException", "not this log")
    terminal = start(live.project)
    terminal.expect_exact("not this log")
    terminal.expect_exact("This log is followed again after the next save.")

    save(live.project, "saved")
    terminal.expect("update    hello  code,")
    time.sleep(1)
    log(live, "a line")
    terminal.expect_exact("a line")

    stop(live.project, terminal)


def test_settings_that_change_are_for_the_next_start(live: Hello) -> None:
    terminal = start(live.project)

    describe(live.project, role="everything", alias="live", MemorySize=1024)
    terminal.expect_exact("invoke.yaml has changed: end this with Ctrl-C and start it again")

    stop(live.project, terminal)
    assert configuration(live)["MemorySize"] == 256


def test_one_session_serves_all_saves_and_is_renewed_before_it_ends(
    live: Hello, proxy: Proxy, tmp_path: Path
) -> None:
    clock = Clock(live.project, tmp_path)

    def date(answer: Answer | None) -> Answer:
        assert answer
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock.now() + 500)).encode()
        body = re.sub(rb"(?<=<Expiration>)[^<]+", expiration, answer[2])
        return answer[0], {**answer[1]}, body

    proxy.replace("AssumeRole", date, times=9, ask=True)
    for each in live.project.cache_files():
        each.unlink()
    terminal = start(live.project)
    proxy.requests.clear()

    def save_and_count(answer: str) -> int:
        save(live.project, answer)
        terminal.expect("update    hello  code,")
        return sum("AssumeRole" in each for each in proxy.requests)

    assert save_and_count("soon") == 0
    clock.move(280)  # MiniStack takes signatures that are less than 5 minutes off
    assert save_and_count("later") == 1
    assert save_and_count("soon again") == 1

    stop(live.project, terminal)


def test_ctrl_c_during_the_first_deploy_has_the_exit_code_of_a_deploy(
    live: Hello, proxy: Proxy
) -> None:
    reached = threading.Event()

    def delay(handler: Handler) -> bool:
        reached.set()
        time.sleep(1)
        return False

    proxy.rules.append(Rule("PUT .*/code", delay))
    save(live.project, "first")
    terminal = live.project.terminal("deploy", "--watch")
    assert reached.wait(40)
    terminal.sendintr()

    assert "waiting for hello" in live.project.finish(terminal, code=130)
    assert answer_of(live) == "first"


def test_without_a_terminal_it_watches_as_well(live: Hello) -> None:
    process = live.project.start("deploy", "--watch")
    assert process.stderr
    for line in process.stderr:
        if WATCHING in line:
            break
    save(live.project, "saved")
    for line in process.stderr:
        if line.startswith("update"):
            break
    process.send_signal(signal.SIGINT)

    process.communicate(timeout=60)
    assert process.returncode == 0
    assert answer_of(live) == "saved"
