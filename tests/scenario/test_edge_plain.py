# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what stands before the protocol: listeners without TLS, and the PROXY header of who
stands before the edge. And what a route does to the fields of responses."""

import contextlib
import socket
import struct

import pytest

import perigee
from edge_fleet import HOST, Responses, TlsByHand, read_head, read_to_end

ABSENT = 'servers: ["127.0.0.1:1"], health: {enabled: false}'


@pytest.fixture
def app(origin):
    return f'servers: ["127.0.0.1:{origin.port}"]'


def plain(edge, request):
    """Raw bytes to the plain listener; all bytes until the edge closes."""
    with socket.create_connection(("127.0.0.1", edge.plain_port), timeout=perigee.PATIENCE) as s:
        s.sendall(request)
        return read_to_end(s)[0]


def get_plain(edge, *requests):
    """Requests one after the other on one connection: their responses."""
    with socket.create_connection(("127.0.0.1", edge.plain_port), timeout=perigee.PATIENCE) as s:
        r = Responses(s)
        seen = []
        for request in requests:
            s.sendall(request.encode())
            seen.append(r.response())
        return seen


def test_plain_requests_are_redirected(make_edge):
    edge = make_edge({"app": ABSENT}, plain=True)
    targets = {
        "/": "/", "/a/b?c=d&e=%20": "/a/b?c=d&e=%20", "/?": "/?", "//x.test/": "//x.test/",
        f"http://{HOST}:{edge.plain_port}/absolute": "/absolute",
    }
    requests = [f"GET {target} HTTP/1.1\r\nHost: {HOST}:{edge.plain_port}\r\n\r\n"
                for target in targets]
    for (status, fields, _), path in zip(get_plain(edge, *requests), targets.values(), strict=True):
        assert (status, fields["location"]) == (308, f"https://{HOST}{path}")
    # Whatever the method; the host as it was asked for, in the site's names by a wildcard.
    got = get_plain(edge, "POST /x HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 2\r\n\r\nok",
                    f"OPTIONS /y HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert [(s, f["location"]) for s, f, _ in got] == [
        (308, "https://a.example.com/x"), (308, f"https://{HOST}/y")]
    c = edge.settled()
    assert c["edge_responses_3xx_total"] == len(targets) + 2 and c["olink_requests_total"] == 0
    logged = edge.access_log(1)[0]
    assert logged["status"] == 308 and logged["tls"] == "" and logged["client"] == "127.0.0.1"


def test_plain_request_that_is_not_redirected(make_edge, scripted_origin):
    """Nobody's host, the answer to an authority's challenge, and whoever looks after our health."""
    seen = []

    def script(conn):
        while head := read_head(conn):
            seen.append(head)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntoken")

    edge = make_edge({"app": ABSENT, "acme": scripted_origin(script).origin()}, plain=True,
                     routes={"/": "app", "/.well-known/acme-challenge": "acme"})
    challenge, health, unknown, other = get_plain(
        edge, f"GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        "GET /.well-known/perigee/health HTTP/1.1\r\nHost: a.b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n",
        f"GET /.well-known/other HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert (challenge[0], challenge[2]) == (200, b"token")
    assert (health[0], health[2]) == (200, b"ok\n")
    assert unknown[0] == 421 and "location" not in unknown[1]
    assert other[0] == 308
    assert len(seen) == 1 and b"\r\nX-Forwarded-Proto: http\r\n" in seen[0]


def test_plain_requests_are_served(make_edge, app):
    edge = make_edge({"app": app}, plain=True, http="plain: serve")
    at, host = f"http://127.0.0.1:{edge.plain_port}", ("-H", f"Host: {HOST}")
    seen = edge.curl(f"{at}/fields", *host).stdout
    lines = seen.splitlines()
    assert "X-Forwarded-Proto: http" in lines and "X-Forwarded-For: 127.0.0.1" in lines
    assert f'Forwarded: for=127.0.0.1;host="{HOST}";proto=http' in seen or \
           f"Forwarded: for=127.0.0.1;host={HOST};proto=http" in seen
    assert "X-Forwarded-Proto: https" in edge.curl(edge.url("/fields")).stdout.splitlines()
    assert len(edge.curl(f"{at}/bytes/3000000", *host).stdout) == 3000000
    assert edge.curl("-d", "x=y", f"{at}/echo", *host).stdout == "x=y"
    c = edge.settled()
    assert c["edge_responses_2xx_total"] == 4 and c["edge_handshakes_total"] == 1
    edge.wait_counter("edge_connections_active", 0)


def test_strangers_on_the_plain_listener(make_edge, app):
    edge = make_edge({"app": app}, plain=True, http="timeout: {handshake: 1s, head: 1s, keep_alive: 1s}")
    hello = bytes.fromhex("16030100c8010000c40303")
    assert not plain(edge, hello + bytes(189)).startswith(b"HTTP/1.1 2")
    assert plain(edge, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert plain(edge, f"GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: {HOST}\r\n\r\n".encode()) \
        .startswith(b"HTTP/1.1 400 ")
    # Their time is bounded here too.
    assert plain(edge, b"GET / HTTP/1.1\r\n").startswith(b"HTTP/1.1 408 ")
    assert plain(edge, b"") == b""
    edge.wait_counter("edge_connections_active", 0)
    assert edge.settled()["olink_requests_total"] == 0


def v2(command, family, addresses, more=b""):
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family])
            + struct.pack(">H", len(addresses) + len(more)) + addresses + more)


def v2_ip4(source, destination="192.0.2.2"):
    return socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack(">HH", 4711, 443)


IP6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(
    socket.AF_INET6, "2001:db8::1") + struct.pack(">HH", 4711, 443)
# A type-length-value of no meaning, and one of 400 bytes: it still fits into a packet.
TLVS = b"\xea\0\x03abc" + b"\xeb\x01\x90" + bytes(400)
HEADERS = {
    "v1": (b"PROXY TCP4 203.0.113.7 192.0.2.2 4711 443\r\n", "203.0.113.7"),
    "v1 of IPv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "2001:db8::7"),
    "v1 of nobody": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 of nobody, told": (b"PROXY UNKNOWN 203.0.113.7 192.0.2.2 4711 443\r\n", "127.0.0.1"),
    "v2": (v2(1, 0x11, v2_ip4("203.0.113.8")), "203.0.113.8"),
    "v2 and more": (v2(1, 0x11, v2_ip4("203.0.113.9"), TLVS), "203.0.113.9"),
    "v2 of IPv6": (v2(1, 0x21, IP6), "2001:db8::7"),
    "v2 of the proxy itself": (v2(0, 0, b""), "127.0.0.1"),
}
BEHIND_PROXY = "proxy_protocol: [127.0.0.1/32]"


def fields_seen(edge, s):
    with edge.secure(s) as secure:
        secure.sendall(f"GET /fields HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        status, _, body = Responses(secure).response()
        assert status == 200
        return body.decode().splitlines()


def test_proxy_header_names_the_client(make_edge, app):
    edge = make_edge({"app": app}, http=BEHIND_PROXY)
    for name, (header, client) in HEADERS.items():
        s = edge.connect_tcp()
        s.sendall(header)
        assert f"X-Forwarded-For: {client}" in fields_seen(edge, s), name
    logged = [line["client"] for line in edge.access_log(len(HEADERS))]
    assert logged == [client for _, client in HEADERS.values()]
    assert edge.settled()["edge_end_done_total"] == len(HEADERS)
    # A program's own.
    got = edge.curl("--haproxy-protocol", edge.url("/fields")).stdout
    assert "X-Forwarded-For: 127.0.0.1" in got.splitlines()


@pytest.mark.parametrize("at_once", [1, 65536])
@pytest.mark.parametrize("kind", ["v1", "v2 and more", "v2 of the proxy itself"])
def test_proxy_header_and_hello_in_any_pieces(make_edge, kind, at_once):
    """Single bytes, or all of it in one packet."""
    edge = make_edge({"app": ABSENT}, http=BEHIND_PROXY)
    with edge.connect_tcp() as s:
        TlsByHand(edge, s).shake_hands(HEADERS[kind][0], at_once)
        edge.wait_counter("edge_handshakes_total", 1)
    edge.wait_counter("edge_connections_active", 0)


def is_closed(edge, data, source="127.0.0.1"):
    """Whether the edge ends a connection on which this is the first that comes; it may say why
    before, by an alert or to whoever speaks HTTP."""
    with edge.connect_tcp(source) as s:
        s.sendall(data)
        with contextlib.suppress(ConnectionError):
            while got := s.recv(65536):
                assert got[0] == 0x15 or got.startswith(b"HTTP/1.1 400 "), got
        return True


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(189),
    b"PROXY TCP4 203.0.113.7 192.0.2.2 4711\r\n",
    b"PROXY TCP4 203.0.113.700 192.0.2.2 4711 443\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.2 4711 99999\r\n",
    b"PROXY TCP6 203.0.113.7 192.0.2.2 4711 443\r\n",
    b"PROXY " + b"x" * 200,
    b"PROXX" + bytes(20),
    b"\r\n\r\n\0\r\nQUIT\n\x31\x11" + struct.pack(">H", 12) + bytes(12),
    v2(2, 0x11, v2_ip4("203.0.113.7")),
    v2(1, 0x11, b"short"),
    b"GET / HTTP/1.1\r\n\r\n",
], ids=["a hello", "a part", "no address", "no port", "wrong family", "too long", "another word",
        "version 3", "unknown command", "short", "HTTP"])
def test_what_is_no_proxy_header_is_closed(make_edge, data):
    edge = make_edge({"app": ABSENT}, http=BEHIND_PROXY)
    assert is_closed(edge, data)
    edge.wait_counter("edge_connections_active", 0)
    assert edge.counters()["edge_handshakes_total"] == 0


def test_proxy_header_of_a_stranger_is_no_hello(make_edge, app):
    """Who is not in the list is a client like others, and may not say who it is."""
    edge = make_edge({"app": app}, http=BEHIND_PROXY)
    for kind in ("v1", "v2"):
        assert is_closed(edge, HEADERS[kind][0] + bytes(200), "127.0.0.2")
    edge.wait_counter("edge_handshake_failures_total", 2)
    got = edge.curl("--interface", "127.0.0.2", edge.url("/fields")).stdout
    assert "X-Forwarded-For: 127.0.0.2" in got.splitlines()


def test_silence_before_the_proxy_header_is_bounded(make_edge):
    edge = make_edge({"app": ABSENT}, http=f"{BEHIND_PROXY}, timeout: {{handshake: 200ms}}")
    for data in (b"", b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n"):
        assert is_closed(edge, data)
    edge.wait_counter("edge_connections_active", 0)


RULES = """response_fields: [{name: X-Frame-Options, value: DENY}, {name: Server, action: remove},
{name: X-A, action: add, value: b}, {name: x-set-twice, value: "two words"}]""".replace("\n", " ")


def lines_of(edge, path):
    head = edge.curl("-i", edge.url(path)).stdout.partition("\n\n")[0]
    return sorted(line.strip() for line in head.splitlines()
                  if line.lower().startswith(("x-", "server:")))


def test_response_fields_of_a_route(make_edge, scripted_origin):
    """Set replaces, add adds, remove removes; other routes are left alone."""
    own = ["Server: secret/1.2", "X-A: a", "X-B: b", "X-Frame-Options: SAMEORIGIN",
           "X-Set-Twice: 1", "X-Set-Twice: 2"]

    def script(conn):
        while head := read_head(conn):
            fields = "" if b"/bare" in head else "\r\n".join(own) + "\r\n"
            conn.sendall(f"HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n".encode())

    edge = make_edge({"app": scripted_origin(script).origin()},
                     routes={"/": ("app", RULES), "/other": "app"})
    assert [line.lower() for line in lines_of(edge, "/")] == [
        "x-a: a", "x-a: b", "x-b: b", "x-frame-options: deny", "x-set-twice: two words"]
    assert [line.lower() for line in lines_of(edge, "/bare")] == [
        "x-a: b", "x-frame-options: deny", "x-set-twice: two words"]
    assert lines_of(edge, "/other") == own
    assert edge.settled()["edge_end_done_total"] == 3
