"""Functions and layers: what they are merged from, and what they must have."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.functions import Function, Layer
from tasks_aws.config.load import load
from tasks_aws.errors import SettingsError

HELLO = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}


def functions(aws: dict[str, Any], target: str | None = None) -> dict[str, Function]:
    return dict(load(aws, project=Path("/nowhere"), target=target, environ={}).functions)


def layer(**keys: Any) -> Layer:
    aws = {"layers": {"common": {"source": "lib", **keys}}}
    return load(aws, project=Path("/nowhere"), environ={}).layers["common"]


def refusal(aws: dict[str, Any], target: str | None = None) -> str:
    with pytest.raises(SettingsError) as raised:
        functions(aws, target)
    return str(raised.value)


def test_a_function_lies_over_the_defaults_and_under_the_target_at_every_depth() -> None:
    def variables(**values: str) -> dict[str, Any]:
        return {"Environment": {"Variables": values}}

    aws = {
        "function_defaults": {**HELLO, **variables(A="default", B="default"), "Timeout": 3},
        "functions": {"hello": {**variables(B="own", C="own"), "Timeout": None}},
        "targets": {
            "prod": {
                "function_defaults": {"MemorySize": 512},
                "functions": {"hello": variables(C="prod")},
            }
        },
    }

    found = functions(aws, "prod")["hello"]

    assert (
        found.parameters["Environment"] == variables(A="default", B="own", C="prod")["Environment"]
    )
    assert found.parameters["MemorySize"] == 512
    assert "Timeout" not in found.parameters
    assert "MemorySize" not in functions(aws)["hello"].parameters


def test_lower_case_keys_are_parsed_and_capitalised_ones_are_left_to_the_api() -> None:
    found = functions(
        {
            "functions": {"hello": {**HELLO, "layers": "a-layer", "Anything": [1]}},
            "layers": {"a-layer": HELLO},
        }
    )["hello"]

    assert [each.path for each in found.source] == ["src"]
    assert found.layer_names == ["a-layer"]
    assert found.parameters == {"Handler": "app.handler", "Runtime": "python3.13", "Anything": [1]}


CANARY = {"canary": "10% for 5m"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"functions": []}, "`aws.functions` must be a mapping, got a list"),
    ({"functions": {"f": "src"}}, "`aws.functions.f` must be a mapping, got a string"),
    ({"functions": {"f": {**HELLO, "sorce": "x"}}}, "Did you mean `source`?"),
    ({"functions": {"a/b": HELLO}}, "`aws.functions.a/b`: 'a/b' is not a valid name"),
    ({"functions": {"f": {}}}, "`aws.functions.f.source` is missing"),
    ({"functions": {"f": {**HELLO, "source": []}}}, "`aws.functions.f.source` is missing"),
    ({"functions": {"f": {**HELLO, "bytecode": "x"}}}, "`aws.functions.f.bytecode` must be true"),
    ({"functions": {"f": {**HELLO, **CANARY}}}, "`aws.functions.f.canary` needs"),
    ({"layers": {"l": {}}}, "`aws.layers.l.source` is missing"),
    ({"functions": {"f": {"source": "src", "memory_size": 1}}}, "Did you mean `MemorySize`?"),
    ({"functions": {"f": {"source": "src", "handler": "a.b"}}}, "Did you mean `Handler`?"),
    ({"functions": {"f": {**HELLO, "runtime": "x"}}}, "Did you mean `Runtime`?"),
    ({"functions": {"f": {**HELLO, "timeout": 3}}}, "Did you mean `Timeout`?"),
    ({"functions": {"f": {**HELLO, "environment": {}}}}, "Did you mean `Environment`?"),
    ({"functions": {"f": {**HELLO, "tags": {}}}}, "Did you mean `Tags`?"),
    ({"functions": {"f": {**HELLO, "kms_key_arn": "x"}}}, "Did you mean `KMSKeyArn`?"),
    ({"functions": {"f": {**HELLO, "memorysize": 1}}}, "Did you mean `MemorySize`?"),
    ({"functions": {"f": {**HELLO, "layer": "x"}}}, "Did you mean `layers`?"),
    ({"functions": {"f": {**HELLO, "zzz": 1}}}, "fix: Use one of: alias, allow_sdist,"),
    ({"layers": {"l": {**HELLO, "compatible_runtimes": []}}}, "Did you mean `CompatibleRuntimes`?"),
    ({"layers": {"l": {**HELLO, "alias": "live"}}}, "Unknown setting `aws.layers.l.alias`"),
    ({"layers": {"l": {**HELLO, "bucket": 1}}}, "`aws.layers.l.bucket` must be a string"),
]


@pytest.mark.parametrize(("aws", "says"), WRONG)
def test_what_is_wrong_is_named_with_its_full_key(aws: dict[str, Any], says: str) -> None:
    assert says in refusal(aws)


IMAGE = {"Code": {"ImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello:1"}}


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"archive": "a.zip", "source": "src"}, "f.source` has no effect beside `{}.f.archive`."),
        ({"archive": "a.zip", "build": "make"}, "f.build` has no effect beside `{}.f.archive`."),
        ({**IMAGE, "source": "src"}, "f.source` has no effect beside `{}.f.Code.ImageUri`."),
        (
            {"source": "src", "requirements": "none", "groups": "dev"},
            "f.groups` has no effect beside `{}.f.requirements`.",
        ),
    ],
)
def test_what_is_never_looked_at_is_refused(own: dict[str, Any], says: str) -> None:
    assert says.format("aws.functions") in refusal({"functions": {"f": own}})
    overlay = {"functions": {"f": HELLO}, "targets": {"prod": {"functions": {"f": own}}}}
    assert says.format("aws.targets.prod.functions") in refusal(overlay, "prod")


def test_an_archive_of_a_target_may_cover_what_others_are_made_of() -> None:
    aws = {
        "function_defaults": {"exclude": ["tests/"], "installer": "pip"},
        "functions": {"f": {**HELLO, "source": "src", "build": "make"}},
        "targets": {"prod": {"functions": {"f": {"archive": "ci.zip"}}}},
    }

    assert functions(aws, "prod")["f"].archive == "ci.zip"


@pytest.mark.parametrize("alias", ["none", None])
def test_a_canary_needs_an_alias_that_is_not_removed(alias: object) -> None:
    lower = {**HELLO, **CANARY, "alias": "live"}
    own = {"functions": {"f": {**lower, "alias": alias}}}
    prod = {"functions": {"f": {"alias": alias}}}
    overlay = {"functions": {"f": lower}, "targets": {"prod": prod}}

    assert "`aws.functions.f.canary` needs an alias" in refusal(own)
    assert "`aws.functions.f.canary` needs an alias" in refusal(overlay, "prod")


def test_an_archive_or_an_image_needs_no_source() -> None:
    image = {"Code": {"ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/x:1"}}

    assert functions({"functions": {"f": {"archive": "a.zip"}, "g": image}}).keys() == {"f", "g"}


def test_settings_that_contain_themselves_are_refused() -> None:
    def circle() -> dict[str, Any]:
        found: dict[str, Any] = {}
        found["Environment"] = found
        return found

    says = "`aws.functions.f.Environment` is nested too deeply"
    assert says in refusal({"functions": {"f": {**HELLO, **circle()}}})
    both = {"function_defaults": circle(), "functions": {"f": circle()}}
    assert "`aws.functions.f` is nested too deeply" in refusal(both)


def test_a_layer_is_built_for_its_oldest_runtime_and_its_first_architecture() -> None:
    found = layer(
        CompatibleRuntimes=["python3.13", "python3.9", "python3.10"],
        CompatibleArchitectures=["arm64", "x86_64"],
    )

    assert found.runtime == "python3.9"
    assert found.architectures[0] == "arm64"
    assert (found.language, found.folder) == ("python", "python")


@pytest.mark.parametrize(
    ("runtimes", "language", "folder"),
    [
        (["nodejs22.x"], "nodejs", "nodejs"),
        (["provided.al2023"], "provided", ""),
        (["python3.13", "nodejs22.x"], "", ""),
        ([], "", ""),
    ],
)
def test_a_layer_puts_libraries_where_its_language_looks_for_them(
    runtimes: list[str], language: str, folder: str
) -> None:
    found = layer(CompatibleRuntimes=runtimes)

    assert (found.language, found.folder) == (language, folder)
    assert found.architectures == ["x86_64"]


def test_a_function_and_a_layer_of_one_name_are_told_apart() -> None:
    function = functions({"functions": {"common": HELLO}})["common"]

    assert (function.label, function.stem) == ("common", "common")
    assert (layer().label, layer().stem) == ("layer common", "common.layer")


ANY = {"prod", "v-prod", "v-none", "live", "any"}


@pytest.mark.parametrize(
    ("base", "dev", "prod", "kept"),
    [
        ("${target}", {}, {}, {"prod"}),
        ("v-${target:-none}", {}, {}, {"v-prod", "v-none"}),
        ("live", {"alias": "beta"}, {}, {"live"}),
        ("none", {"alias": "beta"}, {"alias": "live"}, {None, "live"}),
        # The profiles may be of one account, whatever else differs.
        ("live", {"alias": "beta", "profile": "d"}, {"account_id": "123456789012"}, {"live"}),
        ("${env:STAGE}", {}, {}, ANY),
        ("live", {"alias": "beta"}, {"alias": "${env:STAGE:-live}"}, ANY),
        ("live", {"alias": "beta"}, {"alias": "${cfn:Stack.Alias}"}, ANY),
    ],
)
def test_the_aliases_of_other_targets_are_theirs_however_they_are_written(
    base: str, dev: dict[str, Any], prod: dict[str, Any], kept: Collection[str | None]
) -> None:
    def overlay(settings: dict[str, Any]) -> dict[str, Any]:
        own = {"alias": settings["alias"]} if "alias" in settings else {}
        others = {key: value for key, value in settings.items() if key != "alias"}
        return {**others, "functions": {"hello": own}}

    aws = {
        "functions": {"hello": {**HELLO, "alias": base}},
        "targets": {"dev": overlay(dev), "prod": overlay(prod)},
    }
    found = load(aws, project=Path("/nowhere"), target="dev", environ={"STAGE": "dev"})
    hello = found.functions["hello"]

    assert {each for each in (None, *ANY) if hello.is_of_others(each)} == {*kept}
    assert not hello.is_of_others(hello.alias)
