# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that keep a worker busy: each sends pipelined requests for as long as they are taken, and
throws away what comes back without so much as decrypting it, so that they need a small part of the
time that serving them takes. A program of its own, so that they do not share an interpreter with
whoever measures beside them.

    busy_clients.py PORT CLIENTS AUTHORITY SERVER_NAME REQUEST PIPELINED

Each sends PIPELINED times the request, and then again; with "once" behind it that is all. Prints a
line when all are connected; ends when its standard input does.
"""

import select
import socket
import ssl
import sys

# So that little waits in the kernel.
SEND_BUFFER = 16 * 1024
SINK = bytearray(256 * 1024)
# Between two rounds over all clients: an event for each response would cost too much.
PAUSE = 0.005


class Client:
    def __init__(self, context, port, name, requests):
        self.requests = requests
        self.plain = socket.create_connection(("127.0.0.1", port))
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.shake_hands()
        self.plain.setblocking(False)
        self.unsent = b""
        self.rounds = 0

    def shake_hands(self):
        while True:
            try:
                self.tls.do_handshake()
                self.plain.sendall(self.outgoing.read())
                return
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                data = self.plain.recv(65536)
                if not data:
                    raise ConnectionError("closed during the handshake") from None
                self.incoming.write(data)

    def turn(self, once):
        try:
            self.plain.recv_into(SINK, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            pass
        try:
            if not self.unsent and not (once and self.rounds > 0):
                self.rounds += 1
                self.tls.write(self.requests)
                self.unsent = self.outgoing.read()
            while self.unsent:
                self.unsent = self.unsent[self.plain.send(self.unsent):]
        except BlockingIOError:
            pass


def main():
    port, clients, authority, name, request, pipelined, *once = sys.argv[1:]
    requests = request.encode() * int(pipelined)
    context = ssl.create_default_context(cafile=authority)
    all_clients = [Client(context, int(port), name, requests) for _ in range(int(clients))]
    print("connected", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        for client in all_clients:
            client.turn(bool(once))


if __name__ == "__main__":
    main()
