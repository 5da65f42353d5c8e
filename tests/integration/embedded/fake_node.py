"""Stands in for a node: answers every request on its two ports with its name, pid and environment.

`fake_node.py <name> <host> <port> <own port> <mode>`; mode `exit` ends at once with code 2, `deaf` ignores SIGTERM.
"""

import json
import os
import select
import signal
import socket
import sys


def listen(host: str, port: int) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen()
    return server


def main(name: str, host: str, port: str, own_port: str, mode: str) -> None:
    if mode == "exit":
        print(f"{name}: cannot go on", file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else lambda *_: sys.exit(0))
    servers = [listen(host, int(port)), listen("127.0.0.1", int(own_port))]
    body = json.dumps({"name": name, "pid": os.getpid(), "environment": dict(os.environ)}).encode()  # noqa: TID251
    while True:
        for server in select.select(servers, [], [])[0]:
            connection = server.accept()[0]
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)


if __name__ == "__main__":
    main(*sys.argv[1:])
