# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: gRPC with its own client (grpcio). Origins are asked by HTTP/1.1, which no server of
gRPC speaks: here a script answers, whose trailers come after chunks."""

import socket
import struct
import subprocess
import threading

import pytest

import perigee
from edge_fleet import HOST, Responses

grpc = pytest.importorskip("grpc")

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def last(status, text=""):
    return b"0\r\ngrpc-status: %d\r\ngrpc-message: %b\r\n\r\n" % (status, text.encode())


class Call:
    """One request of HTTP/1.1, as it comes."""

    def __init__(self, conn):
        self.conn, self.responses = conn, Responses(conn)
        self.line = self.responses.line().decode()
        self.fields = {}
        while line := self.responses.line():
            name, _, value = line.partition(b":")
            self.fields[name.decode().lower()] = value.strip().decode()
        self.buffer = b""

    def more(self):
        """Of the content; b"" at its end."""
        r = self.responses
        size = int(r.line(), 16)
        if size == 0:
            assert r.line() == b""
            return b""
        data = r.bytes(size)
        assert r.line() == b""
        return data

    def message(self):
        """The next one, or None at the end."""
        while len(self.buffer) < 5 or len(self.buffer) < 5 + struct.unpack(
                ">I", self.buffer[1:5])[0]:
            data = self.more()
            if not data:
                assert not self.buffer
                return None
            self.buffer += data
        n = 5 + struct.unpack(">I", self.buffer[1:5])[0]
        data, self.buffer = self.buffer[5:n], self.buffer[n:]
        return data


@pytest.fixture
def stub(make_edge, scripted_origin):
    """stub(script, options): a channel through an edge to an origin that follows it."""
    channels = []

    def make(script, options="", more=""):
        edge = make_edge({"app": scripted_origin(script).origin(more)}, {"/": ("app", options)})
        credentials = grpc.ssl_channel_credentials(edge.authority.certificate.read_bytes())
        channels.append(grpc.secure_channel(
            f"127.0.0.1:{edge.port}", credentials,
            (("grpc.ssl_target_name_override", HOST), ("grpc.enable_retries", 0),
             ("grpc.default_authority", HOST))))
        return edge, channels[-1]

    yield make
    for channel in channels:
        channel.close()


def call(channel, kind="unary_unary", path="/test.Test/Method"):
    return getattr(channel, kind)(path, lambda b: b, lambda b: b)


def fails(function, *args, **more):
    with pytest.raises(grpc.RpcError) as e:
        function(*args, **more)
    return e.value


def test_call_and_its_trailers(stub):
    seen = []

    def script(conn):
        while True:
            c = Call(conn)
            seen.append((c.line, c.fields, c.message()))
            assert c.message() is None
            conn.sendall(ANSWER + chunk(message(b"world"))
                         + b"0\r\ngrpc-status: 0\r\nx-sum: 1\r\n\r\n")

    edge, channel = stub(script)
    for _ in range(3):
        got, info = call(channel).with_call(b"hello", metadata=(("x-meta", "a"),), timeout=10)
        assert got == b"world" and info.code() == grpc.StatusCode.OK
        assert ("x-sum", "1") in info.trailing_metadata()
    line, fields, data = seen[0]
    assert line == "POST /test.Test/Method HTTP/1.1" and data == b"hello"
    assert fields["content-type"] == "application/grpc" and fields["x-meta"] == "a"
    assert fields["te"] == "trailers" and "grpc-timeout" in fields
    c = edge.settled()
    assert c["edge_end_done_total"] == 3 and c["olink_connects_total"] == 1


def test_failure_that_the_origin_tells(stub):
    def script(conn):
        c = Call(conn)
        while c.message() is not None:
            pass
        conn.sendall(ANSWER + last(5, "no such thing"))

    _, channel = stub(script)
    e = fails(call(channel), b"hello", timeout=10)
    assert e.code() == grpc.StatusCode.NOT_FOUND and e.details() == "no such thing"


def test_messages_pass_both_ways_one_by_one(stub):
    """Each is waited for before the next one is sent: nothing may be kept back."""
    def script(conn):
        c = Call(conn)
        conn.sendall(ANSWER)
        while (data := c.message()) is not None:
            conn.sendall(chunk(message(data[::-1])))
        conn.sendall(last(0))

    edge, channel = stub(script)
    requests = [b"abc", b"de", b"x" * 100000, b""]
    turns = threading.Semaphore(1)

    def each():
        for r in requests:
            assert turns.acquire(timeout=perigee.PATIENCE)
            yield r

    got = []
    for data in call(channel, "stream_stream")(each(), timeout=20):
        got.append(data)
        turns.release()
    assert got == [r[::-1] for r in requests]


def test_long_stream(stub):
    def script(conn):
        c = Call(conn)
        while c.message() is not None:
            pass
        conn.sendall(ANSWER + b"".join(chunk(message(b"%d" % i)) for i in range(20000)) + last(0))

    _, channel = stub(script)
    assert len(list(call(channel, "unary_stream")(b"", timeout=30))) == 20000


def test_cancel_reaches_the_origin(stub):
    left = threading.Event()

    def script(conn):
        c = Call(conn)
        c.message()
        conn.sendall(ANSWER + chunk(message(b"one")))
        silent(conn)
        left.set()

    edge, channel = stub(script)
    stream = call(channel, "unary_stream")(b"hello", timeout=20)
    assert next(stream) == b"one"
    stream.cancel()
    assert left.wait(perigee.PATIENCE)
    edge.wait_counter("edge_requests_active", 0)


def silent(conn):
    """Takes all that comes, until nothing comes any more."""
    while conn.recv(65536):
        pass


def test_deadline_of_the_client_is_kept_here(make_edge, scripted_origin):
    """A client that does not see to it itself: curl says how long it waits, and waits longer."""
    left = threading.Event()

    def script(conn):
        silent(conn)
        left.set()

    edge = make_edge({"app": scripted_origin(script).origin()})
    got = edge.curl("-i", "-H", "Content-Type: application/grpc", "-H", "grpc-timeout: 200m",
                    "-d", "x", edge.url("/"), http2=True).stdout
    assert "HTTP/2 200" in got and "grpc-status: 4" in got and "edge-deadline" in got
    assert left.wait(perigee.PATIENCE), "the origin's work goes on"
    assert edge.settled()["edge_end_edge_deadline_total"] == 1


def test_time_of_the_route_is_a_deadline(stub):
    edge, channel = stub(silent, "timeout: {total: 200ms}")
    e = fails(call(channel), b"hello", timeout=20)
    assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED and e.details() == "edge-deadline"


def test_origin_that_cannot_be_reached(stub, certificate):
    edge, channel = stub(lambda conn: None)
    edge.write({"www": ([HOST], [certificate], {"/": "app"})},
               {"app": 'servers: ["127.0.0.1:1"], health: {enabled: false}'})
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    e = fails(call(channel), b"hello", timeout=20)
    assert e.code() == grpc.StatusCode.UNAVAILABLE and e.details() == "origin-connect-refused"


def test_path_that_is_not_served(stub, certificate):
    edge, channel = stub(silent)
    edge.write({"www": ([HOST], [certificate], {"/other": "app"})},
               {"app": 'servers: ["127.0.0.1:1"], health: {enabled: false}'})
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert fails(call(channel), b"", timeout=20).code() == grpc.StatusCode.UNIMPLEMENTED


def test_content_over_the_limit_of_the_route(stub):
    edge, channel = stub(silent, "limit: {body: 4KiB}")
    e = fails(call(channel), b"x" * 5000, timeout=20)
    assert e.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_origin_that_goes_in_the_middle_of_a_stream(stub):
    """It is told by trailers: a reset would only say that something went wrong."""
    def script(conn):
        c = Call(conn)
        c.message()
        conn.sendall(ANSWER + chunk(message(b"one")) + b"9\r\nhalf")

    edge, channel = stub(script)
    stream = call(channel, "unary_stream")(b"hello", timeout=20)
    assert next(stream) == b"one"
    e = fails(lambda: next(stream))
    assert e.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
    assert edge.settled()["edge_end_origin_truncated_total"] == 1


@pytest.mark.parametrize("declared", ["Content-Length: 100", "Connection: close",
                                      "Transfer-Encoding: chunked"])
def test_cut_response_is_not_made_whole_by_trailers(make_edge, scripted_origin, declared):
    """HTTP/1.1 has no place for them after a length: the next response was read as the rest."""
    def script(conn):
        Call(conn)
        piece = chunk(b"half") if "chunked" in declared else b"half"
        conn.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n{declared}\r\n\r\n"
                     .encode() + piece)
        if "close" in declared:
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    edge = make_edge({"app": scripted_origin(script).origin()}, {"/": "app"})
    one = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/grpc\r\n"
    got, orderly = edge.exchange(2 * (one + "Content-Length: 0\r\n\r\n").encode())
    assert got.count(b"HTTP/1.1 ") == 1 and b"grpc-status" not in got
    assert not got.endswith(b"\r\n0\r\n\r\n") and not orderly
    edge.settled()


def test_cut_response_of_a_known_length_is_reset_by_http2(stub):
    """Trailers after less than was promised make no response."""
    def script(conn):
        Call(conn).message()
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"
                     b"Content-Length: 100\r\n\r\n" + message(b"one") + b"half")

    edge, channel = stub(script)
    stream = call(channel, "unary_stream")(b"hello", timeout=20)
    assert next(stream) == b"one"
    fails(lambda: next(stream))
    assert edge.settled()["edge_end_origin_truncated_total"] == 1


def test_client_that_must_say_who_it_is(stub, tmp_path):
    users = tmp_path / "users"
    users.write_text(subprocess.run(["htpasswd", "-nbB", "-C", "4", "ann", "secret"], check=True,
                                    capture_output=True, text=True).stdout)
    edge, channel = stub(silent, f"auth: {{basic: {{file: {users}}}}}")
    e = fails(call(channel), b"", timeout=20)
    assert e.code() == grpc.StatusCode.UNAUTHENTICATED
