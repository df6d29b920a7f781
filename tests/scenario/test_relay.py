# SPDX-License-Identifier: GPL-3.0-or-later
"""Edges that reach origins through another edge, a relay: which way requests go, what the relay does
and leaves to the other edge, who is let in."""

import contextlib
import json
import socket
import ssl
import subprocess
import threading

import pytest

import perigee
import tls_frames
from edge_fleet import HOST, Responses, read_head, read_to_end
from h2_client import Client, ErrorCodes
from relays import let_in

VIA = "via: fra1"
ORDER = b"%s HTTP/1.1\r\nHost: a\r\nPerigee-Relay: app\r\n\r\n"
ASKED = [("perigee-relay", "app")]
HEALTH, FILLING = "/.well-known/perigee/health", "/.well-known/perigee/filling"


@pytest.fixture
def echo(scripted_origin):
    """An origin that answers with the heads that it was sent, as JSON."""
    def script(conn):
        while head := read_head(conn):
            request, _, rest = head.partition(b"\r\n\r\n")
            lines = request.decode().split("\r\n")
            length = next((int(line.split(":")[1]) for line in lines
                           if line.lower().startswith("content-length:")), 0)
            while len(rest) < length:
                rest += conn.recv(65536)
            body = json.dumps({"lines": lines, "content": rest.decode()}).encode()
            conn.sendall(b"HTTP/1.1 200 OK\r\nPerigee-Relay: origin-closed;unacted\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return scripted_origin(script)


def fields(lines):
    found = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


def asked(edge, path="/", *args):
    return json.loads(edge.curl("-f", *args, edge.url(path)).stdout)


def test_requests_go_by_the_relay(relay_edge, echo):
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    got = asked(nyc1, "/path?query", "-d", "content")
    assert got["lines"][0] == "POST /path?query HTTP/1.1" and got["content"] == "content"
    told = fields(got["lines"])
    assert told["host"] == [f"{HOST}:{nyc1.port}"]
    assert told["x-forwarded-for"] == ["127.0.0.1"] and told["x-forwarded-proto"] == ["https"]
    assert told["x-forwarded-host"] == [f"{HOST}:{nyc1.port}"]
    assert len(told["forwarded"]) == 1 and told["forwarded"][0].count("for=") == 1
    assert told["via"] == ["1.1 perigee-nyc1, 2.0 perigee-fra1"]
    assert told["cdn-loop"] == ["perigee-nyc1, perigee-fra1"]
    assert "perigee-relay" not in told
    assert fra1.settled()["edge_relayed_total"] == 1
    # The relay itself goes straight on.
    assert fields(asked(fra1)["lines"])["via"] == ["1.1 perigee-fra1"]
    assert fra1.settled()["edge_relayed_total"] == 1


def test_what_origins_say_is_not_taken_for_the_relays_word(relay_edge, echo):
    """Its field, from an origin, through the relay and past it: neither edge believes it, and no
    client sees it."""
    origins = {"app": echo.origin(VIA)}
    relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    head = nyc1.curl("-f", "-i", nyc1.url("/")).stdout
    assert head.startswith("HTTP/1.1 200") and "perigee-relay" not in head.lower()
    assert nyc1.settled()["olink_retries_total"] == 0


def test_forged_field(relay_edge, echo):
    """A client of an edge names an origin: it stays what it is, and the origin does not hear of it."""
    origins = {"app": echo.origin(VIA), "other": 'servers: ["127.0.0.1:1"], health: off'}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    for edge in fra1, nyc1:
        for name in "Perigee-Relay", "perigee_relay", "PERIGEE-RELAY":
            got = asked(edge, "/", "-H", f"{name}: other;unacted")
            assert not any(line.lower().startswith(("perigee-relay", "perigee_relay"))
                           for line in got["lines"])
    assert fra1.settled()["edge_relayed_total"] == 3


def test_rules_are_not_applied_twice(relay_edge, echo, relay_fleet):
    """Limits, access and fields of the site are the first edge's business."""
    origins = {"app": echo.origin(VIA)}
    http = "access: [{deny: {networks: [127.0.0.0/8]}}]"
    relay_edge("fra1", origins, relay=True, http=http)
    nyc1 = relay_edge("nyc1", origins)
    for _ in range(3):
        assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1, 2.0 perigee-fra1"]


def test_one_connection_for_all(relay_edge, echo):
    """Requests for different origins share what is open to the relay."""
    origins = {"app": echo.origin(VIA), "api": echo.origin(VIA)}
    relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    nyc1.wait_counter("olink_idle_connections", 1)
    for path in ["/", "/api"] * 5:
        asked(nyc1, path)
    # Those that were there before the first client: one, and one beside what is in use.
    counters = nyc1.settled()
    assert counters["olink_warm_connections_total"] <= 2
    assert counters["olink_leases_fresh_total"] == 0
    assert counters["olink_leases_reused_total"] == 10


def test_via_of_one_server(relay_edge, scripted_origin):
    """Of two servers one is reached by the relay, which asks no other."""
    def named(name):
        def script(conn):
            while read_head(conn):
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)
        return scripted_origin(script)

    a, b = named(b"a"), named(b"b")
    servers = (f'servers: [{{address: "127.0.0.1:{a.port}", via: fra1}}, "127.0.0.1:{b.port}"], '
               "health: off")
    fra1 = relay_edge("fra1", {"app": servers}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": servers})
    got = [nyc1.curl("-f", nyc1.url("/")).stdout for _ in range(10)]
    assert got.count("a") == got.count("b") == 5
    assert fra1.settled()["edge_relayed_total"] == 5


def test_edge_that_is_only_a_relay(relay_edge, relay_fleet, echo):
    """It has no certificate for clients and serves no site, of which nyc1 has one by default."""
    relay_fleet.certificate, clients = ("/nowhere/a.pem", "/nowhere/a.key"), relay_fleet.certificate
    fra1 = relay_edge("fra1", {"app": echo.origin()}, relay=True, listen=None)
    relay_fleet.certificate = clients
    assert [port for _, port in fra1.addresses()] == [fra1.relay_port]
    nyc1 = relay_edge("nyc1", {"app": echo.origin(VIA)})
    assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1, 2.0 perigee-fra1"]
    assert fra1.settled()["edge_relayed_total"] == 1
    checked = subprocess.run([perigee.CTL, "check", fra1.fleet, "--node", "fra1"],
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_clients_came_to_an_edge_that_had_become_only_a_relay(relay_edge, relay_fleet, echo):
    """Its listener for them is there until it is started anew, but it has nothing to show them."""
    fra1 = relay_edge("fra1", {"app": echo.origin()}, relay=True)
    with fra1.connect() as s:
        fra1.listen = None
        fra1.write({"www": ([HOST], [relay_fleet.certificate], {"/": "app"})},
                   {"app": echo.origin()})
        fra1.reload()
        fra1.wait_counter("edge_reloads_total", 1)
        assert talk(fra1.port, name=HOST) == b""
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert s.recv(65536).startswith(b"HTTP/1.1 421")
    order = b"GET / HTTP/1.1\r\nHost: a\r\nPerigee-Relay: app\r\n\r\n"
    assert talk(fra1.relay_port, relay_fleet.credentials("nyc1"), order).startswith(b"HTTP/1.1 200")


def test_edge_without_a_certificate_goes_straight_on(relay_edge, echo):
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins, own="")
    assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1"]
    assert fra1.settled()["edge_relayed_total"] == 0
    assert "has no certificate for that" in nyc1.log()


def test_relay_of_three(relay_edge, echo, relay_fleet):
    """An edge that would go by a second relay goes straight on with what has come by a relay."""
    plain = {"app": echo.origin()}
    relay_edge("lon1", plain, relay=True)
    fra1 = relay_edge("fra1", {"app": echo.origin("via: lon1")}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": echo.origin(VIA)})
    assert fields(asked(fra1)["lines"])["via"] == ["1.1 perigee-fra1, 2.0 perigee-lon1"]
    assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1, 2.0 perigee-fra1"]


def test_loop_of_three_edges(relay_edge, relay_fleet, echo):
    """Each is the origin of the one before, by mistake: the circle is told, and soon."""
    def public(port, via=""):
        return {"app": f'servers: ["127.0.0.1:{port}"], health: off, '
                       f"tls: {{enabled: true, ca: {relay_fleet.authority.certificate}, "
                       f"name: {HOST}}}, {via}"}

    lon1 = relay_edge("lon1", {"app": echo.origin()})
    fra1 = relay_edge("fra1", public(lon1.port), relay=True)
    nyc1 = relay_edge("nyc1", public(lon1.port, VIA))
    assert fields(asked(nyc1)["lines"])["cdn-loop"] == ["perigee-nyc1, perigee-fra1, perigee-lon1"]
    lon1.write({"www": ([HOST], [relay_fleet.certificate], {"/": "app"})}, public(nyc1.port))
    lon1.reload()
    lon1.wait_counter("edge_reloads_total", 1)
    # Once round it may be meant.
    got = nyc1.curl("-i", nyc1.url("/")).stdout
    assert got.startswith("HTTP/1.1 508"), got
    assert fra1.settled()["edge_relayed_total"] == 3


def test_upgrade_and_trailers(relay_edge, scripted_origin):
    def script(conn):
        read_head(conn)
        conn.sendall(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := conn.recv(100):
            conn.sendall(data)

    origins = {"app": scripted_origin(script).origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    with nyc1.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
                  .encode())
        responses = Responses(s)
        status, got = responses.head()
        assert status == 101 and got["upgrade"] == "echo"
        s.sendall(b"hello")
        assert responses.bytes(5) == b"hello"
    assert fra1.settled()["edge_relayed_total"] == 1


# Strangers


def talk(port, certificate=None, request=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", name="fra1"):
    """What the relay's listener answers to who shows that; b"" when it does not let it in."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*map(str, certificate))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=perigee.PATIENCE) as s, \
                context.wrap_socket(s, server_hostname=name) as tls:
            tls.sendall(request)
            return tls.recv(65536)
    except OSError:
        return b""


def test_strangers(relay_edge, echo, relay_fleet, tmp_path):
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    order = b"GET / HTTP/1.1\r\nHost: a\r\nPerigee-Relay: app\r\n\r\n"
    other = perigee.Authority(tmp_path / "other")
    strangers = {
        "no certificate": None,
        "another authority": other.issue("fra1", ["fra1"], usage="clientAuth"),
        "no edge's name": relay_fleet.own.issue("mars1", ["mars1"], usage="clientAuth"),
        "for servers only": relay_fleet.own.issue("server", ["fra1"], usage="serverAuth"),
        "a client of the site": relay_fleet.certificate,
    }
    for what, certificate in strangers.items():
        assert talk(fra1.relay_port, certificate, order) == b"", what
    assert fra1.settled()["edge_relayed_total"] == 0
    assert talk(fra1.relay_port, relay_fleet.credentials("fra1"), order).startswith(b"HTTP/1.1 200")
    # Not even an edge, where it does not say for which origin.
    for request in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", order.replace(b"app", b"apple"):
        assert talk(fra1.relay_port, relay_fleet.credentials("fra1"), request).startswith(b"HTTP/1.1 421")
    # Nor is the field of any use where clients come in.
    got = talk(fra1.port, None, b"GET / HTTP/1.1\r\nHost: nowhere\r\nPerigee-Relay: app\r\n\r\n", HOST)
    assert got.startswith(b"HTTP/1.1 421")


def test_strangers_had_a_relay_make_handshakes(relay_edge, echo, relay_fleet):
    """Those of an address are limited; those of edges, which come all at once, do not count."""
    fra1 = relay_edge("fra1", {"app": echo.origin(VIA)}, relay=True,
                      http="per_client: {handshake_rate: 2/h}")
    shown = relay_fleet.credentials("nyc1")
    for _ in range(3):
        with let_in(fra1.relay_port, shown, "h2", source="127.0.0.2") as s:
            assert Client(fra1, on=s).get(fields=ASKED).status == 200
    # Two by the rate, one for the origin, and a link of each worker of a large machine.
    for i in range(2 + 1 + 64 + 2):
        with socket.create_connection(("127.0.0.1", fra1.relay_port), timeout=perigee.PATIENCE,
                                      source_address=("127.0.0.2", 0)) as s:
            client = tls_frames.Client(s)
            client.hello()
            if i < 2 + 1 + 64:
                assert client.record()
            else:
                with pytest.raises(tls_frames.Refused):
                    client.record()
    fra1.wait_counter("edge_handshake_failures_limited_total", 2)
    with let_in(fra1.relay_port, shown, "h2", source="127.0.0.3") as s:
        assert Client(fra1, on=s).get(fields=ASKED).status == 200
    assert fra1.settled()["edge_relayed_total"] == 4


def test_relay_is_verified(relay_edge, echo, relay_fleet):
    """Who listens in the relay's place, with the certificate of another edge, gets nothing."""
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True, own=relay_fleet.options("lon1", 0))
    nyc1 = relay_edge("nyc1", origins)
    assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1"]
    assert fra1.settled()["edge_relayed_total"] == 0
    server, = nyc1.status()["relays"]["app"]["servers"]
    assert server["addresses"][0]["cause"] == "bad-certificate"


@pytest.mark.parametrize("missing", ["certificate", "key", "ca"])
def test_listener_without_authority_is_refused(tmp_path, missing):
    files = "".join(f", {name}: {name}.pem" for name in ["certificate", "key", "ca"]
                    if name != missing)
    config = tmp_path / "perigee.yaml"
    config.write_text(f'edges: {{fra1: {{relay: {{listen: "127.0.0.1:0"{files}}}}}}}\n')
    run = subprocess.run([perigee.CTL, "check", config], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "edges.fra1.relay: listens, so it needs certificate, key and ca" in run.stderr


def test_a_client_stays_at_its_server(relay_edge, scripted_origin, tmp_path):
    """The relay has the choice of it, and keeps to what its cookie says; the other edge gives none."""
    def named(name):
        def script(conn):
            while read_head(conn):
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)
        return scripted_origin(script)

    ports = [named(name).port for name in (b"a", b"b", b"c")]
    servers = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    subprocess.run([perigee.CTL, "ticket-key", "new", keys], check=True)
    top = [f"tls: {{tickets: {{keys: {keys}}}}}"]
    origin = f"servers: [{servers}], health: off, {VIA}, balance: {{sticky: on}}"
    relay_edge("fra1", {"app": origin}, relay=True, top=top)
    nyc1 = relay_edge("nyc1", {"app": origin}, top=top)
    jar = tmp_path / "jar"
    got = [nyc1.curl("-f", "-b", jar, "-c", jar, nyc1.url("/")).stdout for _ in range(9)]
    assert len(set(got)) == 1, got


def with_authority(edge, relay_fleet, authority, n=1):
    """Its nth reload, after which other edges are to show a certificate of that."""
    own = f"ca: {relay_fleet.own.certificate}"
    text = edge.fleet.with_suffix(".first")
    if not text.exists():
        text.write_text(edge.fleet.read_text())
    edge.fleet.write_text(text.read_text().replace(own, f"ca: {authority}"))
    edge.reload()
    edge.wait_counter("edge_reloads_total", n)


def test_idle_edges_were_not_told_that_their_authority_was_replaced(relay_edge, relay_fleet, echo,
                                                                    tmp_path):
    """They were let in by it once; a reload without it ends their connections though they say
    nothing."""
    fra1 = relay_edge("fra1", {"app": echo.origin(VIA)}, relay=True)
    shown = relay_fleet.credentials("nyc1")
    with contextlib.ExitStack() as stack:
        h1, *h2s = [stack.enter_context(let_in(fra1.relay_port, shown, protocol))
                    for protocol in ["http/1.1"] + ["h2"] * 5]
        h2s = [Client(fra1, on=s) for s in h2s]

        def all_are_served():
            h1.sendall(ORDER % b"GET /")
            assert h1.recv(65536).startswith(b"HTTP/1.1 200")
            for h2 in h2s:
                assert h2.finish(h2.ask(fields=ASKED)).status == 200
                assert not h2.goaways

        all_are_served()
        # The same in another file with other words beside it is no change.
        copy = tmp_path / "copy.pem"
        copy.write_text("The same.\n" + relay_fleet.own.certificate.read_text())
        with_authority(fra1, relay_fleet, copy)
        all_are_served()
        with_authority(fra1, relay_fleet, perigee.Authority(tmp_path / "other").certificate, 2)
        assert h1.recv(65536) == b""
        for h2 in h2s:
            assert h2.until_closed() == ErrorCodes.NO_ERROR


def test_edges_of_an_authority_that_was_replaced_kept_their_connections(relay_edge, relay_fleet,
                                                                        scripted_origin, tmp_path):
    """Neither HTTP version lets them go on after what they have begun."""
    go = threading.Event()

    def script(conn):
        while read_head(conn):
            go.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    fra1 = relay_edge("fra1", {"app": scripted_origin(script).origin(VIA)}, relay=True)
    shown = relay_fleet.credentials("nyc1")
    with let_in(fra1.relay_port, shown, "http/1.1") as h1, \
            let_in(fra1.relay_port, shown, "h2") as s:
        h2 = Client(fra1, on=s)
        asked = h2.ask(fields=ASKED)
        h1.sendall(ORDER % b"GET /")
        fra1.wait_counter("edge_requests_active", 2)
        with_authority(fra1, relay_fleet, perigee.Authority(tmp_path / "other").certificate)
        go.set()
        answer, whole = read_to_end(h1)
        assert whole and answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\ndone")
        assert b"connection: close" in answer.lower()
        assert h2.finish(asked).body == b"done"
        assert h2.until_closed() == ErrorCodes.NO_ERROR


def test_client_had_a_relay_send_filling(relay_edge, echo):
    """What clients ask for is the origin's, whatever its path: 2 MiB of nothing for each request, and
    not from the origin."""
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    assert asked(nyc1, FILLING)["lines"][0] == f"GET {FILLING} HTTP/1.1"
    assert fra1.settled()["edge_relayed_total"] == 1


@pytest.mark.parametrize("path", [HEALTH, FILLING, "/"])
def test_relay_served_an_edge_that_left_the_fleet(relay_edge, relay_fleet, echo, path):
    """Whether or not it asks for an origin: it gets neither filling nor word that it is welcome. What
    it asks for before it has taken note of the end is answered with 421, unless it comes too late."""
    fra1 = relay_edge("fra1", {"app": echo.origin(VIA)}, relay=True)
    with let_in(fra1.relay_port, relay_fleet.credentials("nyc1"), "h2") as s:
        h2 = Client(fra1, on=s)
        order = {"path": path, "method": "HEAD", "fields": ASKED if path == "/" else ()}
        assert h2.get(**order).status == 200
        lines = fra1.fleet.read_text().splitlines(keepends=True)
        fra1.fleet.write_text("".join(s for s in lines if not s.lstrip().startswith("nyc1:")))
        fra1.reload()
        fra1.wait_counter("edge_reloads_total", 1)
        with contextlib.suppress(ConnectionError):
            h2.ask(**order)
        assert h2.until_closed() == ErrorCodes.NO_ERROR
        _, late = h2.streams.values()
        assert late.status in (421, None)
        assert fra1.settled()["edge_relayed_total"] == (1 if path == "/" else 0)


def test_edge_that_left_the_fleet_had_its_connection_still(relay_edge, echo):
    """It was let in when it came; a relay whose configuration has it no more does nothing for it."""
    origins = {"app": echo.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    asked(nyc1)
    assert fra1.settled()["edge_relayed_total"] == 1
    lines = fra1.fleet.read_text().splitlines(keepends=True)
    without = [line for line in lines if not line.lstrip().startswith("nyc1:")]
    assert len(without) == len(lines) - 1
    fra1.fleet.write_text("".join(without))
    fra1.reload()
    fra1.wait_counter("edge_reloads_total", 1)
    assert fields(asked(nyc1)["lines"])["via"] == ["1.1 perigee-nyc1"]
    assert fra1.settled()["edge_relayed_total"] == 1
