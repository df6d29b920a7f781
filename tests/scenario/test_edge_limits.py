# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: who is let in, and how much each may have: access by network and by place, what each
client may have at a time and in a time, and limits of requests by keys; over loopback addresses, by
real clients."""

import contextlib
import re
import socket
import subprocess
import threading

import pytest

import perigee
from edge_fleet import HOST, Responses, is_broken_off, read_head
from mmdb import UINT32, build_networks
from tls_frames import INTERNAL_ERROR, Client, Refused

HEALTH = "/.well-known/perigee/health"


@pytest.fixture
def app(scripted_origin):
    """Says 200 to everything."""
    def script(conn):
        while read_head(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return {"app": scripted_origin(script).origin()}


def answer(edge, path="/", source="127.0.0.1", fields="", method="GET"):
    """Status and fields of a request on a connection of its own."""
    with edge.connect(source=source) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n".encode())
        status, fields, _ = Responses(s).response()
    return status, fields


def status_of(edge, *args, **kwargs):
    return answer(edge, *args, **kwargs)[0]


def is_let_in(edge, source):
    """Whether a newcomer may begin a handshake."""
    try:
        with edge.connect(source=source):
            return True
    except OSError:
        return False


# Access


def test_who_is_denied_by_network(make_edge, app):
    edge = make_edge(
        app, http="access: [{allow: {networks: 127.0.0.2/32}}, {deny: {networks: 127.0.0.0/29}}, "
        "{deny: {networks: 127.0.0.9/32}}]",
        listen="127.0.0.1:0", args=(), top=["nameservers: {ns: {listen: '127.0.0.1:53'}}"])
    assert status_of(edge, source="127.0.0.2") == 200
    assert status_of(edge, source="127.0.0.8") == 200
    # Before anything is read of them.
    for source in "127.0.0.3", "127.0.0.9":
        with edge.connect_tcp(source) as s:
            assert is_broken_off(s)
    edge.wait_counter("edge_connections_denied_total", 2)
    # Name servers, which check whether it serves, are never closed; but get no more than that.
    assert status_of(edge, HEALTH) == 200
    assert status_of(edge) == 403
    c = edge.settled()
    assert c["edge_connections_denied_total"] == 2 and c["edge_denied_network_total"] == 1
    assert c["edge_end_client_denied_total"] == 1 and c["edge_handshakes_total"] == 4


def test_site_and_route_deny_by_403(make_edge, app):
    edge = make_edge(
        app, routes={"/": "app", "/office": ("app", "access: [{allow: {networks: 127.0.0.2}}, "
                                             "{deny: {networks: [0.0.0.0/0, '::/0']}}]")},
        site=["access: {deny: {networks: 127.0.0.9/32}}"])
    assert status_of(edge, "/office/x", "127.0.0.2") == 200
    status, fields = answer(edge, "/office", "127.0.0.3")
    assert status == 403 and fields["content-type"] == "text/plain; charset=utf-8"
    assert status_of(edge, "/other", "127.0.0.3") == 200
    # Of the site, also where it has nothing.
    assert status_of(edge, "/other", "127.0.0.9") == 403
    assert status_of(edge, HEALTH, "127.0.0.9") == 200
    c = edge.settled()
    assert c["edge_denied_network_total"] == 2 and c["edge_connections_denied_total"] == 0
    assert [line["end"] for line in edge.access_log(5)] == [
        "done", "client-denied", "done", "client-denied", "done"]


def place(country, continent, asn):
    return {"country": {"iso_code": country}, "continent": {"code": continent},
            "autonomous_system_number": (UINT32, asn)}


def test_who_is_denied_by_place(make_edge, app, tmp_path):
    database = tmp_path / "places.mmdb"
    database.write_bytes(build_networks({
        "127.0.0.2/32": place("DE", "EU", 64500), "127.0.0.3/32": place("JP", "AS", 64501),
        "127.0.0.4/32": place("FR", "EU", 64502), "127.0.0.8/29": place("US", "NA", 64503)}))
    edge = make_edge(
        app, http="access: [{allow: {networks: 127.0.0.9/32}}, {deny: {countries: [JP]}}]",
        site=["access: [{allow: {asns: [64502]}}, {deny: {continents: EU}}, "
              "{deny: {asns: 64503}}]"],
        top=[f"geo: {{database: {database}}}"])
    statuses = [status_of(edge, source=f"127.0.0.{n}") for n in (1, 2, 3, 4, 8, 9)]
    assert statuses == [200, 403, 403, 200, 403, 403]
    c = edge.settled()
    assert [c[f"edge_denied_{by}_total"] for by in ("country", "continent", "asn", "network")] == [
        1, 1, 2, 0]
    geo = edge.status()["geo"]
    assert geo["databases"][0]["path"] == str(database) and geo["databases"][0]["networks"] == 4
    # What nothing needs is not loaded.
    text = edge.fleet.read_text()
    edge.fleet.write_text(re.sub(r"access: \[\{allow: \{(networks|asns).*\}\]", "access: []", text))
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert "geo" not in edge.status() and status_of(edge, source="127.0.0.2") == 200


# What each client may have


def test_connections_of_one_client(make_edge, app):
    edge = make_edge(app, http="per_client: {connections: 3}, limit: {connections: 8}", workers=2)
    with contextlib.ExitStack() as stack:
        bystander = stack.enter_context(edge.connect(source="127.0.0.2"))
        own = [stack.enter_context(edge.connect(source="127.0.0.3")) for _ in range(3)]
        for _ in range(20):
            with edge.connect_tcp("127.0.0.3") as s:
                assert is_broken_off(s)
        edge.wait_counter("edge_connections_too_many_total", 20)
        # Nobody had to give way for them.
        assert edge.counters()["edge_connections_displaced_total"] == 0
        for s in (bystander, own[0]):
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert Responses(s).response()[0] == 200
        assert edge.status()["limits"]["clients"] == 2
        own.pop().close()
        perigee.wait_for(lambda: is_let_in(edge, "127.0.0.3"), "a place to be free")
    edge.wait_counter("edge_connections_active", 0)
    assert edge.status()["limits"]["clients"] == 0


def test_requests_of_one_client_at_a_time(make_edge, scripted_origin):
    go_on = threading.Event()

    def script(conn):
        while read_head(conn):
            assert go_on.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    edge = make_edge({"app": scripted_origin(script).origin()}, http="per_client: {requests: 2}")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(edge.connect(source="127.0.0.2")) for _ in range(2)]
        for s in held:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        edge.wait_counter("edge_requests_active", 2)
        status, fields = answer(edge, source="127.0.0.2")
        assert status == 429 and fields["retry-after"] == "1"
        assert status_of(edge, HEALTH, "127.0.0.2") == 200
        go_on.set()
        assert [Responses(s).response()[0] for s in held] == [200, 200]
        edge.wait_counter("edge_requests_active", 0)
        assert status_of(edge, source="127.0.0.2") == 200
        assert status_of(edge, source="127.0.0.3") == 200
    c = edge.settled()
    assert c["edge_requests_too_many_total"] == 1 and c["edge_end_client_limited_total"] == 1


def test_rates_of_one_client(make_edge, app):
    edge = make_edge(app, http="per_client: {request_rate: 3/h, connection_rate: 5/h}")
    assert [status_of(edge, source="127.0.0.2") for _ in range(3)] == [200] * 3
    status, fields = answer(edge, source="127.0.0.2")
    assert status == 429 and 1100 < int(fields["retry-after"]) <= 1200
    assert is_let_in(edge, "127.0.0.2") and not is_let_in(edge, "127.0.0.2")
    assert status_of(edge, source="127.0.0.3") == 200
    c = edge.settled()
    assert c["edge_requests_too_fast_total"] == 1 and c["edge_connections_too_fast_total"] == 1


def test_handshakes_of_one_client(make_edge, app):
    """Over the rate it is told so, without a handshake; others, and what it has, are not touched."""
    edge = make_edge(app, http="per_client: {handshake_rate: 2/h}")
    with edge.connect(source="127.0.0.2") as first:
        assert status_of(edge, source="127.0.0.2") == 200
        for _ in range(3):
            with edge.connect_tcp("127.0.0.2") as s:
                client = Client(s)
                client.hello()
                with pytest.raises(Refused) as refused:
                    client.record()
            assert refused.value.alert == INTERNAL_ERROR
        assert status_of(edge, source="127.0.0.3") == 200
        first.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert Responses(first).response()[0] == 200
    c = edge.settled()
    assert c["edge_handshake_failures_limited_total"] == 3
    assert c["edge_handshake_failures_total"] == 3 and c["edge_handshakes_total"] == 3


def test_clients_behind_trusted_proxies(make_edge, app):
    """They share the proxy's connections, but not what each may have."""
    edge = make_edge(app, http="trusted_proxies: [127.0.0.2/32], access: [{deny: {networks: "
                     "203.0.113.0/24}}], per_client: {connections: 3, request_rate: 2/h}")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(edge.connect(source="127.0.0.2"))

        def by(client, source="127.0.0.2"):
            return status_of(edge, source=source, fields=f"X-Forwarded-For: {client}\r\n")

        assert [by("192.0.2.1") for _ in range(3)] == [200, 200, 429]
        assert by("192.0.2.2") == 200
        # What a client writes itself does not count, neither for it nor against another.
        assert by("192.0.2.3, 192.0.2.1") == 429
        assert by("2001:db8::1") == by("2001:db8::2") == 200 and by("2001:db8::3") == 429
        assert by("203.0.113.9") == 403
        # Others are not believed.
        assert [by("192.0.2.9", "127.0.0.3") for _ in range(3)] == [200, 200, 429]


