"""The program that the SDKs of children run as a `credential_process`: it asks invoke.

SDKs start it for each process, some for each request, so it imports next to nothing: not even
`json`, let alone this package. Its one argument names a file with the address and the token of the
server, which keeps both out of the process list.
"""

import socket
import sys


def main(path: str) -> int:
    """Print the answer, or an error on stderr; return the exit code."""
    try:
        with open(path) as file:  # noqa: PTH123
            host, token = file.read().split()
        address, port = host.split(":")
        with socket.socket() as server:  # not create_connection, which looks names up
            server.connect((address, int(port)))
            request = f"GET / HTTP/1.0\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n"
            server.sendall(request.encode())
            answer = b"".join(iter(lambda: server.recv(65536), b"")).decode()
    except OSError:
        answer = ""
    head, _, body = answer.partition("\r\n\r\n")
    if head.split(" ")[1:2] == ["200"]:
        print(body)
        return 0
    if body:
        import json

        problem = json.loads(body)["Message"]
    else:
        problem = (
            "The credentials are gone: the invoke process that renewed them has ended.\n"
            "  fix: Keep invoke running as long as the programs that need them."
        )
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
