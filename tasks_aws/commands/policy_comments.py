"""What the statements of the policies allow, in words."""

from __future__ import annotations

from collections.abc import Iterable

from ..aws_lambda.iam_policy import Policy

# By what a Sid begins with: the purpose of the scopes beside the calls.
PURPOSES = {
    "AllSchedules": "Schedules that invoke a function, also those that no setting names.",
    "AnyResource": "Read-only actions that AWS cannot restrict to a resource.",
    "Archives": "Archives in the bucket: they are uploaded, and Lambda reads them.",
    "Bucket": "Which archives the bucket has already.",
    "CapacityProviders": "Functions may run on these capacity providers.",
    "CodeSigning": "Functions may require signed code.",
    "EncryptionKeys": "Keys that encrypt what is deployed.",
    "EventSourceTags": "Tags of event source mappings.",
    "EventSources": "Event source mappings of the functions, and of no others.",
    "FileSystems": "Functions may mount these file systems.",
    "Functions": "The functions with their versions and aliases, and what is attached to them.",
    "Images": "The images that functions are made of.",
    "LayerVersions": "Versions of layers.",
    "Layers": "New versions of these layers.",
    "LogGroups": "The log groups of the functions.",
    "NewEventSources": "New event source mappings of the functions, and of no others.",
    "Parameters": "Parameters that settings refer to.",
    "PassRole": "Functions may be given these roles, and nothing else may.",
    "PassScheduleRole": "Schedules may invoke functions with these roles.",
    "Schedules": "The schedules of the functions.",
    "Secrets": "Secrets that settings refer to.",
    "Stacks": "Outputs of stacks that settings refer to.",
}


# By the Sid of a statement in a trust policy.
_TRUSTED = {
    "GitHub": "Jobs of GitHub Actions, of this repository and for these branches or tags.",
    "GitLab": "Jobs of GitLab, of this project and for these branches or tags.",
    "People": "Whoever may call sts:AssumeRole in this account, after an MFA code.",
    "PermissionSet": "People with this permission set of IAM Identity Center.",
}


def comment_statements(policies: Iterable[Policy]) -> dict[str, str]:
    """Return a comment for the line with the Sid of each statement."""
    sids = [str(each["Sid"]) for policy in policies for each in policy["Statement"]]
    return {f"- Sid: {sid}": _TRUSTED.get(sid) or PURPOSES[_purpose(sid)] for sid in sids}


def _purpose(sid: str) -> str:
    """Return what a Sid begins with, before names and numbers.

    >>> _purpose("EventSourcesHello2"), _purpose("LayersLib")
    ('EventSources', 'Layers')
    """
    return max((each for each in PURPOSES if sid.startswith(each)), key=len)
