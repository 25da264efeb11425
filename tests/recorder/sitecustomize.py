"""In MiniStack's process alone: every secret that it answers with is written to a ledger.

Python imports this by itself when its folder is on PYTHONPATH; see `tests.taint.recording`.
"""

import os
import re
import sys

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


if "SECRETS_LEDGER" in os.environ and any("local_aws.py" in word for word in sys.orig_argv):
    _record(os.environ["SECRETS_LEDGER"])
