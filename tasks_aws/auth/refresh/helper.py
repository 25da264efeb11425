"""The program that children's SDKs run as a `credential_process`: it asks invoke, and prints.

It is started for each child, and by some SDKs at each request of theirs, so it imports next to
nothing: not even `json`, let alone this package. Its one argument names a file with the server's
address and token, which so appear in no list of processes.
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
            "The credentials that invoke kept fresh ended together with it.\n"
            "  fix: Let invoke run as long as what needs them."
        )
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
