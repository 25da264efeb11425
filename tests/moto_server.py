"""moto's server: an AWS by other people than MiniStack's, with other habits.

It checks no permissions, is never busy, has no `RevisionId` of a function, and calls its JSON
text/html.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

from tests.local_aws import ACCOUNT, without_aws
from tests.proxy import Proxy

TIMEOUT_SECONDS = 60
RESET = "/moto-api/reset"

# Calls that it does not have, with AWS's answer for a function that has nothing of the kind.
GAPS: dict[str, tuple[int, Any]] = {
    r"^GET /2021-10-31/functions/[^/]+/urls": (200, {"FunctionUrlConfigs": []}),
    r"^GET /2021-07-20/functions/[^/]+/runtime-management-config": (
        200,
        {"UpdateRuntimeOn": "Auto"},
    ),
    r"^GET /2024-08-31/functions/[^/]+/recursion-config": (200, {"RecursiveLoop": "Terminate"}),
    r"^GET /2019-09-30/functions/[^/]+/provisioned-concurrency": (
        404,
        {"__type": "ProvisionedConcurrencyConfigNotFoundException"},
    ),
}


@contextmanager
def moto_server() -> Iterator[str]:
    """Start it on a free port, behind a proxy that closes its gaps, and give the URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**without_aws(os.environ), "MOTO_ACCOUNT_ID": ACCOUNT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port)
        with Proxy(f"http://127.0.0.1:{port}") as proxy:
            for pattern, (status, body) in GAPS.items():
                answer = (status, {"Content-Type": "text/html"}, json.dumps(body).encode())
                proxy.replace(pattern, lambda _, answer=answer: answer, times=inf)  # type: ignore[misc]
            yield proxy.url
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("moto's server did not start")


# Tests of `tests/aws_lambda` that moto cannot pass: what it has otherwise than AWS, and their names
# or the beginning of these.
LEFT_OUT = {
    "runs functions in Docker": (
        "test_a_function_is_created_and_answers",
        "test_a_function_error_is_an_exit_code_with_answer_and_log",
        "test_the_payload_may_be_a_file_or_standard_input",
        "test_an_asynchronous_invocation_does_not_wait",
        "test_the_version_behind_the_alias_answers",
        "test_one_that_fails_hides_no_other",
        "test_a_function_that_was_idle_is_waited_for",
        "test_a_function_imports_from_its_layer",
        "test_changed_content_is_a_new_version_that_the_function_gets",
        "test_a_large_layer_goes_through_s3",
        "test_the_archive_may_be_made_by_others",
        "test_a_function_has_the_values_and_no_output_has_the_secrets",
        "test_a_smoke_test_that_fails_keeps_the_version_of_before",
        "test_an_answer_has_to_contain_what_is_expected",
        "test_a_second_rollback_does_not_guess",
    ),
    "checks no permissions": (
        "test_a_role_that_may_not_deploy_is_told",
        "test_a_role_that_may_not_read_is_told",
        "test_what_may_not_be_read_is_left_out_with_a_warning",
        "test_one_that_is_missing_hides_no_other",
        "test_of_several_functions_each_line_has_its_name",
        "test_one_that_cannot_be_followed_is_told_at_once",
        "test_the_name_of_a_function_may_depend_on_the_account",
    ),
    "gives the number of a deleted version again": (
        "test_a_version_that_cannot_be_deleted_is_a_warning",
        "test_a_version_that_failed_",
    ),
    "says that a mapping of an alias is one of the version": (
        "test_iam_actions_are_those_that_its_calls_need[event_sources]",
        "test_a_mapping_is_made_and_changed[True]",
        "test_all_of_it_is_made_and_a_second_plan_finds_nothing",
        "test_only_what_differs_is_changed",
        "test_everything_about_a_function_is_read_at_once",
        "test_a_url_that_is_not_public_any_more_loses_its_permissions",
    ),
    "does not keep the conditions of a permission for a URL": (
        "test_a_public_url_has_both_permissions",
        "test_mappings_without_a_setting_go_only_with_prune",
    ),
    "has no such call, or drops what it is given": (
        "test_iam_actions_are_those_that_its_calls_need[put_calls]",
        "test_no_executions_reserved_is_not_the_same_as_none_named",
        "test_events_that_fail_go_where_the_settings_say",
        "test_recursion_is_allowed",
        "test_concurrency_is_provisioned_for_the_alias",
        "test_how_the_code_is_stored_can_change_later",
        "test_a_plan_with_the_printed_settings_finds_nothing",
        "test_all_that_goes_is_said_before_the_name_is_asked_for",
        "test_a_tag_that_has_moved_is_deployed_again",
    ),
    "names a bucket of AWS's own for the code": (
        "test_the_code_is_fetched_so_that_a_plan_finds_nothing",
        "test_the_source_of_the_settings_is_made_if_it_is_missing",
    ),
    "guards no function by a revision": ("test_a_change_between_ours_is_not_published_with_them",),
    "has another code for an alias that exists": (
        "test_a_connection_that_breaks_is_no_failure[^POST /2015-03-31/functions/hello/aliases",
    ),
    "lists aliases in another order": ("test_of_several_aliases_none_is_guessed",),
}


def why_left_out(nodeid: str) -> str | None:
    """Return why a test cannot run on moto's server; None if it can."""
    name = nodeid.partition("::")[2]
    return next((why for why, starts in LEFT_OUT.items() if name.startswith(starts)), None)
