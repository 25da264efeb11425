"""How what a description names is created on the embedded AWS: with the calls of AWS itself.

What exists stays as it is, but for policies and values, which are those of the settings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from botocore.exceptions import ClientError

from ..auth.boto_session import botocore_session
from ..aws_lambda.iam_policy import Policy
from ..errors import TasksAwsError
from ..ui.aws_errors import error_message
from .description import Description, Place, Resource, Role, Stored, User
from .differences import for_ministack

# Any secret will do: an access key of twelve digits is the root of that account.
_ROOT_SECRET = "test"  # noqa: S105
_EMPTY_ZIP = b"PK\5\6" + bytes(18)
_KEY = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
_EXIST = (
    "EntityAlreadyExists",
    "ResourceInUseException",
    "ResourceExistsException",
    "ResourceAlreadyExistsException",
    "AlreadyExistsException",
    "BucketAlreadyOwnedByYou",
    "BucketAlreadyExists",
    "QueueAlreadyExists",
)

Client = Callable[[str, Place], Any]
Keys = dict[str | None, tuple[str, str]]


def create(description: Description, client: Client) -> None:
    """Create everything but the access keys of users. `client` makes the client of a service.

    Raises `TasksAwsError` for a resource that cannot be created.
    """
    for user in description.users:
        _create_user(user, client)
    for role in description.roles:
        _create_role(role, client)
    for resource in description.resources:
        try:
            with _existing():
                _CREATE[resource.service](resource, _client_there(resource.place, client))
        except ClientError as error:
            raise TasksAwsError(
                f"MiniStack could not create {resource.name} ({resource.service}), which the "
                "settings name.",
                why=error_message(error),
            ) from error
    for stored in description.stored:
        _STORE[stored.kind](stored, client)


def make_keys(users: Iterable[User], known: Keys, client: Client) -> Keys:
    """Return an access key for each user, by profile; those that are known stay."""
    made = dict(known)
    for user in users:
        if user.profile not in made:
            key = client("iam", user.place).create_access_key(UserName=user.name)["AccessKey"]
            made[user.profile] = key["AccessKeyId"], key["SecretAccessKey"]
    return made


def root_clients(endpoint: str, config_files: Sequence[str]) -> Client:
    """Return what makes clients of an embedded AWS that may do everything in any account."""
    session = botocore_session(None, config_files)
    make: Any = session.create_client

    @cache
    def client(service: str, place: Place) -> Any:
        return make(
            service,
            region_name=place.region,
            endpoint_url=endpoint,
            aws_access_key_id=place.account_id,
            aws_secret_access_key=_ROOT_SECRET,
        )

    return client


def _client_there(place: Place, client: Client) -> Callable[[str], Any]:
    return lambda service: client(service, place)


@contextmanager
def _existing() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _EXIST:
            raise


def _create_user(user: User, client: Client) -> None:
    iam = client("iam", user.place)
    with _existing():
        iam.create_user(UserName=user.name)
    put = partial(iam.put_user_policy, UserName=user.name)
    _put_policies(
        user.policies, put, iam.list_user_policies, iam.delete_user_policy, UserName=user.name
    )


def _create_role(role: Role, client: Client) -> None:
    _, _, _, _, account, resource = role.arn.split(":", 5)
    path, _, name = resource.removeprefix("role").rpartition("/")
    iam = client("iam", Place(account))
    trust = json.dumps(role.trust)
    with _existing():
        iam.create_role(RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=trust)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    put = partial(iam.put_role_policy, RoleName=name)
    _put_policies(role.policies, put, iam.list_role_policies, iam.delete_role_policy, RoleName=name)


def _put_policies(
    policies: Sequence[Policy],
    put: Callable[..., Any],
    list_names: Callable[..., Any],
    delete: Callable[..., Any],
    **of: str,
) -> None:
    """Make policies the only ones that a user or a role has."""
    made = {f"local-{number}": each for number, each in enumerate(for_ministack(policies), 1)}
    for name, policy in made.items():
        put(PolicyName=name, PolicyDocument=json.dumps(policy))
    for name in list_names(**of)["PolicyNames"]:
        if name not in made:
            delete(PolicyName=name, **of)


def _create_bucket(bucket: Resource, client: Callable[[str], Any]) -> None:
    region = bucket.place.region
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    name = bucket.name.partition("/")[0]
    client("s3").create_bucket(Bucket=name, **({} if region == "us-east-1" else elsewhere))


def _create_queue(queue: Resource, client: Callable[[str], Any]) -> None:
    fifo = {"FifoQueue": "true"} if queue.name.endswith(".fifo") else {}
    client("sqs").create_queue(QueueName=queue.name, Attributes=fifo)


def _create_topic(topic: Resource, client: Callable[[str], Any]) -> None:
    fifo = {"FifoTopic": "true"} if topic.name.endswith(".fifo") else {}
    client("sns").create_topic(Name=topic.name, Attributes=fifo)


def _create_stream(stream: Resource, client: Callable[[str], Any]) -> None:
    name = stream.name.split("/")[1]  # stream/NAME, perhaps with a consumer
    client("kinesis").create_stream(StreamName=name, ShardCount=1)


def _create_table(table: Resource, client: Callable[[str], Any]) -> None:
    client("dynamodb").create_table(
        TableName=table.name.split("/")[1],  # table/NAME, perhaps with its stream
        **_KEY,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def _create_bus(bus: Resource, client: Callable[[str], Any]) -> None:
    kind, _, name = bus.name.partition("/")
    if kind == "event-bus" and name != "default":
        client("events").create_event_bus(Name=name)


def _create_key(key: Resource, client: Callable[[str], Any]) -> None:
    """Create the key that an alias stands for: nobody can choose the ID of one."""
    if key.name.startswith("alias/"):
        kms = client("kms")
        names = [each["AliasName"] for each in kms.list_aliases()["Aliases"]]
        if key.name not in names:
            made = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=key.name, TargetKeyId=made)


def _create_layer(layer: Resource, client: Callable[[str], Any]) -> None:
    """Publish empty versions of a layer up to the one that is named, for all accounts to use."""
    _, name, version = layer.name.split(":")
    functions = client("lambda")
    published = functions.list_layer_versions(LayerName=name)["LayerVersions"]
    newest = max((each["Version"] for each in published), default=0)
    for _ in range(newest, int(version)):
        made = functions.publish_layer_version(LayerName=name, Content={"ZipFile": _EMPTY_ZIP})
        functions.add_layer_version_permission(
            LayerName=name,
            VersionNumber=made["Version"],
            StatementId="everybody",
            Action="lambda:GetLayerVersion",
            Principal="*",
        )


_CREATE: dict[str, Callable[[Resource, Callable[[str], Any]], None]] = {
    "s3": _create_bucket,
    "sqs": _create_queue,
    "sns": _create_topic,
    "kinesis": _create_stream,
    "dynamodb": _create_table,
    "events": _create_bus,
    "kms": _create_key,
    "lambda": _create_layer,
}


def _store_parameter(stored: Stored, client: Client) -> None:
    client("ssm", stored.place).put_parameter(
        Name=stored.name, Value=stored.values[None], Type="String", Overwrite=True
    )


def _store_secret(stored: Stored, client: Client) -> None:
    keys = {key: each for key, each in stored.values.items() if key is not None}
    text = json.dumps(keys) if keys else stored.values[None]
    secrets = client("secretsmanager", stored.place)
    with _existing():
        secrets.create_secret(Name=stored.name, SecretString=text)
    secrets.put_secret_value(SecretId=stored.name, SecretString=text)


def _store_stack(stored: Stored, client: Client) -> None:
    stacks = client("cloudformation", stored.place)
    template = {
        "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
        "Outputs": {str(name): {"Value": each} for name, each in stored.values.items()},
    }
    stack = {"StackName": stored.name, "TemplateBody": json.dumps(template)}
    try:
        with _existing():
            stacks.create_stack(**stack)
            return
        stacks.update_stack(**stack)
    except ClientError as error:
        if "No updates" not in str(error):
            raise


_STORE: dict[str, Callable[[Stored, Client], None]] = {
    "ssm": _store_parameter,
    "secret": _store_secret,
    "cfn": _store_stack,
}
