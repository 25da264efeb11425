"""Any value at any key of the settings gives one clear message, before anything is sent."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import tasks_aws
from tasks_aws.aws_lambda.attachments import ATTACHMENTS
from tasks_aws.aws_lambda.parameters import input_shape
from tasks_aws.config.functions import FUNCTION_KEYS, LAYER_KEYS
from tasks_aws.config.references import LocalResolver
from tasks_aws.config.settings import SECTIONS, SETTINGS
from tests.properties.sandbox import Sandbox, sandbox
from tests.properties.values import ODD, anything, circle, like, words

ROLE = "arn:aws:iam::123456789012:role/x"


def members(operation: str) -> dict[str, Any]:
    return {name: like(shape) for name, shape in input_shape(operation).members.items()}


OF_A_FUNCTION: dict[str, Any] = {
    **dict.fromkeys(FUNCTION_KEYS, anything),
    **members("CreateFunction"),
    **{
        name: each
        for attachment in ATTACHMENTS
        if attachment.operation and attachment.key is None
        for name, each in members(attachment.operation).items()
    },
    "events": st.lists(like(input_shape("CreateEventSourceMapping"), 2), max_size=2),
    "permissions": st.lists(like(input_shape("AddPermission"), 2), max_size=2),
    "url": like(input_shape("CreateFunctionUrlConfig"), 2),
    "source": words | anything,
    "layers": st.lists(st.sampled_from(["l", ROLE, "x"])) | anything,
}
OF_A_LAYER = {**dict.fromkeys(LAYER_KEYS, anything), **members("PublishLayerVersion")}
AT_THE_TOP: dict[str, Any] = {
    **dict.fromkeys([*SETTINGS, *SECTIONS], anything),
    "session_tags": st.dictionaries(words, words, max_size=3) | anything,
    "transitive_tag_keys": st.lists(words, max_size=3) | anything,
}
TABLES: dict[tuple[str, ...], dict[str, Any]] = {
    (): AT_THE_TOP,
    ("functions", "f"): OF_A_FUNCTION,
    ("function_defaults",): OF_A_FUNCTION,
    ("layers", "l"): OF_A_LAYER,
    ("targets", "t"): AT_THE_TOP,
    ("targets", "t", "functions", "f"): OF_A_FUNCTION,
    ("targets", "t", "layers", "l"): OF_A_LAYER,
}
PLACES = [(place, key) for place, keys in TABLES.items() for key in keys]
FUNCTION = {"source": "src", "Handler": "app.f", "Runtime": "python3.13", "Role": ROLE}

changes = st.sampled_from(PLACES).flatmap(
    lambda place: st.tuples(
        st.just(place[0]), st.just(place[1]), st.one_of(anything, words, TABLES[place[0]][place[1]])
    )
)


def settings(*changed: tuple[tuple[str, ...], Any, Any]) -> dict[str, Any]:
    """Return good settings with some values changed."""
    aws: dict[str, Any] = {
        "role_arn": ROLE,
        "functions": {"f": {**FUNCTION, "layers": ["l"]}},
        "layers": {"l": {"source": "lib", "CompatibleRuntimes": ["python3.13"]}},
        "targets": {"t": {"region": "eu-west-1"}},
    }
    for place, key, value in changed:
        at = aws
        for name in place:
            at = at.setdefault(name, {}) if isinstance(at, dict) else {}
        if isinstance(at, dict):
            at[key] = value
    return aws


def run_all(box: Sandbox, aws: dict[str, Any]) -> list[str | None]:
    """Run a task of each kind, and return what each said."""
    for folder in ("src", "lib"):
        (box.project / folder).mkdir()
        (box.project / folder / "app.py").write_text("def f(event, context): pass\n")
    return [
        box.refused(tasks_aws.package, aws),
        box.refused(tasks_aws.plan, aws, target=["t"]),
        box.refused(tasks_aws.assume, aws, target="t"),
        box.refused(tasks_aws.status, aws),
        box.refused(tasks_aws.clean, aws),
    ]


def test_the_settings_that_are_changed_are_good_ones() -> None:
    with sandbox() as box:
        said = run_all(box, settings())

    assert said[0] is None
    assert all("AWS cannot be reached" in str(each) for each in said[1:4])


OF_F = ("functions", "f")


@given(st.lists(changes, min_size=1, max_size=3))
@example([((), "profile", circle())])
@example([((), "account_id", "9" * 5000), ((), "min_ttl_seconds", "9" * 5000)])
@example([(("functions",), 1, FUNCTION)])
@example([((), "session_tags", {1: "x"})])
@example([(OF_F, "build", "\0")])
@example([(("layers", "l"), "CompatibleArchitectures", [None])])
@example([(OF_F, "source", None), (OF_F, "archive", "a" * 5000)])
def test_any_value_at_any_key(changed: list[Any]) -> None:
    with sandbox() as box:
        run_all(box, settings(*changed))


@given(
    st.sampled_from([*TABLES]),
    words | anything.filter(lambda key: key.__hash__ is not None),
    anything,
)
def test_any_key(place: tuple[str, ...], key: Any, value: Any) -> None:
    with sandbox() as box:
        run_all(box, settings((place, key, value)))


@given(anything)
def test_anything_instead_of_all_settings(value: Any) -> None:
    with sandbox() as box:
        run_all(box, value)


_parts = st.lists(st.one_of(st.sampled_from([each for each in ODD if each[:1] in "$}"]), words))


@given(_parts.map("".join), st.sampled_from(["profile", "mfa_command", "Description", "smoke"]))
def test_any_text_with_references(text: str, key: str) -> None:
    place = () if key in SETTINGS else ("functions", "f")
    with sandbox() as box:
        run_all(box, settings((place, key, {"payload": text} if key == "smoke" else text)))


@given(_parts.map("".join))
def test_doubled_dollars_are_the_text_itself(text: str) -> None:
    with sandbox() as box:
        written = text.replace("${", "$${")

        assert LocalResolver(box.project, None, {}).resolve({"key": [written]}, "x") == {
            "key": [text]
        }
