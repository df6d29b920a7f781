# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients of a chaos run. The good ones say what they got, see Ledger.judge(); the others only
disturb, and whatever becomes of them is right."""

import contextlib
import hashlib
import random
import socket
import ssl
import time

import edge_fleet
from edge_fleet import HOST
from origins import body_of

PATIENCE = 40.0
H = f"Host: {HOST}\r\n"


class Target:
    """An edge as clients see it."""

    def __init__(self, host, port, plain_port, authority):
        self.host, self.port, self.plain_port, self.authority = host, port, plain_port, authority

    client_context = edge_fleet.Edge.client_context

    def tcp(self, plain=False):
        s = socket.create_connection((self.host, self.plain_port if plain else self.port), PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def connect(self, rng):
        """With TLS or without."""
        if rng.random() < 0.3:
            return self.tcp(plain=True)
        s = self.tcp()
        try:
            return self.client_context().wrap_socket(s, server_hostname=HOST,
                                                     suppress_ragged_eofs=False)
        except OSError:
            s.close()
            raise


class Responses(edge_fleet.Responses):
    def body(self, fields):
        """With trailers, which is why the last chunk is read here."""
        if "chunked" not in fields.get("transfer-encoding", ""):
            return super().body(fields)
        body = b""
        while size := int(self.line(), 16):
            body += self.bytes(size)
            if end := self.line():
                raise ValueError(f"a chunk is followed by {end[:60]!r}")
        while self.line():
            pass
        return body


def size_of(rng):
    return rng.choice((0, 1, 100, 5000, 16384, 60000, 200000)) + rng.randrange(50)


def path_of(rng, origin, n):
    salt = f"{rng.getrandbits(60):x}"
    return f"/{origin}/bytes/{n}?{salt}", body_of(salt, n)


def check(r, expected):
    """Reads a response: None when it is right."""
    status, fields = r.head()
    while status == 103:
        status, fields = r.head()
    if status != 200:
        return f"status {status}"
    body = r.body(fields)
    if body != expected:
        return f"wrong: a body of {len(body)} bytes for one of {len(expected)}: {body[:60]!r}"
    return None


def good(function):
    """A client whose answer is judged: broken-off connections are one kind of it."""
    def run(target, rng, origin):
        try:
            with target.connect(rng) as s:
                return function(s, rng, origin)
        except (OSError, AssertionError, ValueError) as e:
            return f"broken off: {e!r}"
    run.__name__ = function.__name__
    return run


@good
def good_get(s, rng, origin):
    r = Responses(s)
    for _ in range(rng.randint(1, 5)):
        path, expected = path_of(rng, origin, size_of(rng))
        s.sendall(f"GET {path} HTTP/1.1\r\n{H}\r\n".encode())
        if answer := check(r, expected):
            return answer
    return None


@good
def good_pipelined(s, rng, origin):
    wanted = [path_of(rng, origin, rng.randrange(3000)) for _ in range(rng.randint(2, 8))]
    s.sendall("".join(f"GET {path} HTTP/1.1\r\n{H}\r\n" for path, _ in wanted).encode())
    r = Responses(s)
    for _, expected in wanted:
        if answer := check(r, expected):
            return answer
    return None


@good
def good_upload(s, rng, origin):
    body = rng.randbytes(rng.choice((0, 10, 5000, 100000, 600000)))
    chunked = rng.random() < 0.5
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    s.sendall(f"POST /{origin}/digest HTTP/1.1\r\n{H}{framing}\r\n\r\n".encode())
    for i in range(0, len(body), 50000):
        part = body[i:i + 50000]
        s.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
    if chunked:
        s.sendall(b"0\r\n\r\n")
    return check(Responses(s), hashlib.sha256(body).hexdigest().encode())


@good
def good_slow(s, rng, origin):
    path, expected = path_of(rng, origin, 150000)
    request = f"GET {path} HTTP/1.1\r\n{H}\r\n".encode()
    for i in range(0, len(request), 20):
        s.sendall(request[i:i + 20])
        time.sleep(0.005)

    class Slowly:
        def recv(self, n):
            time.sleep(0.01)
            return s.recv(8192)

    return check(Responses(Slowly()), expected)


@good
def good_download(s, rng, origin):
    path, expected = path_of(rng, origin, 4 << 20)
    s.sendall(f"GET {path} HTTP/1.1\r\n{H}\r\n".encode())
    return check(Responses(s), expected)


@good
def good_tunnel(s, rng, origin):
    s.sendall(f"GET /{origin}/tunnel HTTP/1.1\r\n{H}Connection: Upgrade\r\nUpgrade: chaos\r\n\r\n"
              .encode())
    r = Responses(s)
    status, _ = r.head()
    if status != 101:
        return f"status {status}"
    for _ in range(rng.randint(1, 4)):
        data = rng.randbytes(rng.choice((1, 1000, 30000)))
        s.sendall(data)
        if r.bytes(len(data)) != data:
            return "wrong: another echo"
    return None


GOOD = (good_get, good_get, good_get, good_pipelined, good_upload, good_slow, good_download, good_tunnel)


def pause(rng, most=0.5):
    time.sleep(rng.uniform(0, most))


def silent(target, rng):
    with target.tcp(plain=rng.random() < 0.5):
        pause(rng)


def aborting(target, rng):
    s = target.connect(rng)
    path, _ = path_of(rng, rng.choice(("steady", "moody")), 200000)
    s.sendall(f"GET {path} HTTP/1.1\r\n{H}\r\n".encode())
    if rng.random() < 0.7:
        s.recv(1000)
    edge_fleet.reset(s)


def half_closing(target, rng):
    s = target.tcp(plain=True)
    path, _ = path_of(rng, "steady", 5000)
    s.sendall(f"GET {path} HTTP/1.1\r\n{H}\r\n".encode())
    s.shutdown(socket.SHUT_WR)
    with s:
        edge_fleet.read_to_end(s)


def garbage(target, rng):
    with target.tcp(plain=rng.random() < 0.5) as s:
        s.sendall(rng.randbytes(rng.choice((1, 50, 5000))))
        s.settimeout(1)
        edge_fleet.read_to_end(s)


def bad_heads(target, rng):
    head = rng.choice((
        "GET / HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\n{H}{H}\r\n", f"GET  / HTTP/1.1\r\n{H}\r\n",
        f"GET / HTTP/9.9\r\n{H}\r\n", f"GET /{'a' * 9000} HTTP/1.1\r\n{H}\r\n",
        f"POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        f"GET / HTTP/1.1\r\n{H}" + "a: b\r\n" * 500 + "\r\n", f"CONNECT a:1 HTTP/1.1\r\n{H}\r\n",
        "GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n", f"GET / HTTP/1.1\r\n{H}a\x00: b\r\n\r\n"))
    with target.connect(rng) as s:
        s.sendall(head.encode())
        s.settimeout(1)
        edge_fleet.read_to_end(s)


def half_a_hello(target, rng):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = target.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    s = target.tcp()
    s.sendall(hello[:rng.randrange(len(hello) + 1)])
    pause(rng, 0.2)
    if rng.random() < 0.5:
        edge_fleet.reset(s)
    s.close()


def slow_head(target, rng):
    with target.connect(rng) as s:
        for byte in f"GET /steady/bytes/1?a HTTP/1.1\r\n{H}"[:rng.randint(1, 30)].encode():
            s.sendall(bytes([byte]))
            time.sleep(0.01)


def half_an_upload(target, rng):
    s = target.connect(rng)
    s.sendall(f"POST /{rng.choice(('steady', 'moody'))}/digest HTTP/1.1\r\n{H}"
              "Content-Length: 900000\r\n\r\n".encode())
    s.sendall(rng.randbytes(rng.choice((0, 1, 70000, 300000))))
    pause(rng, 0.2)
    if rng.random() < 0.5:
        edge_fleet.reset(s)
    s.close()


def reads_nothing(target, rng):
    with target.connect(rng) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path, _ = path_of(rng, "steady", 1 << 20)
        s.sendall(f"GET {path} HTTP/1.1\r\n{H}\r\n".encode() * 3)
        pause(rng, 1)


def abandoned_tunnel(target, rng):
    s = target.connect(rng)
    s.sendall(f"GET /{rng.choice(('steady', 'moody'))}/tunnel HTTP/1.1\r\n{H}Connection: Upgrade\r\n"
              "Upgrade: websocket\r\n\r\n".encode())
    s.sendall(rng.randbytes(3000))
    pause(rng, 0.3)
    if rng.random() < 0.5:
        edge_fleet.reset(s)
    s.close()


def crowd(target, rng):
    """More than an edge of 120 descriptors can hold."""
    with contextlib.ExitStack() as stack:
        for _ in range(rng.randint(20, 140)):
            with contextlib.suppress(OSError):
                stack.enter_context(target.tcp(plain=rng.random() < 0.5))
        pause(rng, 1)


BAD = (silent, aborting, half_closing, garbage, bad_heads, half_a_hello, slow_head, half_an_upload,
       reads_nothing, abandoned_tunnel)


def disturb(kind, target, seed):
    with contextlib.suppress(OSError, ValueError):
        kind(target, random.Random(seed))
