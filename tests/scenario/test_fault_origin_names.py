# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins whose names change, or whose name server goes away, while clients ask all the time: no
request fails, and connections to where the name does not point any more end when they are used no
more."""

import contextlib
import threading

import pytest

import perigee
import private_etc
from edge_fleet import HOST, Responses, ScriptedOrigin, read_head
from name_server import NameServer

NAME = "origin.perigee.test"
SERVICE = f"_http._tcp.{NAME}"


class NamedServer:
    """An origin at an address that says in each response which one it is. /held is answered when
    .go is set."""

    def __init__(self, address, port=0):
        self.address, self.go = address, threading.Event()
        self.open, self.lock = 0, threading.Lock()
        self.origin = ScriptedOrigin(self.script, address=address, port=port)
        self.port = self.origin.port

    def script(self, conn):
        with self.lock:
            self.open += 1
        try:
            while head := read_head(conn):
                if head.startswith(b"GET /held "):
                    assert self.go.wait(perigee.PATIENCE)
                text = self.address.encode()
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        finally:
            with self.lock:
                self.open -= 1


class Client(threading.Thread):
    """Asks one thing after the other until it is told to stop; what it got is in .got."""

    def __init__(self, edge):
        super().__init__(daemon=True)
        self.edge, self.over = edge, threading.Event()
        self.got, self.errors = [], []
        self.start()

    def run(self):
        try:
            with self.edge.connect() as s:
                responses = Responses(s)
                while not self.over.is_set():
                    s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                    status, _, body = responses.response()
                    self.got.append((status, body.decode()))
        except Exception as e:  # noqa: BLE001 - told by the one who stops it
            self.errors.append(repr(e))

    def stop(self):
        self.over.set()
        self.join(perigee.PATIENCE)
        assert not self.errors, self.errors
        assert {status for status, _ in self.got} == {200}


@contextlib.contextmanager
def load(edge, n=4):
    clients = [Client(edge) for _ in range(n)]
    yield clients
    for client in clients:
        client.stop()


@pytest.fixture
def etc(tmp_path):
    if not private_etc.is_allowed():
        pytest.skip("needs to make mount namespaces and name servers: run as root")
    return private_etc.PrivateEtc(tmp_path / "etc")


@pytest.fixture
def names(etc):
    """{name: [address, ...]}, which a name server of the edge's answers from; .server is that."""
    class Names(dict):
        server = None

    names = Names()
    names.server = NameServer(names)
    etc.write("resolv.conf", f"nameserver {names.server.address}\n")
    yield names
    with contextlib.suppress(OSError):
        names.server.close()


@pytest.fixture
def servers():
    """Three of them, at one port of different addresses."""
    made = [NamedServer("127.0.0.2")]
    made += [NamedServer(address, made[0].port) for address in ("127.0.0.3", "127.0.0.4")]
    yield made
    for server in made:
        server.go.set()
        server.origin.close()


@pytest.fixture
def edge_of_service(make_edge, etc):
    """edge_of_service(): one whose origin is the service."""
    def make(more="health: {check: {kind: tcp, interval: 1s, timeout: 500ms}}", domain=""):
        return make_edge({"app": f"servers: [{{srv: '{domain or SERVICE}'}}], {more}"},
                         inside=etc.inside, workers=2)

    return make


@pytest.fixture
def edge_of(make_edge, etc):
    """edge_of(server): one whose origin is the name, at the port of that server."""
    def make(server, more="health: {enabled: false}"):
        return make_edge({"app": f"servers: ['{NAME}:{server.port}'], {more}"},
                         inside=etc.inside, workers=2)

    return make


def server_of(edge):
    found, = edge.status()["origins"]["app"]["servers"]
    return found


def wait_until_all_go_to(clients, address):
    """Each has got so many from there in a row."""
    perigee.wait_for(
        lambda: all({body for _, body in c.got[-20:]} == {address} for c in clients
                    if len(c.got) > 20 or c.errors),
        f"all requests to go to {address}", 20)


