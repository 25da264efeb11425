from __future__ import annotations

import pytest

from tasks_aws.errors import CredentialsError
from tasks_aws.process.loopback import LOCAL, check_loopback

HERE = [
    "http://127.0.0.1:4566/",
    "http://localhost:80",
    "http://x.s3.localhost/y",
    "http://[::1]:1",
]
ELSEWHERE = {
    "https://sts.amazonaws.com/": "sts.amazonaws.com",
    "http://127.0.0.1@example.com/": "example.com",
    "http://127.0.0.1.example.com/": "127.0.0.1.example.com",
    "http://user:password@example.com:80?x": "example.com:80",
}


@pytest.mark.parametrize("url", HERE)
def test_this_machine_may_be_reached(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL, "/folder")
    check_loopback(url)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_another_one_is_refused_by_its_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_loopback(url)
    monkeypatch.setenv(LOCAL, "/folder")
    with pytest.raises(CredentialsError) as caught:
        check_loopback(url)
    assert caught.value.what == f"Nothing was sent to {ELSEWHERE[url]}."
