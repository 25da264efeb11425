"""Errors: the parts that programs read, and the text that people read."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from tasks_aws import CredentialsError, FunctionError, SettingsError, TasksAwsError
from tasks_aws.errors import raise_failures
from tasks_aws.text import as_typed
from tests.support import Project

Copying = Callable[[TasksAwsError], TasksAwsError]


def test_the_text_is_made_of_the_parts() -> None:
    error = TasksAwsError("It failed.", why="It was wrong.", fix="Correct it.", code=3)

    assert str(error) == error.message == "It failed.\n  why: It was wrong.\n  fix: Correct it."
    assert (error.what, error.why, error.fix) == ("It failed.", "It was wrong.", "Correct it.")
    assert error.code == 3


def test_parts_that_are_empty_have_no_line() -> None:
    assert SettingsError("It failed.").message == "It failed."
    assert (
        SettingsError("It failed.", fix="Correct it.").message == "It failed.\n  fix: Correct it."
    )


def test_the_message_names_keys_as_the_text_does_also_when_they_are_named_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = SettingsError("Set `aws.region`.")

    monkeypatch.setattr(as_typed._NAMES, "key", "tasks_aws")
    monkeypatch.setattr(as_typed._NAMES, "settings", ["region"])

    assert error.message == str(error) == "Set `tasks_aws.region`."


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize(
    "error",
    [CredentialsError("a", why="b", fix="c", code=2), CredentialsError(what="a", why="b")],
    ids=["positional", "keyword"],
)
def test_a_copy_has_every_part(error: TasksAwsError, way: Copying) -> None:
    other = way(error)

    assert type(other) is CredentialsError
    assert vars(other) == vars(error)
    assert (str(other), other.code) == (str(error), error.code)


def test_invoke_prints_the_text_and_exits_with_the_code(project: Project) -> None:
    project.tasks(
        "from invoke import task\nfrom tasks_aws import TasksAwsError\n"
        "@task\ndef fail(c): raise TasksAwsError('It failed.', why='It was wrong.', code=7)\n"
    )

    result = project.run("fail", code=7)

    assert (result.out, result.err) == ("", "It failed.\n  why: It was wrong.\n")


def test_without_failures_nothing_is_raised() -> None:
    raise_failures([("one", None), ("two", "done")], what="failed")


def test_the_error_of_a_single_function_is_raised_as_it_is() -> None:
    error = FunctionError("No.")

    with pytest.raises(FunctionError) as caught:
        raise_failures([("hello", error)], what="failed")

    assert caught.value is error


def test_errors_of_many_are_printed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [("one", FunctionError("No.")), ("two", FunctionError("Never."))]
    outcomes = [*failures, ("three", None)]

    with pytest.raises(FunctionError, match=r"2 of 3 functions failed\."):
        raise_failures(outcomes, what="failed")
    with pytest.raises(FunctionError, match=r"2 of 2 functions and layers failed\."):
        raise_failures(failures, things="functions and layers", what="failed")

    assert capsys.readouterr().err == "one: No.\ntwo: Never.\n" * 2


@pytest.mark.parametrize(("codes", "code"), [((130, 130), 130), ((130, 1), 1)])
def test_errors_of_one_exit_code_end_with_it(codes: tuple[int, ...], code: int) -> None:
    failures = [(str(each), FunctionError("No.", code=each)) for each in codes]

    with pytest.raises(FunctionError) as caught:
        raise_failures(failures, what="failed")

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://al:s3cret@proxy:80/x", "at http://***@proxy:80/x"),
        ("'socks5h://al:s3cret@[::1]:80'", "'socks5h://***@[::1]:80'"),
        ("http://al:s3@cret@proxy", "http://***@proxy"),
        ("http://al:s3/cret@proxy", "http://***@proxy"),
        ("http://socks5://al:s3cret@proxy", "http://***@proxy"),
        ("https://s3cret@pypi.example/simple", "https://***@pypi.example/simple"),
        ("Failed to parse: 'al:s3' is not a host", "Failed to parse: *** is not a host"),
        ("git+https://host/a/b@main, a@b", "git+https://host/a/b@main, a@b"),
        ("https://host:8080/a@b?c=d@e", "https://host:8080/a@b?c=d@e"),
    ],
)
def test_no_part_of_an_error_shows_the_password_of_a_url(text: str, shown: str) -> None:
    error = TasksAwsError(f"What {text}", why=text, fix=text)

    assert str(error) == f"What {shown}\n  why: {shown}\n  fix: {shown}"
    assert (error.what, error.why, error.fix) == (f"What {shown}", shown, shown)
