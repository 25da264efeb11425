from __future__ import annotations

from tasks_aws.local.differences import for_ministack


def test_a_policy_gets_what_ministack_takes_its_actions_for() -> None:
    policy = {"Statement": {"Effect": "Allow", "Action": "lambda:*Alias", "Resource": "arn:x"}}

    own, extra = for_ministack([policy])

    assert own["Statement"] == [policy["Statement"]]
    assert extra["Statement"][0]["Action"] == ["lambda:ListAliases"]


def test_nothing_is_added_to_what_is_the_same_there() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}]}

    assert for_ministack([policy]) == [policy]


def test_what_is_in_another_partition_is_allowed_where_ministack_has_it() -> None:
    role = "arn:aws-cn:iam::123456789012:role/Deployer"
    statement = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [role]}

    (policy,) = for_ministack([{"Statement": [statement]}])

    assert policy["Statement"][0]["Resource"] == [role, role.replace("aws-cn", "aws")]


def test_conditions_that_ministack_knows_stay() -> None:
    passed = {"iam:PassedToService": ["lambda.amazonaws.com"]}
    function = {"lambda:FunctionArn": ["arn:x"]}
    statement = {"Effect": "Allow", "Action": ["sqs:X"], "Resource": "*"}

    (policy,) = for_ministack(
        [
            {
                "Statement": [
                    {**statement, "Condition": {"StringEquals": {**passed, **function}}},
                    {**statement, "Condition": {"ArnLike": function}},
                ]
            }
        ]
    )

    assert policy["Statement"] == [{**statement, "Condition": {"StringEquals": passed}}, statement]


def test_a_parameter_is_allowed_by_its_arn_too() -> None:
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter"
    statement = {"Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": [f"{arn}/a/b"]}

    (own,) = for_ministack([{"Version": "2012-10-17", "Statement": [statement]}])

    assert own["Statement"][0]["Resource"] == [f"{arn}/a/b", f"{arn}/{arn}/a/b"]
