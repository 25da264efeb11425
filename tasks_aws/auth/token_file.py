"""The file of a web identity token, which CI systems and Kubernetes provide."""

from __future__ import annotations

from pathlib import Path

from ..errors import CredentialsError
from ..secret import Secret
from .values import is_visible_ascii

_SHORTEST = 4  # "AssumeRoleWithWebIdentity", STS API reference


def read_token_file(path: str, named_by: str) -> Secret:
    """Return the token in a file. Raises `CredentialsError` if there is none."""
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        problem = "does not exist"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except ValueError:
        problem = "is not a text file"
    else:
        if len(token) >= _SHORTEST and is_visible_ascii(token):
            return Secret(token)
        problem = "holds no token" if token else "is empty"
    raise CredentialsError(
        f"The web identity token file {path} {problem}.",
        why=f"{named_by} names it.",
        fix="Correct the path, or what writes the token into the file. In GitLab CI, the variable "
        "with the token is declared under `id_tokens`.",
    )
