"""A plan has what differs, and nothing that AWS only writes in another way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda import plan
from tasks_aws.aws_lambda.attachments import ATTACHMENTS
from tasks_aws.aws_lambda.defaults import REMOVABLE, default_configuration
from tasks_aws.aws_lambda.parameters import Parameters, input_shape
from tasks_aws.aws_lambda.plan import make_plan
from tasks_aws.aws_lambda.remote_state import RemoteFunction, normalize_configuration
from tasks_aws.aws_lambda.validation import validate_function
from tasks_aws.config.functions import Function
from tasks_aws.errors import FunctionError
from tasks_aws.packaging.archive import Archive
from tasks_aws.secret import Secret

ROLE = "arn:aws:iam::123456789012:role/hello"
BASE = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:one:1"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    path = tmp_path / "hello.zip"
    path.write_bytes(b"zip")
    return Archive(path=path, size=3, unzipped=3, files=1, code_sha256="same", digest="", sizes=[])


def parameters(**changes: Any) -> Parameters:
    return validate_function(
        Function(name="hello", key="aws.functions.hello", parameters={**BASE, **changes})
    )


def remote(image: str | None = None, **changes: Any) -> RemoteFunction:
    """Return a function that is settled, as AWS has it."""
    state = {"State": "Active", "LastUpdateStatus": "Successful", "RevisionId": "r1"}
    configuration = {**BASE, "FunctionName": "hello", "CodeSha256": "same", **state, **changes}
    answer = {"Configuration": configuration, "Code": {"ImageUri": image} if image else {}}
    return RemoteFunction(
        configuration=normalize_configuration(answer),
        alias_configuration=None,
        alias=None,
        attachments={},
    )


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"Layers": [LAYER]}, {"Layers": [{"Arn": LAYER, "CodeSize": 1}]}),
    ({"Layers": []}, {}),
    (
        {"VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}},
        {
            "VpcConfig": {
                "SubnetIds": ["subnet-2", "subnet-1"],
                "SecurityGroupIds": ["sg-1"],
                "VpcId": "vpc-1",
            }
        },
    ),
    ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}, {}),
    ({"Environment": {"Variables": {}}}, {}),
    (
        {"Environment": {"Variables": {"STAGE": "1"}}},
        {"Environment": {"Variables": {"STAGE": "1"}}},
    ),
    (
        {"SnapStart": {"ApplyOn": "None"}},
        {"SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}},
    ),
    ({"Architectures": ["x86_64"]}, {"Architectures": ["x86_64"]}),
    ({"KMSKeyArn": ""}, {}),
    ({"DeadLetterConfig": {"TargetArn": ""}}, {}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"MemorySize": 256}, {"MemorySize": 128}),
    ({"Layers": [LAYER]}, {}),
    ({"Layers": []}, {"Layers": [{"Arn": LAYER}]}),
    ({"VpcConfig": {"SubnetIds": []}}, {"VpcConfig": {"SubnetIds": ["subnet-1"]}}),
    ({"Environment": {"Variables": {}}}, {"Environment": {"Variables": {"STAGE": "1"}}}),
    ({"Environment": {"Variables": {"STAGE": "1"}}}, {}),
    ({"TracingConfig": {"Mode": "Active"}}, {"TracingConfig": {"Mode": "PassThrough"}}),
]


def test_every_parameter_of_a_new_function_can_be_compared_later() -> None:
    create = {*input_shape("CreateFunction").members}
    changeable = {*input_shape("UpdateFunctionConfiguration").members}
    changeable |= {*input_shape("UpdateFunctionCode").members}
    attached = {key for each in ATTACHMENTS for key in each.keys}
    identifiers = {"FunctionName", "Code", "Publish", "PublishTo"}

    assert create - changeable - attached - identifiers == {*plan._FIXED_AT_CREATION}


@pytest.mark.parametrize(("wanted", "actual"), SAME)
def test_what_is_the_same_is_no_change(
    archive: Archive, wanted: dict[str, Any], actual: dict[str, Any]
) -> None:
    found = make_plan(parameters(**wanted), archive, remote(**actual))

    assert found.is_empty
    assert str(found) == "unchanged"


@pytest.mark.parametrize(("wanted", "actual"), DIFFERENT)
def test_what_differs_is_the_only_change(
    archive: Archive, wanted: dict[str, Any], actual: dict[str, Any]
) -> None:
    found = make_plan(parameters(**wanted), archive, remote(**actual))

    assert found.configuration == wanted
    assert not found.code


SET: dict[str, Any] = {
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead"},
    "Description": "greets",
    "Environment": {"Variables": {"TOKEN": "old"}},
    "EphemeralStorage": {"Size": 1024},
    "FileSystemConfigs": [
        {
            "Arn": "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/"
            "fsap-0123456789abcdef0",
            "LocalMountPath": "/mnt/data",
        }
    ],
    "KMSKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/one",
    "Layers": [LAYER],
    "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/others"},
    "MemorySize": 512,
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "Timeout": 30,
    "TracingConfig": {"Mode": "Active"},
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
}
AS_READ = {**SET, "Layers": [{"Arn": LAYER}], "VpcConfig": {**SET["VpcConfig"], "VpcId": "vpc-1"}}
BARE: dict[str, Any] = {
    "Description": "",
    "EphemeralStorage": {"Size": 512},
    "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"},
    "MemorySize": 128,
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""},
}


def test_what_none_takes_away_is_all_that_can_be_configured() -> None:
    configurable = {*input_shape("UpdateFunctionConfiguration").members}
    always = {"FunctionName", "RevisionId", "Role", "Handler", "Runtime"}
    at_creation = {"CapacityProviderConfig", "DurableConfig"}  # changed, but never taken away
    of_images = {"ImageConfig"}

    assert configurable - always - at_creation == REMOVABLE
    assert {*SET} == REMOVABLE - of_images


def test_what_the_function_has_beyond_the_settings_is_mentioned_and_stays(archive: Archive) -> None:
    found = make_plan(parameters(), archive, remote(**AS_READ))

    assert found.is_empty
    assert found.describe_unnamed() == ", ".join(sorted(SET))


@pytest.mark.parametrize("none", [False, True])
def test_it_is_reset_if_it_is_none_and_by_prune(archive: Archive, none: bool) -> None:
    wanted = parameters(**dict.fromkeys(SET, "none")) if none else parameters()

    found = make_plan(wanted, archive, remote(**AS_READ), prune=not none)

    assert {change.key.split(".")[0] for change in found.changes} == {*SET}
    defaults = default_configuration("hello")
    assert found.configuration == {key: defaults[key] for key in SET}


@pytest.mark.parametrize("settings", [{}, dict.fromkeys(SET, "none")])
def test_what_lambda_does_anyway_is_not_beyond_the_settings(
    archive: Archive, settings: dict[str, Any]
) -> None:
    found = make_plan(parameters(**settings), archive, remote(**BARE), prune=True)

    assert found.is_empty
    assert found.describe_unnamed() == ""


def test_a_part_of_a_parameter_is_mentioned_by_its_full_name(archive: Archive) -> None:
    actual = remote(VpcConfig={**SET["VpcConfig"], "Ipv6AllowedForDualStack": True})
    wanted = parameters(VpcConfig=SET["VpcConfig"])

    assert make_plan(wanted, archive, actual).describe_unnamed() == (
        "VpcConfig.Ipv6AllowedForDualStack"
    )
    pruned = make_plan(wanted, archive, actual, prune=True)
    assert pruned.configuration == {
        "VpcConfig": {**SET["VpcConfig"], "Ipv6AllowedForDualStack": False}
    }


def test_callers_lose_it_even_if_only_their_version_has_it(archive: Archive) -> None:
    aliased = Function(name="hello", key="aws.functions.hello", parameters=BASE, alias="live")
    behind = normalize_configuration({"Configuration": {**BASE, "CodeSha256": "same", **AS_READ}})
    interrupted = replace(
        remote(**BARE),
        alias={"Name": "live", "FunctionVersion": "1"},
        alias_configuration={**behind, "Version": "1", "Description": "a commit"},
    )

    found = make_plan(validate_function(aliased), archive, interrupted, prune=True)

    assert (
        "Description"
        not in make_plan(validate_function(aliased), archive, interrupted).describe_unnamed()
    )
    assert [change.key for change in found.changes] == ["alias live"]
    assert found.alias


def test_a_package_for_another_machine_than_the_function_is_refused(archive: Archive) -> None:
    with pytest.raises(FunctionError, match="hello runs on arm64, and the package is for x86_64"):
        make_plan(parameters(), archive, remote(Architectures=["arm64"]))


def test_another_architecture_is_a_change_of_the_code(archive: Archive) -> None:
    found = make_plan(
        parameters(Architectures=["arm64"]), archive, remote(Architectures=["x86_64"])
    )

    assert (str(found), found.code) == ("update Architectures", True)


def test_an_image_is_compared_by_its_uri() -> None:
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello:1"
    image = {"Role": ROLE, "Code": {"ImageUri": uri}}
    function = Function(name="hello", key="aws.functions.hello", source=(), parameters=image)

    same, other = (
        make_plan(validate_function(function), None, remote(each, PackageType="Image"))
        for each in (uri, f"{uri}2")
    )

    assert same.is_empty
    assert [change.format_line() for change in other.changes] == [f"~ code  {uri}2 -> {uri}"]


DIGESTS = ["sha256:" + each * 64 for each in "ab"]


@pytest.mark.parametrize(
    ("resolved", "digest", "line"),
    [
        (f"@{DIGESTS[0]}", DIGESTS[0], None),
        (f"@{DIGESTS[0]}", DIGESTS[1], f"~ code  {DIGESTS[0]} -> {DIGESTS[1]}"),
        (f"@{DIGESTS[0]}", None, None),
        (":1", DIGESTS[1], None),
    ],
    ids=["same", "moved", "unknown", "unresolved"],
)
def test_a_tag_that_has_moved_is_a_change(resolved: str, digest: str, line: str | None) -> None:
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello:1"
    image = {"Role": ROLE, "Code": {"ImageUri": uri}}
    function = Function(name="hello", key="aws.functions.hello", source=(), parameters=image)
    now = remote(uri, PackageType="Image")
    configuration = {**now.configuration, "ResolvedImageUri": uri.removesuffix(":1") + resolved}

    found = make_plan(
        validate_function(function),
        None,
        replace(now, configuration=configuration, image_digest=digest),
    )

    assert [change.format_line() for change in found.changes] == ([line] if line else [])
    assert found.code is bool(line)


def test_how_the_code_is_stored_makes_no_other_version(archive: Archive) -> None:
    now = remote(SourceKMSKeyArn="")
    key = "arn:aws:kms:eu-west-1:123456789012:key/one"
    stored = {**now.configuration, "SourceKMSKeyArn": key}
    function = Function(
        name="hello",
        key="aws.functions.hello",
        alias="live",
        parameters={**BASE, "Code": {"SourceKMSKeyArn": key}},
    )
    behind = {**now.configuration, "Version": "1"}

    found = make_plan(
        validate_function(function),
        archive,
        replace(now, configuration=stored, alias_configuration=behind, alias={}),
    )

    assert found.is_empty


def test_a_zip_never_becomes_an_image(archive: Archive) -> None:
    with pytest.raises(FunctionError, match="has PackageType Image, but the settings say Zip"):
        make_plan(parameters(), archive, remote(PackageType="Image"))


def test_after_a_failed_update_everything_is_written_again(archive: Archive) -> None:
    found = make_plan(parameters(), archive, remote(LastUpdateStatus="Failed"))

    assert found.configuration == {key: BASE[key] for key in BASE}
    assert found.code


def test_a_function_that_failed_at_its_creation_has_no_plan(archive: Archive) -> None:
    failed = remote(State="Failed", StateReasonCode="InvalidSubnet", StateReason="none such")

    with pytest.raises(FunctionError, match=r"could not create hello\.(?s:.*)InvalidSubnet: none"):
        make_plan(parameters(), archive, failed)


def test_values_of_variables_are_masked_unless_they_are_asked_for(archive: Archive) -> None:
    wanted = parameters(Environment={"Variables": {"NEW": "1", "STAGE": "2"}})
    actual = remote(Environment={"Variables": {"OLD": "0", "STAGE": "1"}})

    changes = make_plan(wanted, archive, actual).changes

    assert [change.format_line() for change in changes] == [
        "+ Environment.Variables.NEW  ***",
        "~ Environment.Variables.STAGE  *** -> ***",
        "- Environment.Variables.OLD  ***",
    ]
    assert changes[1].format_line(show_values=True) == "~ Environment.Variables.STAGE  1 -> 2"


def test_a_secret_is_masked_in_any_case(archive: Archive) -> None:
    wanted = parameters(Environment={"Variables": {"KEY": Secret("hunter2")}})

    (change,) = make_plan(wanted, archive, remote()).changes

    assert change.format_line(show_values=True) == "+ Environment.Variables.KEY  ***"
    assert "hunter2" not in repr(change)
