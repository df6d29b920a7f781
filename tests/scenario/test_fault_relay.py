# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay that fails, or whose origin does: what is sent again and what never, which way requests go
then, and that they come back to it."""

import threading

import pytest

import perigee
from edge_fleet import read_head
from h2_origin import H2Origin
from steady_client import Client

VIA = "via: fra1"
DEAD = 'servers: ["127.0.0.1:1"], health: off'


class Counting:
    """An origin that notes each request as it carries it out, and then answers, or not."""

    def __init__(self, scripted_origin, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
        self.lock = threading.Lock()
        self.done = []
        self.answer = answer
        self.origin = scripted_origin(self.serve)

    def serve(self, conn):
        while head := read_head(conn):
            request, _, content = head.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in request.split(b"\r\n")[1:])
            length = int(fields.get(b"content-length", 0))
            while len(content) < length:
                content += conn.recv(65536)
            with self.lock:
                self.done.append(request.split(b" ")[:2])
            if not self.answer:
                return
            conn.sendall(self.answer)

    def count(self, method=None):
        with self.lock:
            return sum(1 for m, _ in self.done if method is None or m == method)


def relay_state(edge):
    server, = edge.status()["relays"]["app"]["servers"]
    return server["addresses"][0]["state"]


def test_relay_is_killed_under_load(relay_edge, relay_fleet, scripted_origin):
    """No safe request fails, and no POST is carried out twice; the relay comes back and is gone by
    again, with nobody told."""
    counting = Counting(scripted_origin)
    origins = {"app": counting.origin.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins, workers=2)
    readers = [Client(nyc1, f"r{i}", "GET") for i in range(6)]
    writers = [Client(nyc1, f"w{i}", "POST") for i in range(2)]
    perigee.wait_for(lambda: counting.count() > 300, "requests by the relay")
    assert fra1.counters()["edge_relayed_total"] > 200
    fra1.kill()
    seen = counting.count()
    perigee.wait_for(lambda: counting.count() > seen + 300, "requests without it")
    perigee.wait_for(lambda: relay_state(nyc1) == "down", "the relay to be down")
    again = relay_edge("fra1", origins, relay=True)
    perigee.wait_for(lambda: relay_state(nyc1) == "up", "the relay to be up")
    perigee.wait_for(lambda: again.counters()["edge_relayed_total"] > 200, "requests by it again")
    again.stop()
    perigee.wait_for(lambda: relay_state(nyc1) == "down", "the relay to be down again")
    for client in readers:
        statuses = client.stop()
        assert set(statuses) == {200}, (client.label, len(statuses), set(statuses))
    failed = sum(status != 200 for client in writers for status in client.stop())
    # What was under way when it was killed, of each connection.
    assert failed <= 2 * len(writers), failed
    posts = [path for method, path in counting.done if method == b"POST"]
    assert len(posts) == len(set(posts)), "a POST was carried out twice"


def test_relay_stops_under_load(relay_edge, scripted_origin):
    """In order: nobody notices, not even who sends what may not be sent twice."""
    counting = Counting(scripted_origin)
    origins = {"app": counting.origin.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    clients = [Client(nyc1, f"r{i}", "GET") for i in range(3)]
    perigee.wait_for(lambda: counting.count() > 100, "requests by the relay")
    fra1.stop()
    seen = counting.count()
    perigee.wait_for(lambda: counting.count() > seen + 100, "requests without it")
    for client in clients:
        assert set(client.stop()) == {200}


@pytest.mark.parametrize("args", [["-X", "GET"], ["-X", "POST"], ["-d", "content"], ["-X", "DELETE"]])
def test_no_server_has_acted(relay_edge, scripted_origin, args):
    """The relay reaches no server, and says so: the request goes straight on, whatever its method."""
    counting = Counting(scripted_origin)
    fra1 = relay_edge("fra1", {"app": DEAD}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": counting.origin.origin(VIA)})
    for _ in range(2):
        got = nyc1.curl("-o", "/dev/null", "-w", "%{http_code}", *args, nyc1.url("/")).stdout
        assert got == "200"
    assert counting.count() == 2
    counters = fra1.settled()
    assert counters["edge_relayed_total"] == 2 and counters["edge_end_origin_connect_refused_total"] == 2
    # It is no fault of the relay's, and costs no connection.
    assert relay_state(nyc1) == "up"
    c = nyc1.settled()
    assert c["olink_warm_connections_total"] <= 2 and c["olink_leases_fresh_total"] <= 2


def test_server_may_have_acted(relay_edge, scripted_origin):
    """The origin carries out a POST and says nothing: it is carried out once, and the client told
    so. A GET is tried again by the relay if its origin's options say so, not here once more."""
    counting = Counting(scripted_origin, answer=None)
    origins = {"app": counting.origin.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    got = nyc1.curl("-i", "-d", "x", nyc1.url("/")).stdout
    assert got.startswith("HTTP/1.1 502") and "perigee-relay" not in got.lower()
    assert "origin-closed" in got
    assert counting.count(b"POST") == 1
    got = nyc1.curl("-i", nyc1.url("/")).stdout
    assert got.startswith("HTTP/1.1 502")
    assert counting.count(b"GET") == 1
    assert fra1.settled()["edge_relayed_total"] == 2


def test_origin_is_down_for_the_relay_alone(relay_edge, scripted_origin):
    """Its checks say so, and the other edge goes straight on at once; of another origin it is still
    the relay."""
    counting = Counting(scripted_origin)
    there = counting.origin.origin(VIA)
    check = "health: {check: {kind: tcp, interval: 100ms, timeout: 100ms}}"
    fra1 = relay_edge("fra1", {"app": f'servers: ["127.0.0.1:1"], {check}', "api": there}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": there, "api": there})
    assert relay_state(nyc1) == "down"
    for path in "/", "/api":
        assert nyc1.curl("-f", nyc1.url(path)).stdout == "ok"
    assert fra1.settled()["edge_relayed_total"] == 1
    assert nyc1.settled()["olink_retries_total"] == 0


def test_direct_way_is_closed(relay_edge, scripted_origin):
    """The other edge knows no server that it could reach itself."""
    counting = Counting(scripted_origin)
    relay_edge("fra1", {"app": counting.origin.origin(VIA)}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": f"servers: [app.invalid], health: off, {VIA}"})
    assert nyc1.curl("-f", nyc1.url("/")).stdout == "ok"


def test_relay_breaks_each_new_connection(relay_edge, relay_fleet, scripted_origin):
    """It answers for its health, and nothing else, as one that has just been killed or is too full: a
    GET goes straight on, though its connection was new, and a POST fails rather than go twice."""
    def script(conn):
        while b"/.well-known/" in read_head(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    counting = Counting(scripted_origin)
    relay_fleet.ports["fra1"] = scripted_origin(script, tls=relay_fleet.credentials("fra1")).port
    nyc1 = relay_edge("nyc1", {"app": counting.origin.origin(VIA)})
    assert relay_state(nyc1) == "up"
    assert nyc1.curl("-f", nyc1.url("/")).stdout == "ok"
    got = nyc1.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "x", nyc1.url("/")).stdout
    assert got == "502" and counting.count(b"POST") == 0


def test_full_queue_of_the_relay_was_passed_by(relay_edge, scripted_origin):
    """The relay shields the origin: what is too much there does not come straight to the origin."""
    go = threading.Event()
    served = []

    def script(conn):
        while head := read_head(conn):
            served.append(head)
            assert go.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    options = f"{VIA}, pool: {{warm: 0}}, limit: {{connections: 1, queue: 0}}"
    origins = {"app": scripted_origin(script).origin(options)}
    relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    first = threading.Thread(target=lambda: nyc1.curl("-f", nyc1.url("/first")))
    first.start()
    perigee.wait_for(lambda: served, "the first to arrive")
    got = nyc1.curl("-i", "-m", "10", nyc1.url("/second")).stdout
    go.set()
    first.join(perigee.PATIENCE)
    assert got.startswith("HTTP/1.1 503"), got
    assert len(served) == 1


def test_breaker_of_the_relay_was_not_asked(relay_edge, scripted_origin):
    """What becomes of relayed requests is seen there only, so that none of the breakers opened."""
    counting = Counting(scripted_origin, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    options = f"{VIA}, breaker: {{enabled: true, requests: 5, open: 60s}}"
    origins = {"app": counting.origin.origin(options)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)
    perigee.wait_for(lambda: "503" in nyc1.curl("-i", nyc1.url("/")).stdout.splitlines()[0]
                     and fra1.status()["origins"]["app"]["breaker"] == "open", "it to open")
    before = counting.count()
    for args in ["-X", "GET"], ["-d", "content"]:
        got = nyc1.curl("-i", *args, nyc1.url("/")).stdout
        assert got.startswith("HTTP/1.1 503 ") and "\nRetry-After: " in got, got
    assert counting.count() == before
    assert nyc1.access_log(before + 2)[-1]["end"] == "origin-breaker-open"


@pytest.mark.parametrize("other", ["admin: drained", ""])
def test_relay_was_up_by_servers_that_it_does_not_ask(relay_edge, scripted_origin, other):
    """One that is drained there, and one that is none of its own."""
    counting = Counting(scripted_origin)
    check = "health: {check: {kind: tcp, interval: 100ms, timeout: 100ms}}"
    good = f"127.0.0.1:{counting.origin.port}"
    own = f", {VIA}" if other == "" else ""
    servers = f'[{{address: "127.0.0.1:1"{own}}}, {{address: "{good}", {other}}}]'
    relay_edge("fra1", {"app": f"servers: {servers}, {check}"}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": counting.origin.origin(VIA)})
    assert relay_state(nyc1) == "down"
    assert nyc1.curl("-f", "-d", "x", nyc1.url("/")).stdout == "ok"
    assert nyc1.settled()["olink_retries_total"] == 0


def test_post_that_was_refused_unseen_had_been_given(relay_edge, scripted_origin):
    """A server of HTTP/2 refuses it each time: nobody has acted, so that it goes straight on."""
    counting = Counting(scripted_origin)
    refusing = H2Origin(lambda connection, request: connection.refuse(request))
    relay_edge("fra1", {"app": refusing.origin()}, relay=True)
    nyc1 = relay_edge("nyc1", {"app": counting.origin.origin(VIA)})
    got = nyc1.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "x", nyc1.url("/")).stdout
    refusing.close()
    assert got == "200" and counting.count(b"POST") == 1
