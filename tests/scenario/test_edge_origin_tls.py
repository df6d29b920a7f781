# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: origins over TLS, which is nginx here, and the PROXY header towards origins."""

import re
import socket
import struct

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head
from nginx import Nginx

NAME = "app.internal.test"
GOOD = 'location / { return 200 "$ssl_protocol $ssl_session_reused $ssl_server_name\\n"; }'
NO_CHECKS = "health: {enabled: false}"


@pytest.fixture
def make_nginx(processes, tmp_path):
    """make_nginx((certificate, key)): nginx with TLS; see Nginx."""
    def make(certificate, server=GOOD, listen="ssl", versions="TLSv1.2 TLSv1.3", **more):
        server = f"""ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
ssl_protocols {versions}; ssl_session_cache shared:s:1m; ssl_session_tickets on; {server}"""
        nginx = Nginx(tmp_path, server, listen, **more)
        processes.append(nginx)
        return nginx

    return make


@pytest.fixture
def internal(authority):
    """What the origin ought to have."""
    return authority.issue("internal", [NAME])


def tls(authority, more=""):
    return f"tls: {{enabled: true, ca: {authority.certificate}, name: {NAME}, {more}}}"


def address_of(edge):
    return edge.status()["origins"]["app"]["servers"][0]["addresses"][0]


def test_connections_are_reused(make_edge, make_nginx, authority, internal):
    nginx = make_nginx(
        internal, log="$connection $connection_requests $ssl_server_name $ssl_protocol")
    edge = make_edge({"app": nginx.origin(f"{tls(authority)}, {NO_CHECKS}")})
    for _ in range(20):
        assert edge.curl("-f", edge.url("/")).stdout.split()[0] == "TLSv1.3"
    seen = [line.split() for line in nginx.access_log(20)]
    assert len({connection for connection, *_ in seen}) == 1
    assert [int(number) for _, number, *_ in seen] == list(range(1, 21))
    assert {(name, version) for *_, name, version in seen} == {(NAME, "TLSv1.3")}
    c = edge.settled()
    assert c["olink_leases_fresh_total"] == 1 and c["olink_leases_reused_total"] == 19
    assert c["edge_end_done_total"] == 20


def test_large_bodies_both_ways(make_edge, scripted_origin, authority, internal, tmp_path):
    body = bytes(range(256)) * 40000

    def script(conn):
        while head := read_head(conn):
            data = bytearray(head.partition(b"\r\n\r\n")[2])
            while len(data) < len(body):
                data += conn.recv(1 << 20)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    edge = make_edge({"app": scripted_origin(script, tls=internal).origin(tls(authority))})
    (tmp_path / "body").write_bytes(body)
    for _ in range(2):
        got = edge.curl("-H", "Expect:", "--data-binary", f"@{tmp_path / 'body'}", edge.url("/"),
                        text=False).stdout
        assert got == body
    c = edge.settled()
    assert c["edge_end_done_total"] == 2 and c["olink_leases_reused_total"] == 1


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
def test_sessions_are_resumed(make_edge, make_nginx, authority, internal, version):
    """Each connection is good for one request here."""
    nginx = make_nginx(internal, f"keepalive_requests 1; {GOOD}", versions=version,
                       log="$ssl_protocol $ssl_session_reused")
    edge = make_edge({"app": nginx.origin(f"{tls(authority)}, {NO_CHECKS}")})
    for _ in range(4):
        assert edge.curl("-f", edge.url("/")).returncode == 0
    assert nginx.access_log(4) == [f"{version} ."] + [f"{version} r"] * 3
    assert edge.settled()["olink_leases_fresh_total"] == 4


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
@pytest.mark.parametrize("store", ["ssl_session_tickets on", "ssl_session_tickets off"])
@pytest.mark.parametrize("checked", ["false", "true"])
def test_sessions_are_resumed_at_the_server_that_gave_them(processes, make_edge, authority, internal,
                                                           tmp_path, version, store, checked):
    """Two servers that know nothing of each other's sessions, over one transport, with checks between
    the requests, and four workers. Each answer says whether its session was resumed."""
    servers = []
    for name in "ab":
        (tmp_path / name).mkdir()
        servers.append(Nginx(tmp_path / name, f"""ssl_certificate {internal[0]};
ssl_certificate_key {internal[1]}; ssl_protocols {version}; {store};
ssl_session_cache shared:s:1m; keepalive_requests 1;
location / {{ return 200 "$ssl_session_reused"; }}""", "ssl"))
        processes.append(servers[-1])
    listed = ", ".join(f'"127.0.0.1:{nginx.port}"' for nginx in servers)
    edge = make_edge({"app": f"servers: [{listed}], {tls(authority)}, health: {checked}"}, workers=4)
    answers = [edge.curl(edge.url("/")).stdout for _ in range(10)]
    c = edge.settled()
    # Each worker takes the servers by turns, so the second may come late.
    assert len(answers) == 10 and answers.count(".") <= 2, answers
    assert c["olink_handshakes_total"] == 10
    assert c["olink_handshakes_resumed_total"] == answers.count("r")


