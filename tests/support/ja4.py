# SPDX-License-Identifier: GPL-3.0-or-later
"""JA4 of a ClientHello by FoxIO's public specification, apart from the edge's own code, and a socket
that catches the hello of whatever client connects."""

import hashlib
import socket

SERVER_NAME, SIGNATURES, ALPN, VERSIONS = 0, 13, 16, 43
VERSION_TEXTS = {0x304: "13", 0x303: "12", 0x302: "11", 0x301: "10", 0x300: "s3", 2: "s2"}
GREASE = {0x0a0a + 0x1010 * i for i in range(16)}


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, n):
        assert n <= len(self.data)
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def vector(self, length_bytes):
        return self.take(self.number(length_bytes))


def numbers(data):
    return [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2)]


def without_grease(values):
    return [v for v in values if v not in GREASE]


def message(wire):
    """The body of the first handshake message, out of its records."""
    reader, gathered = Reader(wire), b""
    while len(gathered) < 4 or len(gathered) < 4 + int.from_bytes(gathered[1:4], "big"):
        assert reader.number(1) == 22
        reader.take(2)
        gathered += reader.vector(2)
    assert gathered[0] == 1
    return gathered[4:4 + int.from_bytes(gathered[1:4], "big")]


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def texts(values):
    return ",".join(f"{v:04x}" for v in values)


def protocol_text(names):
    if not names:
        return "00"
    first = Reader(names).vector(1)
    if chr(first[0]).isalnum() and chr(first[-1]).isalnum() and max(first[0], first[-1]) < 128:
        return chr(first[0]) + chr(first[-1])
    return first.hex()[0] + first.hex()[-1]


def ja4(wire):
    hello = Reader(message(wire))
    version = hello.number(2)
    hello.take(32)
    hello.vector(1)
    suites = without_grease(numbers(hello.vector(2)))
    hello.vector(1)
    rest, extensions = Reader(hello.vector(2) if hello.data else b""), []
    while rest.data:
        extensions.append((rest.number(2), rest.vector(2)))
    data = dict(extensions)
    if VERSIONS in data:
        version = max(without_grease(numbers(data[VERSIONS][1:])))
    types = without_grease(t for t, _ in extensions)
    signatures = without_grease(numbers(data.get(SIGNATURES, b"")[2:]))
    listed = texts(sorted(t for t in types if t not in (SERVER_NAME, ALPN)))
    return "_".join([
        f"t{VERSION_TEXTS.get(version, '00')}{'d' if SERVER_NAME in data else 'i'}"
        f"{min(len(suites), 99):02}{min(len(types), 99):02}"
        f"{protocol_text(data.get(ALPN, b'')[2:])}",
        hash_of(texts(sorted(suites))),
        hash_of(listed + (f"_{texts(signatures)}" if signatures else ""))])


class HelloTrap:
    """Listens, and keeps the first hello that comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def catch(self, timeout):
        self.listener.settimeout(timeout)
        with self.listener, self.listener.accept()[0] as s:
            s.settimeout(timeout)
            wire = b""
            while True:
                wire += s.recv(65536)
                try:
                    message(wire)
                    return wire
                except AssertionError:
                    pass
