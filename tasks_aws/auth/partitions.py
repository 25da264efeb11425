"""AWS's partitions: which one a region is in, without the import of botocore."""

from __future__ import annotations

import re

from ..errors import SettingsError

# As in botocore's partitions.json. A name that only begins like one of these is in none: AWS may
# have named a partition so since.
_REGIONS = {
    "aws": r"(?:af|ap|ca|eu|il|me|mx|sa|us)-\w+-\d+",
    "aws-cn": r"cn-\w+-\d+",
    "aws-eusc": r"eusc-de-\w+-\d+",
    "aws-iso": r"us-iso-\w+-\d+",
    "aws-iso-b": r"us-isob-\w+-\d+",
    "aws-iso-e": r"eu-isoe-\w+-\d+",
    "aws-iso-f": r"us-isof-\w+-\d+",
    "aws-us-gov": r"us-gov-\w+-\d+",
}


def partition_of(region: str) -> str:
    """Return the partition of a region. Raises `SettingsError` if there is none that we know.

    >>> [partition_of(region) for region in ("eu-west-1", "cn-north-1", "us-gov-west-1")]
    ['aws', 'aws-cn', 'aws-us-gov']
    """
    for partition, pattern in _REGIONS.items():
        if re.fullmatch(rf"{pattern}|{partition}-global", region, re.ASCII):
            return partition
    raise SettingsError(
        f"The partition of the region {region} is unknown.",
        why="It determines the hosts that credentials may be sent to.",
        fix="Check `aws.region`, --region and AWS_REGION; for a new region, update tasks-aws.",
    )
