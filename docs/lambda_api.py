"""Which operations of the Lambda API are called, by which task or setting, and why not others.

What the installed botocore's model has and neither list knows fails a test, so that a new
operation is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks_aws.aws_lambda.attachments import ATTACHMENTS
from tasks_aws.aws_lambda.iam_actions import TASKS, Need
from tasks_aws.aws_lambda.iam_policy import all_needs
from tasks_aws.sdk.models import service_model

# IAM actions that are not named like the operations that they allow.
_OPERATIONS = {"InvokeFunction": ("Invoke", "InvokeWithResponseStream")}

_CAPACITY = (
    "Capacity providers are infrastructure that functions share: create them with CloudFormation "
    "or Terraform, and name one in `CapacityProviderConfig`."
)
_SIGNING = (
    "Code signing configurations belong to the account: create them there, and name one in "
    "`CodeSigningConfigArn`."
)
_DURABLE = "Called by the durable function itself, through AWS's SDK for it."
_CALLBACK = "Called by the system that a durable function waits for."
_EXECUTION = "For one durable execution: use the console or the AWS CLI."
_POLICY = "Replaces the policy as a whole; `permissions` adds and removes single statements of it."
_NAMES = "Functions and layers are found by the names in the settings."
_ALIASES = "Each alias is asked about by itself."
_HAS_IT = "GetFunction returns it."

NOT_CALLED: Mapping[str, str] = {
    "CheckpointDurableExecution": _DURABLE,
    "CreateCapacityProvider": _CAPACITY,
    "CreateCodeSigningConfig": _SIGNING,
    "DeleteCapacityProvider": _CAPACITY,
    "DeleteDurableExecution": _EXECUTION,
    "DeleteCodeSigningConfig": _SIGNING,
    "DeleteResourcePolicy": _POLICY,
    "GetAccountSettings": "No task needs the account's limits.",
    "GetCapacityProvider": _CAPACITY,
    "GetCodeSigningConfig": _SIGNING,
    "GetDurableExecution": _EXECUTION,
    "GetDurableExecutionHistory": _EXECUTION,
    "GetDurableExecutionState": _DURABLE,
    "GetFunctionConcurrency": _HAS_IT,
    "GetFunctionConfiguration": _HAS_IT,
    "GetLayerVersionByArn": "GetLayerVersion returns the same.",
    "GetResourcePolicy": _POLICY,
    "InvokeAsync": "Deprecated by AWS: `invoke --async` calls Invoke.",
    "ListCapacityProviders": _CAPACITY,
    "ListCodeSigningConfigs": _SIGNING,
    "ListFunctionEventInvokeConfigs": _ALIASES,
    "ListFunctionVersionsByCapacityProvider": _CAPACITY,
    "ListFunctions": _NAMES,
    "ListFunctionsByCodeSigningConfig": _SIGNING,
    "ListLayers": _NAMES,
    "ListProvisionedConcurrencyConfigs": _ALIASES,
    "PauseDurableExecution": _EXECUTION,
    "PutResourcePolicy": _POLICY,
    "ResumeDurableExecution": _EXECUTION,
    "SendDurableExecutionCallbackFailure": _CALLBACK,
    "SendDurableExecutionCallbackHeartbeat": _CALLBACK,
    "SendDurableExecutionCallbackSuccess": _CALLBACK,
    "StopDurableExecution": _EXECUTION,
    "UpdateCapacityProvider": _CAPACITY,
    "UpdateCodeSigningConfig": _SIGNING,
    "UpdateFunctionEventInvokeConfig": "PutFunctionEventInvokeConfig sets the whole of it.",
}


def lambda_api_rows() -> Iterator[tuple[str, str, str]]:
    """Yield each operation, the tasks that call it, and the settings or reasons.

    Those of a botocore that is newer than the installed one are among them.
    """
    called = {operation: [*needs] for operation, needs in _called().items()}
    for operation in sorted({*service_model("lambda").operation_names, *NOT_CALLED}):
        needs = called.get(operation, [])
        tasks = [f"`{each}`" for each in TASKS if any(each in need.tasks for need in needs)]
        yield operation, ", ".join(tasks), _because(operation, needs)


def unknown_operations() -> list[str]:
    """Return the operations that are neither called nor left out for a reason."""
    return [
        each
        for each in service_model("lambda").operation_names
        if each not in _called() and each not in NOT_CALLED
    ]


def _because(operation: str, needs: list[Need]) -> str:
    if not needs:
        return NOT_CALLED.get(operation, "")
    keys = [
        key
        for attachment in ATTACHMENTS
        if any(need in needs for need in attachment.actions)
        for key in attachment.keys
    ]
    return ", ".join(f"`{each}`" for each in keys)


def _called() -> dict[str, list[Need]]:
    called: dict[str, list[Need]] = {}
    for need in all_needs():
        for action in need.actions:
            service, _, name = action.partition(":")
            for operation in _OPERATIONS.get(name, (name,)) if service == "lambda" else ():
                called.setdefault(operation, []).append(need)
    return called
