"""Whoever asks for credentials gets valid ones, or the reason why there are none."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from tasks_aws.auth.refresh.renewer import Renewer
from tasks_aws.auth.values import Credentials
from tasks_aws.errors import CredentialsError
from tasks_aws.secret import Secret
from tests.forks import in_fork

LIFETIME = 900


def credentials(name: str, left: float | None) -> Credentials:
    end = None if left is None else datetime.now(timezone.utc) + timedelta(seconds=left)
    return Credentials(
        access_key_id=name,
        secret_access_key=Secret("secret"),
        session_token=Secret("token"),
        expiration=end,
        lifetime=LIFETIME,
    )


def renewer(left: float | None, renew: Callable[[], Credentials]) -> Renewer:
    return Renewer(credentials("OLD", left), renew, min_ttl_seconds=300)


def fail() -> Credentials:
    raise CredentialsError("There is no code.")


def test_good_credentials_are_handed_out_as_they_are() -> None:
    assert renewer(301, fail).usable().access_key_id == "OLD"


def test_those_that_end_soon_are_renewed() -> None:
    made = renewer(299, lambda: credentials("NEW", LIFETIME))

    assert made.usable().access_key_id == "NEW"
    assert made.renewed().access_key_id == "NEW"


def test_the_expiry_is_told_a_little_early() -> None:
    told = renewer(600, fail).usable()

    assert 535 < told.seconds_left() < 540  # an SDK may use them to the last second


def test_credentials_without_an_expiry_are_requested_again() -> None:
    assert 895 < renewer(None, fail).usable().seconds_left() <= 900


def test_the_old_serve_on_while_a_renewal_fails(capfd: pytest.CaptureFixture[str]) -> None:
    made = renewer(200, fail)

    assert [made.usable().access_key_id for _ in range(3)] == ["OLD"] * 3
    assert capfd.readouterr().err == (
        "warning   The credentials expire in 3 min and could not be renewed: There is no code.\n"
    )
    with pytest.raises(CredentialsError, match="There is no code"):
        made.renewed()  # whoever wants them with time left


def test_in_their_last_minute_the_reason_is_given_instead() -> None:
    with pytest.raises(CredentialsError, match="There is no code"):
        renewer(59, fail).usable()


def test_the_old_serve_on_while_somebody_types_a_code() -> None:
    typed = threading.Event()

    def ask() -> Credentials:
        typed.wait(10)
        return credentials("NEW", LIFETIME)

    made = renewer(200, ask)

    assert made.usable().access_key_id == "OLD"
    typed.set()
    assert made.renewed().access_key_id == "NEW"
    assert made.usable().access_key_id == "NEW"


def test_one_renewal_serves_all_who_ask() -> None:
    asked: list[int] = []

    def ask() -> Credentials:
        asked.append(1)
        time.sleep(0.1)
        return credentials("NEW", LIFETIME)

    made, got = renewer(-5, ask), []
    threads = [
        threading.Thread(target=lambda: got.append(made.usable().access_key_id)) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == ["NEW"] * 20
    assert asked == [1]


def test_a_failed_renewal_is_not_tried_at_every_request() -> None:
    asked: list[int] = []

    def ask() -> Credentials:
        asked.append(1)
        return fail()

    made = renewer(10, ask)
    for _ in range(3):
        with pytest.raises(CredentialsError):
            made.usable()

    assert asked == [1]


def test_a_fork_during_a_renewal_renews_for_itself() -> None:
    own, typed = os.getpid(), threading.Event()

    def ask() -> Credentials:
        if os.getpid() == own:
            typed.wait(20)
        return credentials("NEW", LIFETIME)

    made = renewer(-5, ask)
    waiting = threading.Thread(target=made.usable)
    waiting.start()

    assert in_fork(lambda: made.usable().access_key_id == "NEW")
    typed.set()
    waiting.join()