def refused(edge, counter, text):
    """502, and whoever looks is told why."""
    got = edge.curl("-i", edge.url("/")).stdout
    assert got.startswith("HTTP/1.1 502 "), got
    assert edge.settled()[counter] == 1
    logged = edge.access_log(1)[0]
    assert logged["status"] == 502 and logged["end"] == counter.removeprefix(
        "edge_end_").removesuffix("_total").replace("_", "-")
    edge.wait_log(f"(?i){text}")


def bad_certificate(kind, authority, tmp_path):
    if kind == "expired":
        return authority.issue_expired("expired", NAME)
    if kind == "wrong name":
        return authority.issue("elsewhere", ["elsewhere.test"])
    return perigee.Authority(tmp_path / "strangers").issue("strange", [NAME])


@pytest.mark.parametrize("kind, text", [
    ("expired", "expired"), ("wrong name", "name|owner|host"),
    ("unknown issuer", "issuer|not trusted")])
def test_bad_certificate_is_refused(make_edge, make_nginx, authority, tmp_path, kind, text):
    nginx = make_nginx(bad_certificate(kind, authority, tmp_path))
    edge = make_edge({"app": nginx.origin(f"{tls(authority)}, {NO_CHECKS}")})
    refused(edge, "edge_end_origin_certificate_total", f"certificate.*({text})")
    # The request never left.
    assert nginx.access_log_path.read_text() == ""


def test_bad_certificate_is_a_cause_of_being_down(make_edge, make_nginx, authority, tmp_path):
    nginx = make_nginx(bad_certificate("expired", authority, tmp_path))
    edge = make_edge({"app": nginx.origin(
        f"{tls(authority)}, health: {{check: {{interval: 2s, fall: 1}}}}")})
    perigee.wait_for(lambda: address_of(edge)["state"] == "down", "it to be down")
    assert "certificate" in address_of(edge)["cause"]


def test_certificate_may_go_unverified(make_edge, make_nginx, authority, tmp_path):
    nginx = make_nginx(bad_certificate("unknown issuer", authority, tmp_path))
    edge = make_edge({"app": nginx.origin(
        f"tls: {{enabled: true, verify: false, name: {NAME}}}, {NO_CHECKS}")})
    assert edge.curl("-f", edge.url("/")).stdout.split()[-1] == NAME


def test_origin_that_speaks_no_tls(make_edge, scripted_origin, authority):
    def script(conn):
        conn.recv(65536)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    edge = make_edge({"app": scripted_origin(script).origin(tls(authority))})
    refused(edge, "edge_end_origin_handshake_failed_total", "handshake|TLS")


def test_origin_that_hangs_in_the_handshake(make_edge, scripted_origin, authority):
    """Which is part of connecting to it."""
    edge = make_edge({"app": scripted_origin(lambda conn: conn.recv(65536) and conn.recv(1)).origin(
        f"{tls(authority)}, timeout: {{connect: 500ms, response: 20s}}")})
    got = edge.curl("-o", "/dev/null", "-w", "%{http_code} %{time_total}", edge.url("/")).stdout
    status, seconds = got.split()
    assert status in ("502", "504") and float(seconds) < 8


def test_health_checks_go_over_it(make_edge, make_nginx, authority, internal):
    nginx = make_nginx(internal, f"location = /health {{ return 204; }} {GOOD}",
                       log="$uri $status $https $ssl_server_name")
    edge = make_edge({"app": nginx.origin(
        f"{tls(authority)}, health: {{check: {{path: /health, status: 204, interval: 2s, "
        "rise: 1}}")})
    assert nginx.access_log(1)[0] == f"/health 204 on {NAME}"
    perigee.wait_for(lambda: address_of(edge)["state"] == "up", "it to be up")
    assert edge.curl("-f", edge.url("/")).returncode == 0


