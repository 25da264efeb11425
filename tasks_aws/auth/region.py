"""The region in force, and whether AWS has it.

The regions that botocore knows are read from its data, without its import: so a misspelt one is an
error before anything is sent, and a cached session is found as fast as ever.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ..config.settings import Settings
from ..errors import SettingsError
from ..process.loopback import is_local
from ..text.as_typed import command, settings_file
from ..ui.output import warn
from .aws_config import AwsConfig, sts_endpoint
from .resolve import is_anything_set

# Words of regions to come. A misspelt word is not among them, or those of the known regions.
_DIRECTIONS = {"northeast", "northwest", "southeast", "southwest"}


def region_of(
    settings: Settings,
    config: AwsConfig,
    environ: Mapping[str, str],
    *,
    profile: str | None,
) -> str:
    """Return the region in force. Raises `SettingsError` if there is none, or a misspelt one."""
    region = find_region(settings, config, environ, profile=profile)
    if region is None:
        raise _no_region(is_anything_set(settings, config, environ))
    return region


def find_region(
    settings: Settings,
    config: AwsConfig,
    environ: Mapping[str, str],
    *,
    profile: str | None,
) -> str | None:
    """Return the region, if there is one: the setting, the environment's, or the profile's.

    Raises `SettingsError` if it is a misspelt one.
    """
    in_force = config.in_force(profile)
    candidates = {
        f"`{settings.labels.get('region', 'aws.region')}`": settings.region,
        "The variable AWS_REGION": environ.get("AWS_REGION"),
        "The variable AWS_DEFAULT_REGION": environ.get("AWS_DEFAULT_REGION"),
        f"The AWS profile `{profile or 'default'}`": in_force.get("region"),
    }
    for named_by, region in candidates.items():
        if region:
            has_endpoint = bool(sts_endpoint(config, in_force, environ)) or any(
                name.startswith("AWS_ENDPOINT_URL") and url for name, url in environ.items()
            )
            check_region(region, named_by, may_be_any=has_endpoint and not is_local())
            return region
    return None


def check_region(region: str, named_by: str, *, may_be_any: bool = False) -> None:
    """Refuse a misspelt region, and warn of an unknown one unless an endpoint replaces AWS."""
    known = _known_regions()
    if not known or region.removeprefix("fips-").removesuffix("-fips") in known:
        return
    close = get_close_matches(region.lower(), known, n=5, cutoff=0.8)
    if close and not _may_exist(region, known):
        # The closest, or one of the same letters: difflib finds `us-esat-1` closest to us-west-1.
        meant = min(close, key=lambda each: sorted(each) != sorted(region))
        raise SettingsError(
            f"There is no AWS region `{region}`.",
            why=f"{named_by} names it.",
            fix=f"Did you mean `{meant}`?",
        )
    if not may_be_any:
        warn(f"{named_by} names the region {region}, which is not known to the installed botocore.")


def _may_exist(region: str, known: Collection[str]) -> bool:
    """Return whether a region is not misspelt, but unknown: of a new number, place or country."""
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", region):
        return False
    country, *place, _ = region.split("-")
    countries = {each.split("-")[0] for each in known}
    is_new = len(country) == 2 and country[::-1] not in countries  # `ue` is a misspelt `eu`
    words = {word for each in known for word in each.split("-")[1:-1]} | _DIRECTIONS
    return (country in countries or is_new) and words.issuperset(place)


@cache
def _known_regions() -> list[str]:
    """Return the regions of all partitions; none if botocore keeps them elsewhere by now."""
    try:
        found = importlib.util.find_spec("botocore")
        data = Path(str(found and found.origin)).parent / "data" / "partitions.json"
        partitions = json.loads(data.read_bytes())["partitions"]
        return [region for partition in partitions for region in partition["regions"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _no_region(has_source: bool) -> SettingsError:
    if has_source:
        return SettingsError(
            "No AWS region is set.",
            why="Neither `aws.region`, nor AWS_REGION, nor AWS_DEFAULT_REGION, nor the profile "
            "names one.",
            fix=f"Set `aws.region` in {settings_file()}, or run "
            f"`{command('assume --region REGION')}`.",
        )
    return SettingsError(
        "Neither an AWS region nor AWS credentials are set.",
        why="`aws.region` and `aws.profile` are not set, and the environment and the default "
        "profile have neither.",
        fix=f"Set `aws.region` and `aws.profile` in {settings_file()}, or run "
        f"`{command('assume --region REGION --profile PROFILE')}`. Where the machine has a "
        "role, the region is enough.",
    )