def test_name_server_goes_away(edge_of, names, servers):
    names[NAME] = ["127.0.0.2", "127.0.0.3"]
    edge = edge_of(servers[0])
    with load(edge):
        perigee.wait_for(lambda: server_of(edge)["lookup"]["last"] == "found", "the name")
        names.server.close()
        perigee.wait_for(lambda: server_of(edge)["lookup"]["last"] == "no-answer", "its end", 30)
        failures = edge.counters()["olink_resolve_failures_total"]
        perigee.wait_for(lambda: edge.counters()["olink_resolve_failures_total"] >= failures + 2,
                         "more of them", 30)
    found = server_of(edge)
    assert len(found["addresses"]) == 2
    assert found["lookup"]["found_ms"] > found["lookup"]["for_ms"] > 0
    counters = edge.settled()
    assert counters["olink_resolve_denied_total"] == counters["olink_resolve_expired_total"] == 0
    assert counters["olink_failures_total"] == 0


def test_name_is_denied_and_comes_back(edge_of, names, servers):
    """As when a zone is loaded without it by mistake."""
    names[NAME] = ["127.0.0.2"]
    edge = edge_of(servers[0])
    with load(edge):
        del names[NAME]
        perigee.wait_for(lambda: server_of(edge)["lookup"]["last"] == "no-such-name", "its end", 20)
        names[NAME] = ["127.0.0.2"]
        perigee.wait_for(lambda: server_of(edge)["lookup"]["last"] == "found", "the name", 20)
    counters = edge.settled()
    assert counters["olink_resolve_denied_total"] >= 1
    assert counters["olink_failures_total"] == 0


def test_keep_is_over(edge_of, names, servers):
    names[NAME] = ["127.0.0.2"]
    edge = edge_of(servers[0], "health: {enabled: false}, resolve: {keep: 1s}")

    def status():
        return edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout

    assert status() == "200"
    names.server.close()
    perigee.wait_for(lambda: status() == "502", "the end", 30)
    edge.wait_counter("olink_resolve_expired_total", 1)
    assert server_of(edge)["addresses"] == []
    edge.wait_counter("olink_idle_connections", 0)
    names.server = NameServer(names, address=names.server.address)
    perigee.wait_for(lambda: status() == "200", "it to be found again", 40)


