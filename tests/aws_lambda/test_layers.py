"""Layers on the embedded AWS: published when they differ, and used by what names them."""

from __future__ import annotations

import json
import random
import signal
from typing import Any

import pytest

from tests.conftest import EmbeddedAws
from tests.local_aws import REGION
from tests.proxy import Handler, Proxy, Rule
from tests.shards import name_in
from tests.support import Project

ROLE = "arn:aws:iam::000000000000:role"
LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:common"
EMPTY_ZIP = b"PK\5\6" + bytes(18)
OTHER = "arn:aws:lambda:us-east-1:000000000000:layer:other:1"
FUNCTION = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": f"{ROLE}/hello",
    "layers": ["common"],
}
COMMON = {"source": "lib", "CompatibleRuntimes": ["python3.13"]}


def describe(
    project: Project,
    *,
    functions: dict[str, Any] | None = None,
    common: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    project.settings(
        **{
            "profile": "developer",
            "role_arn": f"{ROLE}/deployer",
            "functions": {"hello": FUNCTION} if functions is None else functions,
            "layers": {"common": {**COMMON, **(common or {})}},
            **more,
        }
    )


def as_root(project: Project, **settings: Any) -> None:
    """Describe it for somebody who may do more than the deployer."""
    if "[profile root]" not in (project.home / ".aws/config").read_text():
        project.profile("root", aws_access_key_id="test", aws_secret_access_key="test")
    describe(project, profile="root", role_arn=None, region=REGION, **settings)


def make_large(project: Project) -> None:
    """Make the layer so large that it goes through S3."""
    noise = random.Random(1).randbytes(9 << 20)
    (project.folder / "lib" / "noise.bin").write_bytes(noise)


def version(project: Project, text: str) -> None:
    """Give the layer's module another version."""
    (project.folder / "lib" / "shared.py").write_text(f"VERSION = {text!r}\n")


def layers_of(aws: EmbeddedAws, name: str = "hello") -> list[str]:
    found = aws.functions().get_function(FunctionName=name)["Configuration"]
    return [layer["Arn"] for layer in found.get("Layers", [])]


def published(aws: EmbeddedAws, name: str = "common") -> list[int]:
    found = aws.functions().list_layer_versions(LayerName=name)["LayerVersions"]
    return [each["Version"] for each in found]


def newest(aws: EmbeddedAws) -> str:
    return f"{LAYER}:{published(aws)[0]}"


@pytest.fixture(autouse=True)
def _sources(project: Project) -> None:
    """The function `hello`, which imports from the layer `common`."""
    for folder in ("src", "lib"):
        (project.folder / folder).mkdir()
    (project.folder / "src" / "app.py").write_text(
        "import shared\n\ndef handler(event, context):\n    return shared.VERSION\n"
    )
    version(project, "one")
    describe(project)


def test_a_function_imports_from_its_layer(project: Project, aws: EmbeddedAws) -> None:
    result = project.run("assume", "deploy", "invoke")

    assert json.loads(result.out) == "one"
    assert layers_of(aws) == [newest(aws)]
    steps = [line.split()[0] for line in result.err.splitlines()]
    assert steps == ["assume", "zip", "zip", "account", "publish", "create"]


def test_an_unchanged_layer_is_not_published_again(project: Project, aws: EmbeddedAws) -> None:
    describe(project, common={"CompatibleArchitectures": ["x86_64", "arm64"], "Description": "x"})
    project.run("deploy")
    before = published(aws)

    result = project.run("deploy")

    assert "deploy    hello  unchanged" in result.err
    assert "publish" not in result.err
    assert published(aws) == before


def test_changed_content_is_a_new_version_that_the_function_gets(
    project: Project, aws: EmbeddedAws
) -> None:
    project.run("deploy")
    before = published(aws)
    version(project, "two")

    result = project.run("deploy", "invoke")

    assert json.loads(result.out) == "two"
    assert "update    hello  Layers, " in result.err
    assert len(published(aws)) == len(before) + 1
    assert layers_of(aws) == [newest(aws)]


@pytest.mark.parametrize(
    "change",
    [
        {"Description": "shared code"},
        {"LicenseInfo": "MIT"},
        {"CompatibleRuntimes": ["python3.12", "python3.13"]},
        {"CompatibleArchitectures": ["x86_64", "arm64"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_said_of_a_layer_is_a_new_version_too(
    project: Project, aws: EmbeddedAws, change: dict[str, Any]
) -> None:
    project.run("deploy")
    before = published(aws)
    describe(project, common=change)
    project.run("deploy")

    assert len(published(aws)) == len(before) + 1
    assert "unchanged" in project.run("deploy").err


def test_a_plan_tells_of_layers_and_publishes_nothing(project: Project, aws: EmbeddedAws) -> None:
    created = project.run("deploy", "--dry-run").err
    assert "plan      layer common  publish\n" in created
    assert "          + layer common  " in created
    assert '          + Layers  ["a new version of layer common"]' in created
    assert published(aws) == []

    project.run("deploy")
    (number,) = published(aws)
    version(project, "two")
    changed = project.run("plan").err
    assert f"          ~ layer common  version {number} -> a new version\n" in changed
    assert f'~ Layers  ["{LAYER}:{number}"] -> ["a new version of layer common"]' in changed
    assert published(aws) == [number]

    version(project, "one")
    assert "plan      layer common  unchanged" in project.run("plan", "--exit-code").err


def test_layers_of_others_are_named_by_arn_in_between(project: Project, aws: EmbeddedAws) -> None:
    project.run("deploy")
    common = newest(aws)
    mine = {"mine": {**COMMON, "LayerName": "renamed"}}
    for layers in ([common, "mine"], ["mine", common]):
        hello = {**FUNCTION, "layers": layers}
        describe(project, functions={"hello": hello}, layers=mine)

        project.run("deploy")

        renamed = f"{LAYER.replace('common', 'renamed')}:{published(aws, 'renamed')[0]}"
        assert layers_of(aws) == [renamed if each == "mine" else each for each in layers]
        assert "unchanged" in project.run("deploy").err


def test_named_layers_come_after_those_of_the_defaults(project: Project, aws: EmbeddedAws) -> None:
    client = aws.functions()
    theirs = client.publish_layer_version(LayerName="theirs", Content={"ZipFile": EMPTY_ZIP})
    describe(project, function_defaults={"Layers": [theirs["LayerVersionArn"]]})

    project.run("deploy")

    assert layers_of(aws) == [theirs["LayerVersionArn"], newest(aws)]


def test_no_named_layer_takes_away_what_the_function_has(
    project: Project, aws: EmbeddedAws
) -> None:
    project.run("deploy")
    describe(project, functions={"hello": {**FUNCTION, "layers": [], "check_imports": False}})

    project.run("deploy")

    assert layers_of(aws) == []


def test_a_layer_of_many_functions_is_published_once(project: Project, aws: EmbeddedAws) -> None:
    names = ["one", "two", "three"]
    as_root(
        project,
        functions=dict.fromkeys(names, FUNCTION),
    )

    result = project.run("deploy")

    assert result.err.count("publish   layer common") == 1
    assert [layers_of(aws, name) for name in names] == [[newest(aws)]] * 3


def test_a_layer_that_cannot_be_published_fails_only_what_uses_it(
    project: Project, aws: EmbeddedAws
) -> None:
    # It cannot be invoked without the layer.
    alone = {**FUNCTION, "layers": None, "check_imports": False}
    as_root(
        project,
        functions={"alone": alone, "user": FUNCTION, "other": FUNCTION},
        common={"bucket": "no-such-bucket"},
    )
    make_large(project)

    result = project.run("deploy", code=1)

    assert "create    alone" in result.err
    assert "Lambda could not publish layer common.\n  why: The bucket does not exist" in result.err
    assert "2 of 3 functions could not be deployed." in result.err
    names = [each["FunctionName"] for each in aws.functions().list_functions()["Functions"]]
    assert names == ["alone"]


def policy(aws: EmbeddedAws, number: int) -> dict[str, Any]:
    """Return the principals of a version's policy by statement ID."""
    client = aws.functions()
    try:
        answer = client.get_layer_version_policy(LayerName="common", VersionNumber=number)
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {each["Sid"]: each["Principal"] for each in json.loads(answer["Policy"])["Statement"]}


def test_other_accounts_may_use_each_new_version(project: Project, aws: EmbeddedAws) -> None:
    partner = {"StatementId": "partner", "Principal": "arn:aws:iam::210987654321:root"}
    ours = {"StatementId": "ours", "Principal": "*", "OrganizationId": "o-abcdefghij"}
    as_root(project, common={"permissions": [partner, ours]})

    planned = project.run("plan").err
    project.run("deploy")
    unchanged = project.run("deploy").err
    version(project, "two")
    project.run("deploy")

    assert "+ layer common: permissions.partner  210987654321" in planned
    assert "+ layer common: permissions.ours  * of o-abcdefghij" in planned
    assert "permissions" not in unchanged
    assert [policy(aws, number).keys() for number in (1, 2)] == [{"partner", "ours"}] * 2


def test_a_permission_whose_making_is_not_answered_is_made(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    partner = {"StatementId": "partner", "Principal": "210987654321"}
    as_root(project, common={"permissions": [partner]})
    adding = "POST /2018-10-31/layers/common/versions/1/policy"
    proxy.reset(adding, reached=True)

    project.run("deploy")

    assert policy(aws, 1).keys() == {"partner"}
    assert len([line for line in proxy.requests if line.startswith(adding)]) == 2


def test_changed_permissions_are_set_though_nothing_else_changes(
    project: Project, aws: EmbeddedAws
) -> None:
    project.run("assume", "deploy")
    permissions = [
        {"StatementId": name, "Principal": account}
        for name, account in (("one", "111111111111"), ("two", "222222222222"))
    ]
    as_root(project, common={"permissions": permissions})
    project.run("plan", "--exit-code", code=2)
    project.run("deploy")
    permissions[0]["Principal"] = "333333333333"
    as_root(project, common={"permissions": permissions[:1]})

    changed = project.run("deploy").err
    found = policy(aws, 1)
    as_root(project, common={"permissions": "none"})
    planned = project.run("plan").err
    project.run("deploy")

    assert "hello  unchanged" in changed
    assert "account   " in changed
    assert "permissions of version 1 set" in changed
    assert [*found] == ["one"]
    assert "333333333333" in str(found)
    assert "- layer common: permissions.one  333333333333" in planned
    assert policy(aws, 1) == {}
    assert published(aws) == [1]


def refuse(handler: Handler) -> bool:
    message = json.dumps({"Message": "You may not."}).encode()
    handler.send(403, {"x-amzn-ErrorType": "AccessDeniedException"}, message)
    return True


def test_permissions_that_cannot_be_set_are_an_error_though_the_function_is_unchanged(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    proxy.rules.append(Rule("POST .*/layers/common/versions/1/policy", refuse, float("inf")))
    as_root(project)
    project.run("deploy")
    as_root(project, common={"permissions": [{"StatementId": "all", "Principal": "*"}]})

    failed = project.run("deploy", code=1).err

    assert "You may not." in failed
    assert "unchanged" not in failed


def test_old_versions_of_a_layer_are_deleted_once_a_new_one_is_there(
    project: Project, aws: EmbeddedAws
) -> None:
    as_root(project, common={"keep_versions": 2})
    for text in ("one", "two", "three", "four"):
        version(project, text)
        said = project.run("deploy").err

    assert "prune     layer common  deleted version 2" in said
    assert published(aws) == [4, 3]
    assert layers_of(aws) == [f"{LAYER}:4"]


def test_a_refused_deletion_of_old_versions_is_a_warning(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    refused = Rule("DELETE /2018-10-31/layers/common/versions/2", refuse, float("inf"))
    proxy.rules.append(refused)
    as_root(project)
    for text in ("one", "two"):
        version(project, text)
        project.run("deploy")
    as_root(project, common={"keep_versions": 1})
    version(project, "three")

    said = project.run("deploy").err

    assert "warning" in said
    assert "Version 3 of layer common is published." in said
    assert "prune     layer common  deleted version 1\n" in said
    assert layers_of(aws) == [f"{LAYER}:3"]


def test_permissions_without_an_id_are_not_said_to_have_the_same(project: Project) -> None:
    describe(project, common={"permissions": [{"Principal": "*"}, {"Principal": "*"}]})

    said = project.run("deploy", code=1).err

    assert "`aws.layers.common.permissions[1].StatementId` is missing." in said
    assert "more than once" not in said


def test_a_misspelt_parameter_is_not_taken_for_a_key_of_functions(project: Project) -> None:
    describe(project, common={"Alias": "live"})

    said = project.run("deploy", code=1).err

    assert "`aws.layers.common.Alias` is not a parameter of the Lambda API." in said
    assert "`alias`" not in said


def test_a_large_layer_goes_through_s3(project: Project, aws: EmbeddedAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="archives")
    as_root(
        project,
        functions={"hello": FUNCTION},
        common={"bucket": "archives", "key_prefix": "layers"},
    )
    make_large(project)

    result = project.run("deploy", "invoke")

    (stored,) = s3.list_objects_v2(Bucket="archives", Prefix="layers/")["Contents"]
    assert f"to s3://archives/{stored['Key']}" in result.err
    assert json.loads(result.out) == "one"
    assert "unchanged" in project.run("deploy").err


@pytest.mark.parametrize(
    ("common", "hello", "expected"),
    [
        (
            {"Descripton": "x", "LicenseInfo": 3, "Content": {}},
            {},
            [
                "`aws.layers.common` has 3 problems",
                "`aws.layers.common.Descripton` is not a parameter of the Lambda API. "
                "Did you mean `Description`?",
                "`aws.layers.common.LicenseInfo` must be a string, got 3.",
                "`aws.layers.common.Content` cannot be set",
            ],
        ),
        (
            {"CompatibleRuntimes": None},
            {},
            ["`aws.layers.common.CompatibleRuntimes` must contain runtimes of one language"],
        ),
        (
            {"CompatibleRuntimes": ["python3.13", "nodejs22.x"]},
            {},
            ["`aws.layers.common.CompatibleRuntimes` must contain runtimes of one language"],
        ),
        (
            {"CompatibleRuntimes": ["python3.12"]},
            {"Architectures": ["arm64"]},
            [
                "`aws.layers.common.CompatibleRuntimes` (python3.12) does not include python3.13, "
                "which `aws.functions.hello` uses.",
                "`aws.layers.common.CompatibleArchitectures` (x86_64) does not include arm64",
            ],
        ),
        (
            {},
            {"layers": ["common", *(f"{OTHER}{number}" for number in range(5))]},
            [
                "`aws.functions.hello` has 6 layers, including those under `Layers`; "
                "Lambda allows 5."
            ],
        ),
        (
            {},
            {"layers": ["arn:aws:x"]},
            ["`aws.functions.hello.layers[0]` must match", "got 'arn:aws:x'."],
        ),
        ({}, {"layers": ["common", "common"]}, ["contains a layer twice"]),
        (
            {
                "permissions": [
                    {"StatementId": "a", "Principal": "me"},
                    {
                        "StatementId": "a",
                        "Principal": "123456789012",
                        "OrganizationId": "o-0123456789",
                    },
                    {"Principal": "*", "VersionNumber": 3, "Condition": {}},
                ]
            },
            {},
            [
                "`aws.layers.common.permissions[0].Principal` must match",
                "`aws.layers.common.permissions[1].Principal` must be * with an OrganizationId.",
                "`aws.layers.common.permissions` contains StatementId a more than once.",
                "`aws.layers.common.permissions[2].StatementId` is missing.",
                "`aws.layers.common.permissions[2].VersionNumber` cannot be set: `deploy` sets it.",
                "`aws.layers.common.permissions[2].Condition` is not a parameter of the Lambda",
            ],
        ),
        ({}, {"layers": ["comon"]}, ["`aws.functions.hello.layers` names comon", "`common`?"]),
    ],
)
def test_mistakes_are_told_before_any_call(
    project: Project, common: dict[str, Any], hello: dict[str, Any], expected: list[str]
) -> None:
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"  # nobody answers
    describe(project, functions={"hello": {**FUNCTION, **hello}}, common=common)

    result = project.run("deploy", code=1)

    assert [text for text in expected if text not in result.err] == []


IMPATIENT = """
from dataclasses import replace
from tasks_aws import *
from tasks_aws.aws_lambda import layers
layers.OTHER_SHARD = replace(layers.OTHER_SHARD, seconds=1)
"""


def in_shards(project: Project, *shards: str, **settings: Any) -> list[str]:
    """Describe a function in each shard, and return their names."""
    found = [name_in(shard) for shard in shards]
    as_root(project, functions=dict.fromkeys(found, FUNCTION), **settings)
    return found


def test_the_first_shard_publishes_a_layer_and_the_others_wait_for_it(
    project: Project, aws: EmbeddedAws
) -> None:
    partner = {"StatementId": "partner", "Principal": "210987654321"}
    # The first shard has no function of its own.
    users = in_shards(project, "2/3", "3/3", common={"permissions": [partner]})
    planned = project.run("plan", "--shard", "2/3").err
    published_by = project.run("plan", "--shard", "1/3", "--exit-code", code=2).err
    waiting = [project.start("deploy", "--shard", shard, "--json") for shard in ("2/3", "3/3")]
    for each in waiting:
        assert each.stderr
        while not each.stderr.readline().startswith("waiting   layer common"):
            assert each.poll() is None

    first = project.run("deploy", "--shard", "1/3").err

    assert "plan      layer common  publish, by shard 1/3\n" in planned
    assert "plan      layer common  publish\n" in published_by
    assert "publish   layer common  version 1, " in first
    for each, name in zip(waiting, users, strict=True):
        out, err = each.communicate(timeout=60)
        assert each.returncode == 0, err
        (done,) = json.loads(out)
        assert (done["function"], done["result"]) == (name, "created")
        assert done["layers"][0]["LayerVersionArn"] == f"{LAYER}:1"
        assert layers_of(aws, name) == [f"{LAYER}:1"]
    assert published(aws) == [1]
    assert policy(aws, 1).keys() == {"partner"}
    assert "publish" not in project.run("deploy", "--shard", "1/3").err


def test_a_shard_runs_again_by_itself(project: Project, aws: EmbeddedAws) -> None:
    _, second = in_shards(project, "1/2", "2/2")
    project.tasks(IMPATIENT)

    failed = project.run("deploy", "--shard", "2/2", code=1).err
    project.run("deploy", "--shard", "1/2")
    again = project.run("deploy", "--shard", "2/2").err

    assert "layer common was not published within 1.0 s." in failed
    assert "why: Shard 1/2 publishes it, and may have failed." in failed
    assert "fix: Run shard 1/2 again, then this one." in failed
    assert "waiting" not in again
    assert layers_of(aws, second) == [f"{LAYER}:1"]
    assert published(aws) == [1]


def test_another_archive_than_this_shard_has_made_is_an_error_at_once(
    project: Project, aws: EmbeddedAws
) -> None:
    first, _ = in_shards(project, "1/2", "2/2")
    waiting = project.start("deploy", "--shard", "2/2")
    assert waiting.stderr
    while not waiting.stderr.readline().startswith("waiting   layer common"):
        assert waiting.poll() is None
    version(project, "of another commit")

    project.run("deploy", "--shard", "1/2")

    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "Version 1 of layer common, which was published meanwhile, is not the one of " in err
    assert "These differ: layer common: code." in err
    found = aws.functions().list_functions()["Functions"]
    assert [each["FunctionName"] for each in found] == [first]


def test_ctrl_c_ends_the_wait_for_another_shard(project: Project, aws: EmbeddedAws) -> None:
    in_shards(project, "2/2")
    waiting = project.start("deploy", "--shard", "2/2", "--json")
    assert waiting.stderr
    while not waiting.stderr.readline().startswith("waiting   layer common"):
        assert waiting.poll() is None

    waiting.send_signal(signal.SIGINT)

    out, err = waiting.communicate(timeout=20)
    assert waiting.returncode == 130, err
    assert [each["result"] for each in json.loads(out)] == ["not started"]


def test_a_layer_of_other_shards_that_cannot_be_published_fails_the_first(
    project: Project, aws: EmbeddedAws
) -> None:
    in_shards(project, "2/2", common={"bucket": "no-such-bucket"})
    make_large(project)

    said = project.run("deploy", "--shard", "1/2", code=1).err

    assert "Lambda could not publish layer common.\n  why: The bucket does not exist" in said