def test_warm_connections_are_ready(make_edge, make_nginx, authority, internal):
    nginx = make_nginx(internal, log="$connection_requests")
    edge = make_edge({"app": nginx.origin(f"{tls(authority)}, {NO_CHECKS}, pool: {{warm: 2}}")})
    perigee.wait_for(lambda: address_of(edge)["idle"] == 2, "two idle connections")
    assert edge.curl("-f", edge.url("/")).returncode == 0
    assert edge.settled()["olink_leases_reused_total"] == 1


def test_client_certificate(make_edge, make_nginx, authority, internal):
    ours = authority.issue("edge", ["edge.internal.test"], usage="clientAuth")
    demand = f"ssl_client_certificate {authority.certificate}; ssl_verify_client on; {GOOD}"
    nginx = make_nginx(internal, demand, log="$status $ssl_client_verify $ssl_client_s_dn")
    mine = f"certificate: {ours[0]}, key: {ours[1]}"
    edge = make_edge({"app": nginx.origin(f"{tls(authority, mine)}, {NO_CHECKS}"),
                      "bare": nginx.origin(f"{tls(authority)}, {NO_CHECKS}")},
                     routes={"/": "app", "/bare": "bare"})
    assert edge.curl("-f", edge.url("/")).returncode == 0
    # Nor does it get one of the other's connections.
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/bare")).stdout == "400"
    assert nginx.access_log(2) == ["200 SUCCESS CN=edge.internal.test", "400 NONE -"]


def header_of(conn):
    """(source address in a PROXY header of either version, bytes behind it)"""
    data = b""
    while len(data) < 16 or (data.startswith(b"PROXY") and b"\r\n" not in data):
        more = conn.recv(65536)
        if not more:
            return None, b""
        data += more
    if data.startswith(b"PROXY"):
        line, _, rest = data.partition(b"\r\n")
        return line.split()[2].decode(), rest
    assert data.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11"), data
    size, = struct.unpack(">H", data[14:16])
    while len(data) < 16 + size:
        data += conn.recv(65536)
    return socket.inet_ntoa(data[16:20]), data[16 + size:]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_proxy_header_to_the_origin(make_edge, scripted_origin, version):
    """It speaks for a connection: so that is not shared between clients."""
    seen = []

    def script(conn):
        source, behind = header_of(conn)
        requests = []
        seen.append((source, requests))
        while True:
            while b"\r\n\r\n" not in behind:
                more = conn.recv(65536)
                if not more:
                    return
                behind += more
            head, _, behind = behind.partition(b"\r\n\r\n")
            requests.append(re.search(rb"\r\nX-Forwarded-For: (\S+)", head, re.I).group(1).decode())
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    edge = make_edge({"app": scripted_origin(script).origin(f"proxy_protocol: {version}")})
    clients = ["127.0.0.1", "127.0.0.7", "127.0.0.1", "127.0.0.9", "127.0.0.7"]
    for client in clients:
        with edge.connect(source=client) as s:
            for _ in range(2):
                s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                assert Responses(s).response()[0] == 200
    assert edge.settled()["edge_end_done_total"] == 2 * len(clients)
    assert {source for source, _ in seen} == set(clients)
    assert all(set(requests) <= {source} for source, requests in seen)
    assert sum(len(requests) for _, requests in seen) == 2 * len(clients)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_believes_the_proxy_header(processes, make_edge, tmp_path, version):
    """Also in health checks, which are nobody's."""
    nginx = Nginx(tmp_path, 'location = /health { return 204; } '
                  'location / { return 200 "$proxy_protocol_addr\\n"; }', "proxy_protocol",
                  log="$uri $status")
    processes.append(nginx)
    edge = make_edge({"app": nginx.origin(
        f"proxy_protocol: {version}, health: {{check: {{path: /health, status: 204, interval: 2s, "
        "rise: 1}}")})
    perigee.wait_for(lambda: address_of(edge)["state"] == "up", "it to be up")
    for client in ("127.0.0.1", "127.0.0.8"):
        assert edge.curl("-f", "--interface", client, edge.url("/")).stdout == f"{client}\n"
    assert {"/health 204", "/ 200"} == set(nginx.access_log(2))


def test_proxy_header_comes_before_tls(make_edge, make_nginx, authority, internal):
    nginx = make_nginx(
        internal, 'location / { return 200 "$proxy_protocol_addr $ssl_protocol\\n"; }',
        "ssl proxy_protocol")
    edge = make_edge({"app": nginx.origin(f"{tls(authority)}, proxy_protocol: v2, {NO_CHECKS}")})
    got = edge.curl("-f", "--interface", "127.0.0.8", edge.url("/")).stdout
    assert got == "127.0.0.8 TLSv1.3\n"