@pytest.mark.parametrize("health", ["{enabled: false}", "{check: {kind: tcp, interval: 1s, timeout: 500ms}}"])
def test_name_changes_under_load(edge_of, names, servers, health):
    """What was under way finishes, what is idle goes at once, and no request fails."""
    old, new, _ = servers
    names[NAME] = [old.address]
    edge = edge_of(old, f"health: {health}")
    with load(edge) as clients, edge.connect() as slow:
        wait_until_all_go_to(clients, old.address)
        slow.sendall(f"GET /held HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        names[NAME] = [new.address]
        wait_until_all_go_to(clients, new.address)
        perigee.wait_for(lambda: old.open == 1, "the idle ones to be closed", 10)
        old.go.set()
        status, _, body = Responses(slow).response()
        assert (status, body.decode()) == (200, old.address)
        perigee.wait_for(lambda: old.open == 0, "the last one to be closed", 10)
    assert edge.settled()["olink_failures_total"] == 0


def test_name_turns_around_under_load(edge_of, names, servers):
    """A name of several addresses that come and go: no request fails, none is lost to who went."""
    addresses = [s.address for s in servers]
    names[NAME] = addresses[:2]
    edge = edge_of(servers[0], "health: {check: {kind: tcp, interval: 1s, timeout: 500ms}}")
    with load(edge):
        for now in (addresses[1:], addresses[:1], addresses[::-1], addresses[2:], addresses[:2]):
            names[NAME] = now
            perigee.wait_for(
                lambda now=now: {a["address"].rpartition(":")[0]
                                 for a in server_of(edge)["addresses"]} == set(now),
                "the change", 20)
    assert edge.settled()["olink_failures_total"] == 0
    perigee.wait_for(lambda: servers[2].open == 0, "the connections to who went to be closed", 10)


def addresses_of(edge):
    return {a["address"] for a in server_of(edge)["addresses"]}


def test_service_changes_under_load(edge_of_service, names, servers):
    """Targets come, go and move; a record that says that there is no service ends it, and another
    begins it again."""
    first, second, third = servers
    for i, server in enumerate(servers):
        names[f"t{i}.{NAME}"] = [server.address]
    names[SERVICE] = [(1, 1, s.port, f"t{i}.{NAME}") for i, s in enumerate(servers[:2])]
    edge = edge_of_service()
    perigee.wait_for(lambda: len(addresses_of(edge)) == 2, "the targets")
    with load(edge):
        perigee.wait_for(lambda: first.open and second.open, "both to be used")
        names[SERVICE] = [(1, 1, third.port, f"t2.{NAME}")]
        perigee.wait_for(lambda: addresses_of(edge) == {f"{third.address}:{third.port}"},
                         "the other target", 20)
        perigee.wait_for(lambda: not first.open and not second.open, "the others to be closed", 10)
        names[f"t2.{NAME}"] = [first.address]
        perigee.wait_for(lambda: addresses_of(edge) == {f"{first.address}:{first.port}"},
                         "its other address", 20)
    assert edge.settled()["olink_failures_total"] == 0
    assert server_of(edge)["lookup"]["last"] == "found"
    names[SERVICE] = [(0, 0, 0, ".")]
    perigee.wait_for(lambda: server_of(edge)["lookup"]["last"] == "no-service", "its end", 20)
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout == "502"
    names[SERVICE] = [(0, 0, second.port, f"t1.{NAME}")]
    perigee.wait_for(lambda: len(addresses_of(edge)) == 1, "it to come back", 20)
    assert edge.curl(edge.url("/")).stdout == second.address


def test_service_is_verified_as_its_domain(edge_of_service, names, scripted_origin, authority):
    """Not as the target, which whoever can forge an answer chooses (RFC 6125, RFC 9525)."""
    def script(conn):
        while read_head(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    names["t.other.test"] = ["127.0.0.1"]
    for name, status in ((NAME, "200"), ("t.other.test", "502")):
        origin = scripted_origin(script, tls=authority.issue(name, [name]))
        names[SERVICE] = [(1, 1, origin.port, "t.other.test")]
        edge = edge_of_service(
            f"health: {{enabled: false}}, tls: {{enabled: true, ca: {authority.certificate}}}")
        assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout == status
        edge.stop()
        if status == "502":
            assert "alert bad certificate" in origin.errors.pop()


def test_service_has_priorities_and_weights(edge_of_service, names, servers):
    """The first ones share by their weights; the last is used when those are gone."""
    for i, server in enumerate(servers):
        names[f"t{i}.{NAME}"] = [server.address]
    names[SERVICE] = [(10 if i < 2 else 20, (3, 1, 0)[i], s.port, f"t{i}.{NAME}")
                      for i, s in enumerate(servers)]
    edge = edge_of_service("health: {enabled: false}, balance: {method: round-robin}")
    perigee.wait_for(lambda: len(addresses_of(edge)) == 3, "the targets")
    with load(edge) as clients:
        perigee.wait_for(lambda: all(len(c.got) >= 400 for c in clients), "requests", 20)
        got = [body for c in clients for _, body in c.got[:400]]
        first, second, third = (got.count(s.address) for s in servers)
        assert third == 0
        assert 0.7 < first / (first + second) < 0.8
        names[SERVICE] = names[SERVICE][2:]
        wait_until_all_go_to(clients, servers[2].address)
    assert edge.settled()["olink_failures_total"] == 0
