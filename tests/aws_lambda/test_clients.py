"""An account's clients are made once each, and repeat only requests that may be repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest

from tasks_aws.aws_lambda.clients import Account, Kind
from tasks_aws.config.settings import Settings
from tests.aws_lambda.describe import account_in


def attempts(account: Account, kind: Kind) -> int:
    return int(account.client("lambda", kind).meta.config.retries["total_max_attempts"])


def test_a_client_is_made_once_for_each_service_and_kind() -> None:
    account = account_in("", "eu-west-1", key="x")
    clients = [account.client("lambda", kind) for kind in Kind]

    assert [account.client("lambda", kind) for kind in Kind] == clients
    assert len({id(each) for each in (*clients, account.client("sts"))}) == len(Kind) + 1


def test_requests_are_repeated_but_an_invocation_never() -> None:
    account = account_in("", "eu-west-1", key="x")

    assert attempts(account, Kind.CALLS) == 11
    assert attempts(account, Kind.INVOKE) == 1


def test_the_users_own_number_of_attempts_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    account = account_in("", "eu-west-1", key="x")

    assert attempts(account, Kind.CALLS) == 3
    assert attempts(account, Kind.INVOKE) == 1


def test_it_is_printed_with_its_target() -> None:
    settings = Settings(project=Path())

    def printed(settings: Settings) -> str:
        session = botocore.session.Session
        return str(
            Account(settings, account_id="123456789012", region="eu-west-1", make_session=session)
        )

    assert printed(settings) == "123456789012, eu-west-1"
    assert printed(replace(settings, target="prod")) == "123456789012, eu-west-1 (prod)"
