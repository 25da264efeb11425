"""The partition of a region is the one that botocore names, and never guessed."""

from __future__ import annotations

import botocore.session
import pytest

from tasks_aws.auth.partitions import partition_of
from tasks_aws.errors import SettingsError


def test_each_region_is_in_the_partition_that_botocore_names() -> None:
    session = botocore.session.Session()
    known = {
        region: partition["id"]
        for partition in session.get_data("partitions")["partitions"]
        for region in partition["regions"]
    }

    assert {region: partition_of(region) for region in known} == known


@pytest.mark.parametrize(
    "region", ["", "mars-north-1", "us-isox-east-1", "eu-west-1.example.com", "eusc-fr-west-1"]
)
def test_a_region_that_nobody_knows_is_in_no_partition(region: str) -> None:
    with pytest.raises(SettingsError, match="partition of the region"):
        partition_of(region)
