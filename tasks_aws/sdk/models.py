"""botocore's models of AWS's services, each read once for all sessions of a process."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.loaders
import botocore.session
from botocore.exceptions import ConfigParseError, ProfileNotFound
from botocore.model import ServiceModel

from ..process.garbage_collection import paused_collection


def share_models(session: botocore.session.Session) -> None:
    """Let a session have the models and the list of endpoints that others have read."""
    session.lazy_register_component("data_loader", lambda: _loader_of(session))


@cache
@paused_collection()
def service_model(service: str) -> ServiceModel:
    """Return the model of a service."""
    session = botocore.session.Session(include_builtin_handlers=False)  # these take long
    share_models(session)
    return session.get_service_model(service)


def _loader_of(session: botocore.session.Session) -> Any:
    try:
        return _loader(session.get_config_variable("data_path"))
    except (ConfigParseError, ProfileNotFound):  # whoever needs the AWS config file tells of it
        return _loader(None)


@cache
def _loader(data_path: str | None) -> Any:
    return botocore.loaders.create_loader(data_path)