def test_clients_behind_a_load_balancer(make_edge, app):
    edge = make_edge(app, plain=True, http="proxy_protocol: [127.0.0.2/32], plain: serve, "
                     "per_client: {connections: 1}, access: {deny: {networks: 203.0.113.0/24}}")

    def begin(client):
        s = stack.enter_context(socket.create_connection(
            ("127.0.0.1", edge.plain_port), timeout=perigee.PATIENCE,
            source_address=("127.0.0.2", 0)))
        s.sendall(f"PROXY TCP4 {client} 192.0.2.99 4711 80\r\n"
                  f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        return s

    with contextlib.ExitStack() as stack:
        assert Responses(begin("192.0.2.1")).response()[0] == 200
        assert Responses(begin("192.0.2.2")).response()[0] == 200
        assert is_broken_off(begin("192.0.2.1"))
        assert is_broken_off(begin("203.0.113.1"))
    edge.wait_counter("edge_connection_end_client_limited_total", 1)
    edge.wait_counter("edge_connection_end_client_denied_total", 1)
    c = edge.counters()
    assert c["edge_connections_too_many_total"] == 1 and c["edge_connections_denied_total"] == 1


# Limits


def test_limit_of_a_route(make_edge, app):
    edge = make_edge(app, routes={"/": "app", "/login": (
        "app", "limits: {name: logins, rate: 3/h, key: '{client.network}', tell: always, "
        "when: {methods: POST}}")})

    def login(source="127.0.0.2", **more):
        return answer(edge, "/login", source, fields="Content-Length: 0\r\n", method="POST", **more)

    for left in (2, 1, 0):
        status, fields = login()
        assert status == 200 and fields["ratelimit-policy"] == '"logins";q=3;w=3600'
        assert re.fullmatch(rf'"logins";r={left};t=(1200|1199)', fields["ratelimit"])
    status, fields = login()
    assert status == 429 and fields["ratelimit"].startswith('"logins";r=0;t=')
    assert fields["retry-after"] == fields["ratelimit"].rpartition("=")[2]
    # Others, other requests, and other routes.
    assert login("127.0.0.3")[0] == 200
    status, fields = answer(edge, "/login", "127.0.0.2")
    assert status == 200 and "ratelimit" not in fields
    assert status_of(edge, "/", "127.0.0.2") == 200
    # A reload does not fill the bucket.
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert login()[0] == 429
    limits = edge.status()["limits"]
    assert limits["limits"] == {"www/logins": {"allowed": 4, "refused": 2}}
    assert limits["keys"] == 2
    assert edge.settled()["edge_requests_limited_total"] == 2


def test_limits_of_edge_and_site_hold_together(make_edge, app):
    edge = make_edge(
        app, http="limits: [{name: all, rate: 5/h, status: 503}]",
        site=["limits: [{name: by_key, rate: 2/h, key: '{field.Api-Key}', tell: never}]"])

    def by(key):
        fields = f"Api-Key: {key}\r\n" if key else ""
        return answer(edge, source="127.0.0.2", fields=fields)

    assert [by("one")[0] for _ in range(2)] == [200, 200]
    status, fields = by("one")
    assert status == 429 and "ratelimit" not in fields and int(fields["retry-after"]) > 1000
    # Without the key it has no such limit; and what is not there counts for all too.
    assert by(None)[0] == 200
    assert status_of(edge, "/", "127.0.0.3") == 200
    status, fields = by("two")
    assert status == 503 and fields["ratelimit-policy"] == '"all";q=5;w=3600'
    assert fields["retry-after"] == fields["ratelimit"].rpartition("=")[2]
    # Whoever checks whether it serves finds that it does.
    assert status_of(edge, HEALTH) == 200
    assert edge.status()["limits"]["limits"] == {
        "all": {"allowed": 5, "refused": 1}, "www/by_key": {"allowed": 2, "refused": 1}}


@pytest.mark.parametrize("version", [["--h1"], []], ids=["h1", "h2"])
def test_flood_gets_exactly_its_limit(make_edge, app, version):
    """All workers count into the same bucket."""
    edge = make_edge(app, workers=2, http="limits: {name: all, rate: 100/d, key: '{client.ip}'}")
    done = subprocess.run(
        ["h2load", *version, "-n", "1000", "-c", "20", f"--connect-to=127.0.0.1:{edge.port}",
         f"https://{HOST}/"],
        capture_output=True, text=True, check=True, timeout=perigee.PATIENCE).stdout
    found = re.search(r"status codes: (\d+) 2xx, 0 3xx, (\d+) 4xx, 0 5xx", done)
    assert found and found.groups() == ("100", "900"), done
    assert edge.settled()["edge_requests_limited_total"] == 900
