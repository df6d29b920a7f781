# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge compresses responses: what real decoders make of them, what is left alone, and what
clients that take nothing cost."""

import gzip
import random
import socket
import threading
import zlib

import brotli
import pytest
import zstandard

import perigee
from client_ca import ClientAuthority
from edge_fleet import HOST, Responses, read_head

ON = "compression: true"
RANDOM = random.Random(1)
WORDS = [bytes(RANDOM.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(500)]


def text(n):
    """n bytes that can be compressed, and not too well; the same each time."""
    return b" ".join(random.Random(n).choices(WORDS, k=n // 8 + 1))[:n]


def unzstd(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": unzstd}
PAGES = {
    "/tiny": ("text/html", text(200), ""),
    "/page": ("text/html; charset=utf-8", text(20_000), 'ETag: "one"\r\nAccept-Ranges: bytes\r\n'),
    "/large": ("application/json", text(10_000_000), ""),
    "/picture": ("image/png", text(20_000), ""),
    "/mine": ("text/html", text(20_000), "Cache-Control: private\r\n"),
    "/coded": ("text/html", gzip.compress(text(20_000)), "Content-Encoding: gzip\r\n"),
}


def pages(conn):
    """An origin of the pages above, with lengths; in chunks under /made."""
    while head := read_head(conn).decode():
        method, path = head.split(" ")[:2]
        kind, body, fields = PAGES[path.removeprefix("/made")]
        made = path.startswith("/made")
        fields += "Transfer-Encoding: chunked\r\n" if made else f"Content-Length: {len(body)}\r\n"
        status = "200 OK"
        if method == "GET" and path == "/page" and 'W/"one"' in head:
            status, body, made, fields = "304 Not Modified", b"", False, 'ETag: "one"\r\n'
        elif method == "GET" and "range: bytes=0-99" in head.lower():
            status, body = "206 Partial Content", body[:100]
            fields = f"Content-Length: 100\r\nContent-Range: bytes 0-99/{len(PAGES[path][1])}\r\n"
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{fields}\r\n".encode())
        if method == "HEAD":
            continue
        if made:
            for at in range(0, len(body), 5000):
                piece = body[at:at + 5000]
                conn.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            body = b"0\r\n\r\n"
        conn.sendall(body)


@pytest.fixture
def edge(scripted):
    return scripted(pages, routes={"/": ("app", ON)})


def get(edge, path, *args, coding="gzip"):
    """(status, fields, content as it came)"""
    out = edge.curl("-i", "--raw", "--http1.1", "-H", f"Accept-Encoding: {coding}", *args,
                    edge.url(path), text=False).stdout
    head, _, body = out.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    if fields.get("transfer-encoding") == ["chunked"]:
        body = unchunk(body)
    return int(lines[0].split(" ")[1]), fields, body


def unchunk(body):
    content = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return content
        content += rest[:int(size, 16)]
        body = rest[int(size, 16) + 2:]


@pytest.mark.parametrize("coding", DECODERS)
@pytest.mark.parametrize("path", ["/page", "/made/page", "/large", "/made/large"])
def test_decoders_read_it(edge, coding, path):
    content = PAGES[path.removeprefix("/made")][1]
    status, fields, body = get(edge, path, coding=coding)
    assert (status, fields["content-encoding"]) == (200, [coding])
    assert fields["vary"] == ["Accept-Encoding"]
    assert "content-length" not in fields
    assert len(body) < len(content) * 2 // 3
    assert DECODERS[coding](body) == content
    counters = edge.settled()
    assert counters["edge_compressed_total"] == 1
    assert counters["edge_compressed_active"] == 0
    assert counters["edge_compressed_in_bytes_total"] == len(content)
    assert counters["edge_compressed_out_bytes_total"] == len(body)
    line = edge.access_log(1)[0]
    assert (line["bytes"], line["end"]) == (len(body), "done")


def test_curl_reads_it(edge):
    out = edge.curl("--compressed", *(edge.url(p) for p in ("/page", "/large")), text=False).stdout
    assert out == PAGES["/page"][1] + PAGES["/large"][1]
    assert edge.settled()["edge_compressed_total"] == 2


def test_tags_ranges_and_heads_agree(edge):
    _, fields, _ = get(edge, "/page")
    assert fields["etag"] == ['W/"one"']
    assert "accept-ranges" not in fields
    status, again, _ = get(edge, "/page", "-I")
    for name in ("etag", "vary", "content-encoding", "content-type"):
        assert again[name] == fields[name]
    assert "content-length" not in again and "accept-ranges" not in again
    status, fields, body = get(edge, "/page", "-H", 'If-None-Match: W/"one"')
    assert (status, fields["etag"], body) == (304, ['W/"one"'], b"")
    assert fields["vary"] == ["Accept-Encoding"]
    status, fields, body = get(edge, "/page", "-r", "0-99")
    assert (status, body) == (206, PAGES["/page"][1][:100])
    assert "content-encoding" not in fields and fields["content-length"] == ["100"]


@pytest.mark.parametrize("path,args,varies", [
    ("/tiny", (), False),
    ("/picture", (), False),
    ("/mine", (), True),
    ("/page", ("-H", "Cookie: a=b"), True),
    ("/page", ("-u", "a:b"), True),
    ("/page", ("-H", "Accept-Encoding:"), True),
    ("/page", ("-H", "Accept-Encoding: gzip;q=0"), True),
    ("/page", ("-H", "Accept-Encoding: gzip;q=0.1, identity"), True),
    ("/page", ("-H", "Cache-Control: no-transform"), False),
])
def test_what_is_left_alone(edge, path, args, varies):
    status, fields, body = get(edge, path, *args, coding="" if "-H" in args else "gzip")
    if "Cookie: a=b" in args or "-u" in args:
        status, fields, body = get(edge, path, *args)
    assert (status, body) == (200, PAGES[path][1])
    assert "content-encoding" not in fields
    assert fields["content-length"] == [str(len(body))]
    assert ("vary" in fields) == varies
    assert edge.settled()["edge_compressed_total"] == 0


def test_what_has_a_coding_passes(edge):
    _, fields, body = get(edge, "/coded", coding="br, gzip")
    assert fields["content-encoding"] == ["gzip"]
    assert body == PAGES["/coded"][1]


def test_secrets_and_sites_by_option(make_edge, scripted_origin):
    app = scripted_origin(pages)
    edge = make_edge({"app": app.origin()}, routes={
        "/": ("app", "compression: {enabled: true, secrets: true, formats: gzip, min_size: 100}"),
        "/page": ("app", "compression: {enabled: true, types: application/json}"),
        "/large": "app"})
    _, fields, body = get(edge, "/mine", "-H", "Cookie: a=b", coding="br, gzip")
    assert fields["content-encoding"] == ["gzip"]
    assert gzip.decompress(body) == PAGES["/mine"][1]
    assert get(edge, "/tiny")[1]["content-encoding"] == ["gzip"]
    for path in ("/page", "/large"):
        _, fields, body = get(edge, path)
        assert "content-encoding" not in fields and "vary" not in fields
        assert body == PAGES[path][1]


def test_secrets_of_clients_with_certificates(make_edge, scripted_origin, tmp_path):
    ca = ClientAuthority(tmp_path)
    certificate = ca.issue("alice").curl()
    edge = make_edge({"app": scripted_origin(pages).origin()}, {"/": ("app", ON)},
                     site=[f"client_certificates: {{mode: optional, ca_file: {ca.pem}}}"])
    for args, compressed in ([], True), (certificate, False):
        _, fields, _ = get(edge, "/page", *args, coding="gzip")
        assert ("content-encoding" in fields) is compressed
        assert fields["vary"] == ["Accept-Encoding"]


def test_the_site_decides_where_a_route_says_nothing(make_edge, scripted_origin):
    app = scripted_origin(pages)
    edge = make_edge({"app": app.origin()},
                     routes={"/": "app", "/page": ("app", "compression: off")})
    edge.fleet.write_text(edge.fleet.read_text().replace(
        "    routes:", "    compression: on\n    routes:"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert get(edge, "/large")[1]["content-encoding"] == ["gzip"]
    assert "content-encoding" not in get(edge, "/page")[1]


def test_http_1_0_gets_it_as_it_is(edge):
    data, _ = edge.exchange(f"GET /page HTTP/1.0\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n"
                            .encode())
    assert data.endswith(PAGES["/page"][1])


def test_events_go_out_one_by_one(scripted):
    said = threading.Semaphore(0)

    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n")
        for i in range(20):
            event = b"data: %d\n\n" % i
            conn.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            assert said.acquire(timeout=perigee.PATIENCE)
        conn.sendall(b"0\r\n\r\n")

    edge = scripted(script, routes={"/": ("app", ON)})
    decoder = zlib.decompressobj(15 + 16)
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        answer = Responses(s)
        assert answer.head()[0] == 200
        for i in range(20):
            wanted, found = b"data: %d\n\n" % i, b""
            while found != wanted:
                assert wanted.startswith(found)
                found += decoder.decompress(answer.bytes(int(answer.line(), 16)))
                answer.line()
            said.release()


def test_a_client_that_takes_nothing_holds_up_the_origin(scripted):
    """What is not taken is not compressed, and not read from the origin either."""
    piece = text(1_000_000)

    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
                     % (300 * len(piece)))
        for _ in range(300):
            conn.sendall(piece)

    edge = scripted(script, routes={"/": ("app", ON)})
    before = edge.resident_bytes()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(perigee.PATIENCE)
    s.connect(("127.0.0.1", edge.port))
    with edge.secure(s) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
        assert s.recv(1) == b"H"
        was = -1
        while edge.counters()["edge_compressed_in_bytes_total"] != was:
            was = edge.counters()["edge_compressed_in_bytes_total"]
            perigee.wait_for(lambda: not edge.counters()["edge_handshakes_active"], "a while")
            # Others are served meanwhile.
            assert edge.curl("-o", "/dev/null", "-w", "%{http_code}",
                             edge.url("/.well-known/perigee/health")).stdout == "200"
        assert was < 60_000_000
        assert edge.resident_bytes() - before < 40_000_000
        assert edge.counters()["edge_compressed_active"] == 1
    edge.wait_counter("edge_compressed_active", 0)


def test_origin_that_breaks_off_is_told_to_the_client(scripted):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
                     + text(50_000))

    edge = scripted(script, routes={"/": ("app", ON)})
    done = edge.curl("--compressed", "-o", "/dev/null", edge.url("/"), check=False)
    assert done.returncode in (18, 56), done
    assert edge.settled()["edge_end_origin_truncated_total"] == 1
    assert edge.counters()["edge_compressed_active"] == 0


def test_over_the_limit_responses_go_out_as_they_are(make_edge, scripted_origin):
    app = scripted_origin(pages)
    edge = make_edge({"app": app.origin()}, routes={"/": ("app", ON)},
                     http="limit: {compression: 1MiB}")
    # One of gzip, and none of the others.
    assert "content-encoding" not in get(edge, "/page", coding="br")[1]
    assert "content-encoding" not in get(edge, "/page", coding="zstd")[1]
    assert get(edge, "/page", coding="gzip")[1]["content-encoding"] == ["gzip"]
    assert edge.settled()["edge_compressed_refused_total"] == 2


def test_many_at_a_time(edge):
    """More responses at a time than there are spares, in all codings; and the memory comes back."""
    urls = [edge.url("/page") if i % 2 else edge.url("/made/page") for i in range(60)]
    out = edge.curl("--parallel", "--parallel-max", "30", "--compressed", *urls, text=False).stdout
    assert len(out) == 60 * len(PAGES["/page"][1])
    counters = edge.settled()
    assert counters["edge_compressed_total"] == 60
    assert counters["edge_compressed_active"] == 0
