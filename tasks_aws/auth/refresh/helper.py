"""The program that the SDKs of children run as a `credential_process`: it asks invoke.

SDKs start it for each process, some for each request, so it imports next to nothing: not even
`json`, let alone this package. Its one argument names the socket of invoke, in a folder that only
its owner may enter. On Windows it names a file with the address and the token of the server, which
keeps both out of the process list.
"""

import os
import socket
import sys

_SECONDS = 600  # somebody may have to type an MFA code first

_ENDED = (
    "The credentials are gone: the invoke process that renewed them has ended.\n"
    "  fix: Keep invoke running as long as the programs that need them."
)
_SILENT = f"The invoke process that renews the credentials has not answered for {_SECONDS} seconds."
_FOREIGN = "The process that answers for invoke belongs to another user."


def main(path: str) -> int:
    """Print the answer, or an error on stderr; return the exit code."""
    try:
        answer = _ask_windows(path) if os.name == "nt" else _ask(path)
    except TimeoutError:
        return _fail(_SILENT)
    except PermissionError as error:
        return _fail(str(error))
    except OSError:
        return _fail(_ENDED)
    head, _, body = answer.decode().partition("\r\n\r\n")
    if head.split(" ")[1:2] == ["200"]:
        print(body)
        return 0
    if not body:  # invoke was killed meanwhile
        return _fail(_ENDED)
    import json

    return _fail(json.loads(body)["Message"])


def _ask(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(_SECONDS)
        os.chdir(os.path.dirname(path))  # noqa: PTH120  # the path may be too long for a socket
        server.connect(os.path.basename(path))  # noqa: PTH119
        if hasattr(socket, "SO_PEERCRED"):
            whose = server.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8]
            if os.geteuid() not in (0, int.from_bytes(whose, sys.byteorder)):
                raise PermissionError(_FOREIGN)
        return _exchange(server, "Host: invoke\r\n")


def _ask_windows(path: str) -> bytes:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        host, token = file.read().split()
    address, port = host.split(":")
    with socket.socket() as server:  # not create_connection, which looks names up
        server.settimeout(_SECONDS)
        server.connect((address, int(port)))
        return _exchange(server, f"Host: {host}\r\nAuthorization: {token}\r\n")


def _exchange(server: socket.socket, headers: str) -> bytes:
    server.sendall(f"GET / HTTP/1.0\r\n{headers}\r\n".encode())
    return b"".join(iter(lambda: server.recv(65536), b""))


def _fail(problem: str) -> int:
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
