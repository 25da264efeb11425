"""In MiniStack's process alone: its secrets are noted in a ledger, its functions ready at once.

Python imports this by itself when its folder is on PYTHONPATH; see `tests.taint.recording` and
`tests.quick_aws`.
"""

import importlib.abc
import importlib.util
import os
import re
import sys
from typing import Any

_SECRET = re.compile(rb'(?:SecretAccessKey|SessionToken)(?:>|": ?")([^<"]+)')


def _record(ledger: str) -> None:
    import hypercorn.asyncio

    serve = hypercorn.asyncio.serve

    def serve_and_record(app, *rest, **options):  # type: ignore[no-untyped-def]
        async def recorded(scope, receive, send):  # type: ignore[no-untyped-def]
            async def note_and_send(message):  # type: ignore[no-untyped-def]
                found = _SECRET.findall(message.get("body", b""))
                if found:
                    with open(ledger, "ab", buffering=0) as file:  # noqa: PTH123  # one write
                        file.write(b"".join(secret + b"\n" for secret in found))
                await send(message)

            await app(scope, receive, note_and_send)

        return serve(recorded, *rest, **options)

    hypercorn.asyncio.serve = serve_and_record


class _AtOnce(importlib.abc.MetaPathFinder):
    """Lets no half a second pass before each new state of a function.

    Two calls then have what they have on AWS and not here. PublishVersion refuses a revision, or
    code, that is not the latest, and no other change gets in between. AddPermission takes the same
    statement ID for the function and for each of its aliases.
    """

    def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def]
        if name != "ministack.services.lambda_svc":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):  # type: ignore[no-untyped-def]
            execute(module)
            module._LAMBDA_STATE_TRANSITION_DELAY = 0
            publish = module._publish_version

            @module._serialized_revision_update()
            def guarded(name, data):  # type: ignore[no-untyped-def]
                config = module._functions[name]["config"] if name in module._functions else {}
                if refused := module._check_revision(config, data) if config else None:
                    return refused
                if data.get("CodeSha256", config.get("CodeSha256")) != config.get("CodeSha256"):
                    says = "CodeSHA256 is different from current CodeSHA256 in $LATEST."
                    return module.error_response_json("InvalidParameterValueException", says, 400)
                return publish(name, data)

            module._publish_version = guarded
            add = module._add_permission

            def add_to_own(name, data, query=None, path=None):  # type: ignore[no-untyped-def]
                policy = module._functions.get(name, {}).get("policy", {"Statement": []})
                of = module._policy_resource_arn(
                    name, module._qualifier_from_path_or_query(path, query)
                )
                others = [each for each in policy["Statement"] if each["Resource"] != of]
                policy["Statement"] = [each for each in policy["Statement"] if each not in others]
                try:
                    return add(name, data, query, path)
                finally:
                    policy["Statement"] = [*others, *policy["Statement"]]

            module._add_permission = add_to_own

        spec.loader.exec_module = exec_module
        return spec


if any(word.replace("\\", "/").endswith("local/server.py") for word in sys.orig_argv):
    if "SECRETS_LEDGER" in os.environ:
        _record(os.environ["SECRETS_LEDGER"])
    if "MINISTACK_AT_ONCE" in os.environ:
        sys.meta_path.insert(0, _AtOnce())
