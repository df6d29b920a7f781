# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket (RFC 6455) by hand, as far as a test of what lies between needs it: a client that asks
as browsers do, frames, and an origin's script that echoes."""

import base64
import hashlib
import os
import struct

from edge_fleet import HOST, Responses, read_head

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
EXTENSIONS = "permessage-deflate; client_max_window_bits"
SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def random_key():
    return base64.b64encode(os.urandom(16)).decode()


def request(key, path="/chat", host=HOST):
    """What Firefox sends, cookies aside."""
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n"
            f"Accept-Encoding: gzip, deflate, br\r\nSec-WebSocket-Version: 13\r\n"
            f"Origin: https://{host}\r\nSec-WebSocket-Extensions: {EXTENSIONS}\r\n"
            f"Sec-WebSocket-Key: {key}\r\nConnection: keep-alive, Upgrade\r\n"
            f"Pragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n").encode()


def frame(opcode, data, mask=False):
    """A whole message in one frame; clients mask theirs."""
    n = len(data)
    first, flag = bytes([0x80 | opcode]), 0x80 if mask else 0
    if n < 126:
        head = first + bytes([flag | n])
    elif n < 65536:
        head = first + bytes([flag | 126]) + struct.pack(">H", n)
    else:
        head = first + bytes([flag | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + unmask(key, data)


def unmask(key, data):
    """Masking is its own reverse. As one large number: byte by byte is too slow for megabytes."""
    n = len(data)
    pattern = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")).to_bytes(n, "big")


class WebSocket:
    """Either side, after the heads. `s`: a connection; `behind`: bytes that came with the head."""

    def __init__(self, s, behind=b"", client=True):
        self.socket, self.client = s, client
        self.reader = Responses(s)
        self.reader.buffer = behind

    def send(self, opcode, data):
        self.socket.sendall(frame(opcode, data, self.client))

    def receive(self):
        """(opcode, data) of the next frame, which is to be a whole message."""
        first, second = self.reader.bytes(2)
        assert first & 0xf0 == 0x80, "a fragment, or compressed"
        assert bool(second & 0x80) != self.client, "masked, or not, by the wrong side"
        n = second & 0x7f
        if n == 126:
            n, = struct.unpack(">H", self.reader.bytes(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.reader.bytes(8))
        key = self.reader.bytes(4) if second & 0x80 else b""
        data = self.reader.bytes(n)
        return first & 0xf, unmask(key, data) if key else data

    def echoes(self, opcode, data):
        self.send(opcode, data)
        return self.receive() == (opcode, data)


def open_client(s, path="/chat"):
    """Asks for it on a connection, and checks the answer: (WebSocket, fields of the response)"""
    key = random_key()
    s.sendall(request(key, path))
    r = Responses(s)
    status, fields = r.head()
    assert status == 101, (status, fields)
    assert fields["upgrade"] == "websocket" and fields["connection"].lower() == "upgrade"
    assert fields["sec-websocket-accept"] == accept_of(key)
    return WebSocket(s, r.buffer), fields


def fields_of(head):
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)}


def accept(conn, more=""):
    """The origin's side of the beginning: (WebSocket, fields of the request), None when nobody asks
    for one."""
    data = read_head(conn)
    head, _, behind = data.partition(b"\r\n\r\n")
    fields = fields_of(head)
    if fields.get("upgrade", "").lower() != "websocket":
        return None
    conn.sendall(f"{SWITCHING}{more}Sec-WebSocket-Accept: {accept_of(fields['sec-websocket-key'])}"
                 "\r\n\r\n".encode())
    return WebSocket(conn, behind, client=False), fields


def echo(conn):
    """An origin's script."""
    accepted = accept(conn)
    if accepted is None:
        conn.sendall(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"
                     b"Connection: Upgrade, close\r\nContent-Length: 0\r\n\r\n")
        return
    ws, _ = accepted
    while True:
        opcode, data = ws.receive()
        ws.send(PONG if opcode == PING else opcode, data)
        if opcode == CLOSE:
            return
