"""All mistakes in the settings are in one message, each as the user wrote it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.load import load
from tasks_aws.config.mistakes import Mistakes
from tasks_aws.errors import SettingsError

HELLO = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}


def refusal(aws: Any, target: str | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(aws, project=Path("/nowhere"), target=target, environ=environ)
    return str(raised.value)


def test_one_message_has_all_mistakes_of_all_keys_and_functions() -> None:
    message = refusal(
        {
            "regoin": "x",
            "account_id": 1,
            "targets": {"prod": {"profil": "x"}},
            "functions": {
                "a": {**HELLO, "memory_size": 1, "alias": "1", "canary": "10% for 5m"},
                "b": {**HELLO, "source": "${env:GONE}", "layers": ["lib"]},
                "c": {},
                "d/e": HELLO,
            },
            "layers": {"lib": {"source": 1}},
        },
        INVOKE_AWS_X="",
    )

    assert message.startswith("The settings have 10 mistakes:\n- ")
    said = [line for line in message.splitlines() if line.startswith("- ")]
    assert [re.split("`:? |, ", line)[0] for line in said] == [
        "- Unknown setting `aws.regoin`.",
        "- Unknown setting `aws.targets.prod.profil`.",
        "- Unknown variable INVOKE_AWS_X.",
        "- `aws.account_id",
        "- Unknown setting `aws.functions.a.memory_size`.",
        "- `aws.functions.a.alias",
        "- `aws.functions.b.source",
        "- `aws.functions.c.source",
        "- `aws.functions.d/e",
        "- `aws.layers.lib.source",
    ]
    assert "  fix: Did you mean `region`?" in message


def test_a_key_is_called_as_it_was_written() -> None:
    aws = {
        "function_defaults": {"bytecode": "x", "smoke": {"expect": "${env:A}"}},
        "functions": {"hello": {**HELLO, "smoke": {"payload": "${env:B}"}}, "other": HELLO},
        "targets": {
            "prod": {"functions": {"hello": {"keep_versions": 0, "Tags": {"T": "${env:C}"}}}}
        },
    }

    message = refusal(aws, "prod")

    assert message.count("`aws.function_defaults.bytecode` must be true or false") == 1
    assert "`aws.function_defaults.smoke.expect` uses ${env:A}" in message
    assert "`aws.functions.hello.smoke" not in message  # the first of the two is named
    assert "`aws.targets.prod.functions.hello.keep_versions` must be an integer" in message
    assert "`aws.targets.prod.functions.hello.Tags.T` uses ${env:C}" in message


def test_a_target_adds_no_function_and_no_layer() -> None:
    aws = {
        "functions": {"hello": HELLO},
        "layers": {"lib": HELLO},
        "targets": {"prod": {"functions": {"helo": {}}, "layers": {"libs": {}}}},
    }

    message = refusal(aws, "prod")

    assert "`aws.targets.prod.functions.helo` overrides a function that does not exist." in message
    assert "Did you mean `hello`?" in message
    assert "`aws.targets.prod.layers.libs` overrides a layer that does not exist." in message


def test_a_mistake_is_named_once_and_alone_as_it_is() -> None:
    mistakes = Mistakes()
    for _ in range(2):
        with mistakes.collected():
            raise SettingsError("One.", fix="Fix it.") from ValueError("cause")

    assert len(mistakes) == 1
    with pytest.raises(SettingsError) as raised:
        mistakes.raise_all()
    assert str(raised.value) == "One.\n  fix: Fix it."
    assert isinstance(raised.value.__cause__, ValueError)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_the_message_has_the_mistakes_of_targets_that_were_not_chosen() -> None:
    aws = {
        "functions": {"hello": HELLO},
        "targets": {
            "prod": {"region": "Dublin", "functions": {"hello": {"alias": 1}, "helo": {}}},
            "test": {"profile": "${env:ONLY_IN_CI}"},
            "dev": {"cache": "disk"},
        },
    }

    message = refusal(aws, "dev")

    assert "`aws.targets.dev.cache` must be one of" in message
    assert "`aws.targets.prod.region` must be an AWS region" in message
    assert "`aws.targets.prod.functions.hello.alias` must be a string" in message
    assert "`aws.targets.prod.functions.helo` overrides a function that does not exist." in message
    assert "ONLY_IN_CI" not in message
