"""A secret is masked where Python shows values, and itself where it is used."""

from __future__ import annotations

import copy
import pickle

import pytest
from rich.pretty import pretty_repr

from tasks_aws import Credentials, Secret
from tasks_aws.secret import holds_secret
from tasks_aws.text.masking import without_secrets

SECRET = Secret("hunter2")


def test_what_is_made_of_a_secret_is_one() -> None:
    made = [SECRET + "x", "x" + SECRET, SECRET[:3], copy.copy(SECRET), copy.deepcopy([SECRET])[0]]

    assert {type(each) for each in made} == {Secret}
    assert repr(made) == "['***', '***', '***', '***', '***']"


def test_it_cannot_be_pickled() -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps({"password": SECRET})


@pytest.mark.parametrize(
    "value",
    [SECRET, [SECRET], {"a": ("b", SECRET)}],
    ids=["alone", "in a list", "in a mapping"],
)
def test_it_is_found_wherever_it_is(value: object) -> None:
    assert holds_secret(value)
    assert without_secrets("the password hunter2 is wrong", value) == "the password *** is wrong"


def test_it_is_found_in_a_value_with_fields() -> None:
    value = Credentials(
        access_key_id="ASIAEXAMPLE", secret_access_key=SECRET, session_token=Secret("")
    )

    assert holds_secret(value)
    assert "hunter2" not in repr(value)


def test_an_ordinary_string_is_no_secret() -> None:
    assert not holds_secret({"a": ["hunter2"]})
    assert without_secrets("hunter2", ["hunter2"]) == "hunter2"


def test_rich_shows_nothing_of_a_long_secret() -> None:
    shown = pretty_repr({"token": Secret("A" * 30 + "B" * 100)}, max_string=80)

    assert "A" not in shown
