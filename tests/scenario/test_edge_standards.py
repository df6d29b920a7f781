# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: what it says about itself in fields of responses and requests that are standards:
Proxy-Status (RFC 9209), CDN-Loop (RFC 8586), Server-Timing."""

import re
import socket

import pytest

import perigee
from edge_fleet import HOST, Edge, read_head

CLOSED = "Connection: close\r\nContent-Length: 0\r\n\r\n"


def head_of(edge, *args, path="/", http2=False):
    """(status, [(name, value)]) by curl."""
    text = edge.curl("-i", "-o", "-", *args, edge.url(path), http2=http2).stdout
    head = text.split("\n\n")[0].replace("\r", "").split("\n\n")[0].split("\n")
    fields = [line.split(": ", 1) for line in head[1:] if ": " in line]
    return int(head[0].split()[1]), [(name.lower(), value) for name, value in fields]


def values(fields, name):
    return [value for n, value in fields if n == name]


def closed_port():
    """A port that nobody listens on, held so that nobody begins to."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]


@pytest.mark.parametrize("http2", [False, True])
def test_proxy_status_says_what_went_wrong(make_edge, http2):
    held, port = closed_port()
    with held:
        edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{enabled: false}}'},
                         routes={"/app": "app"})
        status, fields = head_of(edge, path="/app", http2=http2)
        assert status == 502
        assert values(fields, "proxy-status") == [
            'perigee-fra1; error=connection_refused; details="origin-connect-refused"; '
            'next-hop="app"']
        status, fields = head_of(edge, http2=http2)
        assert status == 404
        assert values(fields, "proxy-status") == ["perigee-fra1; error=destination_not_found"]
        # The edge's own, and all is well.
        status, fields = head_of(edge, path="/.well-known/perigee/health", http2=http2)
        assert (status, values(fields, "proxy-status")) == (200, [])


def test_proxy_status_of_a_request_that_is_no_http(make_edge, origin):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'})
    data, _ = edge.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert b"\r\nProxy-Status: perigee-fra1; error=http_request_error; " \
           b"details=\"client-malformed\"\r\n" in data


@pytest.mark.parametrize("option, told", [("errors", True), ("off", False)])
def test_proxy_status_of_a_request_without_tls(make_edge, origin, option, told):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'},
                     http=f"proxy_status: {option}")
    with edge.connect_tcp() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b"".join(iter(lambda: s.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 400 ")
    assert (b"\r\nProxy-Status: perigee-fra1; error=http_request_error\r\n" in data) == told


def answers(fields, status="200 OK"):
    def script(s):
        read_head(s)
        s.sendall(f"HTTP/1.1 {status}\r\n{fields}{CLOSED}".encode())
    return script


@pytest.mark.parametrize("option, ours", [
    ("errors", []), ("off", []),
    ("all", ['perigee-fra1; next-hop="app"; received-status=503'])])
def test_what_proxies_before_us_say_is_kept(make_edge, scripted_origin, option, ours):
    theirs = ["inner; error=connection_timeout", "x;received-status=503"]
    origin = scripted_origin(answers("".join(f"Proxy-Status: {s}\r\n" for s in theirs),
                                     "503 Service Unavailable"))
    edge = make_edge({"app": origin.origin()}, http=f"proxy_status: {option}")
    status, fields = head_of(edge)
    assert (status, values(fields, "proxy-status")) == (503, theirs + ours)


def test_proxy_status_off(make_edge):
    held, port = closed_port()
    with held:
        edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{enabled: false}}'},
                         http="proxy_status: off")
        status, fields = head_of(edge)
        assert (status, values(fields, "proxy-status")) == (502, [])


def test_server_timing(make_edge, scripted_origin):
    origin = scripted_origin(answers("Server-Timing: db;dur=53\r\n"))
    edge = make_edge({"app": origin.origin()}, routes={"/app": "app"}, http="server_timing: yes")
    _, fields = head_of(edge, path="/app")
    theirs, ours = values(fields, "server-timing")
    assert theirs == "db;dur=53"
    number = r"(\d+\.\d{3})"
    times = re.fullmatch(f"edge;dur={number}, queue;dur={number}, connect;dur={number}, "
                         f"origin;dur={number}", ours)
    total, queue, connect, answer = map(float, times.groups())
    assert answer > 0 and queue + connect + answer <= total + 0.001
    _, fields = head_of(edge)
    assert re.fullmatch(f"edge;dur={number}", *values(fields, "server-timing"))


def test_server_timing_is_off_by_default(make_edge, scripted_origin):
    edge = make_edge({"app": scripted_origin(answers("")).origin()})
    assert values(head_of(edge)[1], "server-timing") == []


def test_cdn_loop_is_written(make_edge, scripted_origin):
    heads = []

    def script(s):
        heads.append(read_head(s))
        s.sendall(f"HTTP/1.1 200 OK\r\n{CLOSED}".encode())

    edge = make_edge({"app": scripted_origin(script).origin()})
    edge.curl("-H", "CDN-Loop: other.example;v=1", "-H", "cdn-loop: x", edge.url("/"))
    assert b"\r\nCDN-Loop: other.example;v=1, x, perigee-fra1\r\n" in heads[0]
    # Once may be meant so; and who names ten networks had no hand in it.
    edge.curl("-f", "-H", "CDN-Loop: perigee-fra1", edge.url("/"))
    assert len(heads) == 2
    assert head_of(edge, "-H", "CDN-Loop: a, b, c, d, e, f, g, h, i, j")[0] == 508
    assert len(heads) == 2


@pytest.mark.parametrize("http2", [False, True])
def test_via_names_the_version_that_came(make_edge, scripted_origin, http2):
    heads = []

    def script(s):
        heads.append(read_head(s))
        s.sendall(f"HTTP/1.1 200 OK\r\n{CLOSED}".encode())

    edge = make_edge({"app": scripted_origin(script).origin()})
    shown = edge.curl("-i", edge.url("/"), http2=http2).stdout
    assert f"\r\nVia: {'2.0' if http2 else '1.1'} perigee-fra1\r\n".encode() in heads[0]
    assert "\nvia: 1.1 perigee-fra1\n" in shown.lower().replace("\r", "")


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("n", [1, 2, 12])
def test_edges_that_are_each_others_origin(tmp_path, processes, authority, certificate, n, http2):
    """A fleet whose DNS points at itself: requests went round until descriptors ran out."""
    sites = {"www": ([HOST], [certificate], {"/": "app"})}
    held, port = closed_port()
    edges = []
    with held:
        for i in range(n):
            folder = tmp_path / str(i)
            folder.mkdir()
            # Each sends to the one before it, and the first one to the last.
            to = edges[-1].plain_port if edges else port
            edges.append(Edge(folder, authority, sites, origins(to), "plain: serve", plain=True,
                              node=f"edge{i}"))
            processes.append(edges[-1])
        edges[0].write(sites, origins(edges[-1].plain_port), "plain: serve")
        edges[0].reload()
        edges[0].wait_counter("edge_reloads_total", 1)
    status, fields = head_of(edges[-1], http2=http2)
    assert status == 508
    told = [s for s in values(fields, "proxy-status") if "proxy_loop_detected" in s]
    assert len(told) == 1
    # Its own name twice, or eight networks, whichever comes first.
    assert sum(e.settled()["edge_requests_total"] for e in edges) == min(2 * n + 1, 9)


def origins(port):
    return {"app": f'servers: ["127.0.0.1:{port}"], health: {{enabled: false}}'}
