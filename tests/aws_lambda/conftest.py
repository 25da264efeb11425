"""A function that exists in the embedded AWS, and its settings."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.conftest import EmbeddedAws
from tests.support import Project

ROLE = "arn:aws:iam::000000000000:role"
SETTINGS: dict[str, Any] = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": f"{ROLE}/hello",
}
CODE = "def handler(event, context):\n    print('the log')\n    return event\n"


@dataclass(frozen=True)
class Hello:
    """The function `hello`: what the settings say of it, and what AWS has."""

    project: Project
    aws: EmbeddedAws

    def describe(self, *others: str, admin: bool = False, **changes: Any) -> None:
        """Write invoke.yaml; the deployer may do nothing with other functions than `hello`."""
        who: dict[str, Any] = {"profile": "developer", "role_arn": f"{ROLE}/deployer"}
        if admin:
            self.project.profile(
                "admin", aws_access_key_id="test", aws_secret_access_key="test", region="us-east-1"
            )
            who = {"profile": "admin"}
        described = {**SETTINGS, **changes}
        functions = {"hello": described, **dict.fromkeys(others, SETTINGS)}
        self.project.settings(account_id="000000000000", **who, functions=functions)

    def paste(self, text: str) -> dict[str, Any]:
        """Replace the functions of invoke.yaml by what `init` printed, and return them."""
        path = self.project.folder / "invoke.yaml"
        settings = yaml.safe_load(path.read_text())
        functions: dict[str, Any] = yaml.safe_load(text)["aws"]["functions"]
        settings["aws"]["functions"] = functions
        path.write_text(yaml.safe_dump(settings))
        return functions

    def create(self, *, code: str = CODE, versions: int = 0) -> None:
        """Create the function with so many versions, and the alias `live` for the newest."""
        client, archive = self.aws.functions(), io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", code)
        client.create_function(
            FunctionName="hello",
            Handler="app.handler",
            Runtime="python3.13",
            Role=f"{ROLE}/hello",
            Code={"ZipFile": archive.getvalue()},
        )
        self._settle()
        for number in range(versions):
            client.update_function_configuration(FunctionName="hello", Description=str(number))
            self._settle()
            client.publish_version(FunctionName="hello")
        if versions:
            client.create_alias(FunctionName="hello", Name="live", FunctionVersion=str(versions))

    def _settle(self) -> None:
        client: Any = self.aws.functions()
        for waiter in ("function_active_v2", "function_updated_v2"):
            client.get_waiter(waiter).wait(
                FunctionName="hello", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
            )

    def alias(self) -> dict[str, Any]:
        """Return the alias `live`."""
        return dict(self.aws.functions().get_alias(FunctionName="hello", Name="live"))

    def versions(self) -> list[str]:
        """Return the published versions."""
        found = self.aws.functions().list_versions_by_function(FunctionName="hello")["Versions"]
        return [each["Version"] for each in found if each["Version"] != "$LATEST"]

    def exists(self) -> bool:
        """Tell whether there is such a function."""
        names = [
            each["FunctionName"] for each in self.aws.functions().list_functions()["Functions"]
        ]
        return "hello" in names


@pytest.fixture
def hello(project: Project, aws: EmbeddedAws) -> Hello:
    """The function `hello`, described and with a source, and not created yet."""
    (project.folder / "src").mkdir(exist_ok=True)
    (project.folder / "src" / "app.py").write_text(CODE)
    made = Hello(project, aws)
    made.describe(alias="live")
    return made
