# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: gRPC from its own client to its own server (grpcio), by HTTP/2 all the way: without
TLS by prior knowledge, and over TLS by ALPN."""

import threading
from concurrent import futures

import pytest

import perigee
from edge_fleet import HOST

grpc = pytest.importorskip("grpc")

NAME = "grpc.internal.test"


class Service(grpc.GenericRpcHandler):
    """Bytes in, bytes out."""

    def __init__(self):
        self.cancelled = threading.Event()
        self.metadata = []

    def service(self, details):
        handlers = {
            "/t.T/Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "/t.T/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/t.T/Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "/t.T/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "/t.T/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/t.T/Wait": grpc.unary_stream_rpc_method_handler(self.wait),
        }
        return handlers.get(details.method)

    def echo(self, request, context):
        self.metadata.append(dict(context.invocation_metadata()))
        context.set_trailing_metadata((("x-sum", str(sum(request) % 256)),))
        return request

    def count(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i

    def sum(self, requests, context):
        return b"%d" % sum(len(r) for r in requests)

    def chat(self, requests, context):
        for r in requests:
            yield r[::-1]

    def fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100 % sure")

    def wait(self, request, context):
        context.add_callback(self.cancelled.set)
        yield b"first"
        self.cancelled.wait(perigee.PATIENCE)


@pytest.fixture(params=["h2c", "tls"])
def grpc_edge(request, make_edge, authority):
    """The service, a channel to it through an edge, and the edge."""
    server = grpc.server(futures.ThreadPoolExecutor(16))
    service = Service()
    server.add_generic_rpc_handlers((service,))
    if request.param == "tls":
        certificate, key = authority.issue("grpc", [NAME])
        credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
        more = f"tls: {{enabled: true, ca: {authority.certificate}, name: {NAME}}}"
    else:
        port = server.add_insecure_port("127.0.0.1:0")
        more = "protocol: h2"
    server.start()
    edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{enabled: false}}, {more}'},
                     {"/": "app"})
    channel = grpc.secure_channel(
        f"127.0.0.1:{edge.port}",
        grpc.ssl_channel_credentials(edge.authority.certificate.read_bytes()),
        (("grpc.ssl_target_name_override", HOST), ("grpc.enable_retries", 0),
         ("grpc.default_authority", HOST)))
    yield service, channel, edge
    channel.close()
    server.stop(None)


def method(channel, kind, name):
    return getattr(channel, kind)(f"/t.T/{name}", lambda b: b, lambda b: b)


def fails(function, *args, **more):
    with pytest.raises(grpc.RpcError) as e:
        function(*args, **more)
    return e.value


def test_unary_calls_share_one_connection(grpc_edge):
    service, channel, edge = grpc_edge
    echo = method(channel, "unary_unary", "Echo")
    calls = [echo.future(b"%d" % i, timeout=20, metadata=(("x-meta", "a"),)) for i in range(60)]
    for i, call in enumerate(calls):
        assert call.result() == b"%d" % i and call.code() == grpc.StatusCode.OK
        assert ("x-sum", str(sum(b"%d" % i) % 256)) in call.trailing_metadata()
    assert service.metadata[0]["x-meta"] == "a"
    c = edge.settled()
    assert c["edge_end_done_total"] == 60
    assert c["olink_connects_total"] == 1 and c["olink_h2_sessions_total"] == 1


def test_large_messages(grpc_edge):
    _, channel, _ = grpc_edge
    message = bytes(range(256)) * 12000
    assert method(channel, "unary_unary", "Echo")(message, timeout=30) == message


def test_stream_of_the_server(grpc_edge):
    _, channel, _ = grpc_edge
    got = list(method(channel, "unary_stream", "Count")(b"5000", timeout=60))
    assert got == [b"%d" % i for i in range(5000)]


def test_stream_of_the_client(grpc_edge):
    _, channel, _ = grpc_edge
    requests = (b"x" * (i % 3000) for i in range(2000))
    got = method(channel, "stream_unary", "Sum")(requests, timeout=60)
    assert int(got) == sum(i % 3000 for i in range(2000))


def test_streams_both_ways_one_by_one(grpc_edge):
    _, channel, _ = grpc_edge
    requests = [b"abc", b"de", b"x" * 100000, b""]
    turns = threading.Semaphore(1)

    def each():
        for r in requests:
            assert turns.acquire(timeout=perigee.PATIENCE)
            yield r

    got = []
    for data in method(channel, "stream_stream", "Chat")(each(), timeout=20):
        got.append(data)
        turns.release()
    assert got == [r[::-1] for r in requests]


def test_status_of_a_failure(grpc_edge):
    _, channel, edge = grpc_edge
    e = fails(method(channel, "unary_unary", "Fail"), b"", timeout=20)
    assert e.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert e.details() == "not today: 100 % sure"
    e = fails(method(channel, "unary_unary", "Nothing"), b"", timeout=20)
    assert e.code() == grpc.StatusCode.UNIMPLEMENTED
    assert edge.settled()["edge_end_done_total"] == 2


def test_cancel_reaches_the_server(grpc_edge):
    service, channel, edge = grpc_edge
    stream = method(channel, "unary_stream", "Wait")(b"", timeout=60)
    assert next(stream) == b"first"
    stream.cancel()
    assert service.cancelled.wait(perigee.PATIENCE)
    edge.settled()
    # The connection is as good as before.
    assert method(channel, "unary_unary", "Echo")(b"x", timeout=20) == b"x"
    assert edge.settled()["olink_connects_total"] == 1


def test_deadline(grpc_edge):
    service, channel, edge = grpc_edge
    stream = method(channel, "unary_stream", "Wait")(b"", timeout=0.5)
    assert next(stream) == b"first"
    e = fails(lambda: next(stream))
    assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.cancelled.wait(perigee.PATIENCE)
    edge.settled()
