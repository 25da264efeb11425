"""The URL of a function, or of its alias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Call, Step, compared, differences
from ..parameters import Parameters


def read(parameters: Parameters, account: Account, function: Mapping[str, Any] | None) -> Any:
    """Return what GetFunctionUrlConfig answers, if there is a URL."""
    if parameters.function.url is None:
        return None
    client = account.client("lambda")
    try:
        return client.get_function_url_config(FunctionName=parameters.name, **parameters.qualifier)
    except client.exceptions.ResourceNotFoundException:
        return None


def steps(parameters: Parameters, found: Any, *, prune: bool) -> Iterator[Step]:
    """Yield the creation of the URL, or the update of what differs."""
    url = parameters.function.url
    if url is None:
        return
    named = {"FunctionName": parameters.name, **parameters.qualifier}
    if found is None:
        create = Call(operation="create_function_url_config", parameters={**named, **url})
        yield Step(changes=tuple(differences("url", url, None)), calls=(create,))
        return
    changes, changed = compared("url", _comparable(url), _comparable(found))
    if changes:
        update = Call(
            operation="update_function_url_config",
            parameters={**named, **{key: url[key] for key in changed}},
        )
        yield Step(changes=changes, calls=(update,))


def _comparable(url: Mapping[str, Any]) -> dict[str, Any]:
    """Return a URL's configuration with the names of headers as AWS keeps them: in lower case."""
    cors = dict(url.get("Cors") or {})
    for key in ("AllowHeaders", "ExposeHeaders"):
        if key in cors:
            cors[key] = [header.lower() for header in cors[key]]
    return {**url, "Cors": cors}
