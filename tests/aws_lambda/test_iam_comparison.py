"""A comparison never takes for allowed what a policy may refuse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import text

from tasks_aws.aws_lambda.iam_actions import Scope
from tasks_aws.aws_lambda.iam_comparison import (
    Finding,
    _covers,
    _may_be_equal,
    compare,
    parse_statements,
)
from tasks_aws.aws_lambda.iam_policy import Permission, make_policies
from tasks_aws.commands.permissions import list_needed
from tasks_aws.config.load import load
from tests.aws_lambda.describe import HELLO
from tests.aws_lambda.test_iam_policy import ACCOUNT, ALL, IMAGE_FUNCTION, REGION
from tests.policy_proof.scenarios import LAYERS

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/hello"
PASSED = {"iam:PassedToService": "lambda.amazonaws.com"}


def permission(action: str, scope: Scope) -> Permission:
    return Permission(action=action, scope=scope, name="hello", setting="aws.functions.hello")


CREATE = permission("lambda:CreateFunction", Scope("Functions", (FUNCTION, f"{FUNCTION}:*")))
LIST = permission("logs:DescribeLogGroups", Scope("AnyResource", ("*",)))
PASS = permission(
    "iam:PassRole",
    Scope("PassRole", (ROLE,), "StringEquals", "iam:PassedToService", ("lambda.amazonaws.com",)),
)


def found(needed: Permission, *statements: dict[str, Any], **limits: Any) -> set[str]:
    """Return what is found; an Effect of Allow may be left out."""
    parsed = parse_statements({"Statement": [{"Effect": "Allow", **each} for each in statements]})
    return {each.finding.value for each in compare([needed], parsed, **limits)}


EXACT = {"Action": "lambda:CreateFunction", "Resource": [FUNCTION, f"{FUNCTION}:*"]}
FULL = {"Action": "*", "Resource": "*"}
ALLOWING: list[tuple[Permission, dict[str, Any]]] = [
    (CREATE, EXACT),
    (CREATE, {**EXACT, "Action": "LAMBDA:createfunction"}),
    (CREATE, {"Action": ["lambda:Create*"], "Resource": f"{FUNCTION}*"}),
    (CREATE, {"Action": "lambda:CreateFunctio?", "Resource": "arn:aws:lambda"}),
    (CREATE, {"NotAction": "iam:*", "Resource": "*"}),
    (CREATE, {"Action": "*", "NotResource": "arn:aws:s3:::*"}),
    (LIST, FULL),
    (PASS, {"Action": "iam:PassRole", "Resource": ROLE}),
    (PASS, {"Action": "iam:PassRole", "Resource": ROLE, "Condition": {"StringEquals": PASSED}}),
    (PASS, {**FULL, "Condition": {"StringLike": {"IAM:passedtoservice": ["ec2.*", "lambda.*"]}}}),
]
REFUSING: list[tuple[Permission, dict[str, Any]]] = [
    (CREATE, {**EXACT, "Action": "lambda:UpdateFunctionCode"}),
    (CREATE, {**EXACT, "Resource": "arn:aws:lambda:*:*:function:other*"}),
    (CREATE, {"NotAction": ["lambda:*"], "Resource": "*"}),
    (CREATE, {"Action": "*", "NotResource": "arn:aws:lambda:*:*:function:*"}),
    (CREATE, {"Action": "*", "Resource": "arn:aws:lambda:eu-*:function:*"}),  # no colon in a part
]
UNDECIDED: list[tuple[Permission, list[dict[str, Any]]]] = [
    (CREATE, [{**EXACT, "Resource": FUNCTION + "${aws:PrincipalTag/x}"}]),
    (CREATE, [{**EXACT, "Resource": f"{FUNCTION}:?"}]),
    (LIST, [{"Action": "logs:*", "Resource": "arn:aws:logs:*:*:*"}]),
    (CREATE, [{**EXACT, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}]),
    (CREATE, [{"Action": "*", "NotResource": f"{FUNCTION}:live"}]),
    (CREATE, [FULL, {**FULL, "Effect": "Deny", "Condition": {"Bool": {"aws:x": "true"}}}]),
    (CREATE, [FULL, {**EXACT, "Effect": "Deny", "Resource": f"{FUNCTION}:1"}]),
    (PASS, [{**FULL, "Condition": {"StringEqualsIfExists": PASSED}}]),
    (PASS, [{**FULL, "Condition": {"StringEquals": {**PASSED, "aws:x": "y"}}}]),
    (PASS, [{**FULL, "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}]),
]


@pytest.mark.parametrize(("needed", "statement"), ALLOWING)
def test_what_is_allowed_is_not_missing(needed: Permission, statement: dict[str, Any]) -> None:
    assert not found(needed, statement) & {"missing", "cannot tell"}


@pytest.mark.parametrize(("needed", "statement"), REFUSING)
def test_what_is_not_allowed_is_missing(needed: Permission, statement: dict[str, Any]) -> None:
    assert "missing" in found(needed, statement)


@pytest.mark.parametrize(("needed", "statements"), UNDECIDED)
def test_what_cannot_be_told_is_said_to_be_so(
    needed: Permission, statements: list[dict[str, Any]]
) -> None:
    assert "cannot tell" in found(needed, *statements)
    assert not {"missing", "cannot tell"} & found(needed, *statements, FULL) or any(
        each.get("Effect") == "Deny" for each in statements
    )


def test_a_deny_counts_more_than_any_allow() -> None:
    for denied in ({"Action": "lambda:Create*"}, {"NotAction": "s3:*"}):
        deny = {"Effect": "Deny", "Resource": "*", **denied}
        assert "missing" in found(CREATE, FULL, EXACT, deny)


def test_a_boundary_has_to_allow_it_too() -> None:
    def limit(**statement: Any) -> Any:
        return parse_statements({"Statement": {"Effect": "Allow", "Resource": "*", **statement}})

    assert "missing" in found(CREATE, EXACT, boundary=limit(Action="s3:*"))
    assert found(CREATE, EXACT, boundary=limit(Action="lambda:*")) == set()


@pytest.mark.parametrize(
    ("needed", "statement", "finding"),
    [
        (CREATE, {**EXACT, "Action": ["lambda:CreateFunction", "s3:GetObject"]}, "superfluous"),
        (CREATE, {**EXACT, "Resource": [*EXACT["Resource"], f"{FUNCTION}2"]}, "superfluous"),
        (CREATE, {**EXACT, "Action": "lambda:Create*"}, "wider than needed"),
        (CREATE, {**EXACT, "Resource": f"{FUNCTION}*"}, "wider than needed"),
        (CREATE, {"NotAction": "iam:*", "Resource": "*"}, "wider than needed"),
        (PASS, {"Action": "iam:PassRole", "Resource": ROLE}, "wider than needed"),
    ],
)
def test_what_nothing_needs_is_found(
    needed: Permission, statement: dict[str, Any], finding: str
) -> None:
    assert found(needed, statement) == {finding}


@pytest.mark.parametrize("function", [{**HELLO, **ALL}, IMAGE_FUNCTION], ids=["zip", "image"])
def test_what_is_printed_is_neither_too_little_nor_too_much(function: dict[str, Any]) -> None:
    settings = load(
        {"functions": {"hello": function}, "layers": LAYERS}, project=Path(), environ={}
    )
    functions = [*settings.functions.values()]
    described = [*functions, *settings.layers_of(functions)]
    needed = [*list_needed(described, ACCOUNT, REGION, ["deploy", "destroy", "logs"])]
    statements = [
        each for document in make_policies(needed) for each in parse_statements(dict(document))
    ]

    assert compare(needed, statements) == []
    for left_out in statements:
        others = [each for each in statements if each is not left_out]
        lacking = {each.finding for each in compare(needed, others)}
        assert lacking
        assert lacking <= {Finding.MISSING, Finding.UNDECIDED}


def matched(pattern: str) -> Iterator[str]:
    return (each for each in TEXTS if _covers(pattern, each))


TEXTS = ["".join(each) for length in range(5) for each in product("ab", repeat=length)]
PATTERNS = text("ab*?", max_size=4)


@given(PATTERNS, PATTERNS)
def test_a_pattern_covers_another_only_if_it_matches_all_that_the_other_does(
    one: str, other: str
) -> None:
    if _covers(one, other):
        assert {*matched(other)} <= {*matched(one)}
    if not _may_be_equal(one, other):
        assert not {*matched(one)} & {*matched(other)}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"Version": "2012-10-17"},
        {"Statement": "Allow"},
        {"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]},
        {"Statement": {"Effect": "Allow", "Action": "*"}},
        {"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}},
        {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": "x"}},
        {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}},
    ],
)
def test_what_is_no_policy_of_a_role_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_statements(document)
