# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which a server can fail, beside one that is well, by HTTP/1.1 and by HTTP/2: what the
client gets, what is logged as the cause, and what checks make of it. docs/tests.md has the table."""

import contextlib
import json
import signal
import socket
import subprocess
import threading

import h2.errors
import pytest

import perigee
from edge_fleet import ScriptedOrigin, ask_each, read_head, reset
from h2_origin import H2Origin
from nginx import Nginx
from steady_client import Client

NAME = "app.internal.test"
PROTOCOLS = ["http1", "h2"]
CHECK = "interval: 1s, timeout: 1s, rise: 1, fall: 1"


class Server:
    """127.0.0.1:PORT of a server that asks act(answer) what to do with each request; `answer` has
    the ways in which its protocol can answer or fail. lines: the methods of what it was asked."""

    def __init__(self, protocol, act, tls=None, port=0):
        self.lock = threading.Lock()
        self.act, self.methods = act, []
        if protocol == "h2":
            self.origin = H2Origin(self.asked_h2, tls, port=port)
        else:
            self.origin = ScriptedOrigin(self.serve_http1, tls, port=port)
        self.port = self.origin.port
        self.address = f"127.0.0.1:{self.port}"

    def close(self):
        if isinstance(self.origin, ScriptedOrigin):
            # What the edge tells it of a certificate is what a test is about.
            self.origin.errors[:] = [e for e in self.origin.errors if "bad certificate" not in e]
        self.origin.close()

    def note(self, method):
        with self.lock:
            self.methods.append(method)

    def serve_http1(self, conn):
        while head := read_head(conn):
            self.note(head.split(b" ")[0].decode())
            if not self.act(Http1(conn)):
                return

    def asked_h2(self, connection, request):
        self.note(request.method)
        self.act(Http2(connection, request))


class Http1:
    def __init__(self, conn):
        self.conn = conn

    def ok(self):
        self.conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    def reset_connection(self):
        reset(self.conn)

    def begin(self):
        self.conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")

    def wait(self, until):
        until.wait(perigee.PATIENCE)


class Http2:
    def __init__(self, connection, request):
        self.connection, self.request = connection, request

    def ok(self):
        self.connection.respond(self.request, body=b"ok")
        return True

    def reset_connection(self):
        reset(self.connection.socket)
        raise ConnectionError("it is gone")

    def reset_stream(self):
        self.connection.refuse(self.request, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def begin(self):
        self.connection.h2.send_headers(self.request.stream, [(":status", "200"),
                                                              ("content-length", "100")])
        self.connection.h2.send_data(self.request.stream, b"some")
        self.connection.flush()

    def wait(self, until):
        """Its other streams go on."""


def good(answer):
    return answer.ok()


@pytest.fixture
def server():
    """server(protocol, act, tls): a Server that is closed at the end."""
    made = []

    def make(*args):
        made.append(Server(*args))
        return made[-1]

    yield make
    for s in made:
        s.close()


@contextlib.contextmanager
def black_hole():
    """The address of a server that drops each SYN: its queue is full, and nobody takes from it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
        yield "127.0.0.1:%d" % listener.getsockname()[1]


def by(protocol, tls):
    """The options of an origin that is asked by it."""
    return f"{tls}protocol: {'h2' if protocol == 'h2' else 'http1'}"


def run(make_edge, protocol, addresses, options="retries: 1", tls="", health="{enabled: false}"):
    return make_edge({"app": f"servers: {addresses}, health: {health}, balance: {{method: "
                             f"round-robin}}, {by(protocol, tls)}, {options}"})


def tries(edge, n):
    """(server, end) of each attempt that came to nothing and was followed by another."""
    return [(t["server"], t["end"]) for line in edge.access_log(n) for t in line.get("tries", ())]


def state(edge):
    """State and cause of the first server, as perigeectl tells them: of its newest check, which a
    busy machine may have let time out before it found out more."""
    told = subprocess.run([perigee.CTL, "status", "--json", edge.control_path], check=True,
                          capture_output=True, text=True, timeout=perigee.PATIENCE)
    address = json.loads(told.stdout)["origins"]["app"]["servers"][0]["addresses"][0]
    return address["state"], address["cause"]


def becomes(edge, *expected):
    perigee.wait_for(lambda: state(edge) == expected, f"{expected}, not {state(edge)}")


# Requests

@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused(make_edge, server, hold_port, protocol, method):
    """Nothing was sent, so that it goes to the next one whatever it is."""
    well, bad = server(protocol, good), hold_port().address
    edge = run(make_edge, protocol, [bad, well.address])
    assert ask_each(edge, method, 4) == [200] * 4
    assert well.methods == [method] * 4
    assert set(tries(edge, 4)) == {(bad, "origin-connect-refused")}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_black_hole(make_edge, server, protocol, method):
    well = server(protocol, good)
    with black_hole() as bad:
        edge = run(make_edge, protocol, [bad, well.address])
        assert ask_each(edge, method, 4) == [200] * 4
        assert well.methods == [method] * 4
        # It lost against the other.
        assert set(tries(edge, 4)) == {(bad, "lost")}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_black_hole_alone(make_edge, protocol):
    with black_hole() as bad:
        edge = run(make_edge, protocol, [bad], "timeout: {connect: 500ms}")
        assert ask_each(edge) == [504]
        line, = edge.access_log(1)
        assert line["end"] == "origin-connect-timeout"


BEFORE = [("http1", "reset_connection"), ("h2", "reset_connection"), ("h2", "reset_stream")]


@pytest.mark.parametrize("protocol,how", BEFORE)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_reset_before_the_first_byte(make_edge, server, protocol, how, method):
    bad = server(protocol, lambda answer: getattr(answer, how)())
    well = server(protocol, good)
    edge = run(make_edge, protocol, [bad.address, well.address],
               "retries: {attempts: 1, after: [reset]}")
    assert ask_each(edge, method, 8) == [200] * 8
    assert bad.methods and len(well.methods) == 8
    assert set(tries(edge, 8)) == {(bad.address, "origin-reset")}


@pytest.mark.parametrize("protocol,how", BEFORE)
def test_reset_before_the_first_byte_of_a_post(make_edge, server, protocol, how):
    """It may have been done."""
    bad = server(protocol, lambda answer: getattr(answer, how)())
    well = server(protocol, good)
    edge = run(make_edge, protocol, [bad.address, well.address], "retries: 5")
    got = ask_each(edge, "POST", 8)
    assert got.count(502) == len(bad.methods) > 0
    assert got.count(200) == len(well.methods) == 8 - len(bad.methods)
    ends = [line["end"] for line in edge.access_log(8) if line["status"] == 502]
    assert not tries(edge, 8) and set(ends) == {"origin-reset"}


@pytest.mark.parametrize("protocol,how", BEFORE)
def test_reset_after_the_first_byte(make_edge, server, protocol, how):
    """What the client has begun to get is not begun again, and it can see that it is not whole."""
    def act(answer):
        answer.begin()
        getattr(answer, how)()

    bad, well = server(protocol, act), server(protocol, good)
    edge = run(make_edge, protocol, [bad.address, well.address])
    got = ask_each(edge, "GET", 8)
    broken = [s for s in got if s != 200]
    assert set(broken) <= {0, 502} and len(broken) == len(bad.methods) > 0
    assert len(well.methods) == 8 - len(bad.methods)
    assert not tries(edge, 8)
    ends = {line["end"] for line in edge.access_log(8) if line["end"] != "done"}
    assert ends == {"origin-reset"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_stalled_in_the_content(make_edge, server, protocol):
    over = threading.Event()

    def act(answer):
        answer.begin()
        answer.wait(over)

    bad, well = server(protocol, act), server(protocol, good)
    edge = run(make_edge, protocol, [bad.address, well.address], "timeout: {idle: 1s}")
    try:
        got = ask_each(edge, "GET", 4)
    finally:
        over.set()
    assert got.count(0) == len(bad.methods) > 0 and got.count(200) == len(well.methods)
    ends = [line["end"] for line in edge.access_log(4) if line["end"] != "done"]
    assert ends == ["origin-body-timeout"] * len(bad.methods)


@pytest.fixture
def certificates(authority, tmp_path):
    """Of a kind, and of one that is well."""
    def make(kind):
        if kind == "expired":
            return authority.issue_expired("expired", NAME)
        if kind == "wrong name":
            return authority.issue("elsewhere", ["elsewhere.test"])
        if kind == "unknown issuer":
            return perigee.Authority(tmp_path / "strangers").issue("strange", [NAME])
        return authority.issue("internal", [NAME])

    return make


def secure(authority):
    return f"tls: {{enabled: true, ca: {authority.certificate}, name: {NAME}}}, "


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["expired", "wrong name", "unknown issuer"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_certificate(make_edge, server, authority, certificates, protocol, kind, method):
    """Nothing is sent to it, and the next one is asked."""
    bad = server(protocol, good, certificates(kind))
    well = server(protocol, good, certificates("well"))
    edge = run(make_edge, protocol, [bad.address, well.address], tls=secure(authority))
    assert ask_each(edge, method, 4) == [200] * 4
    assert not bad.methods and well.methods == [method] * 4
    assert set(tries(edge, 4)) == {(bad.address, "origin-certificate")}


# Checks

KINDS = ["tcp", "http", "h2"]


def checked(make_edge, kind, address, more="", tls="", how=CHECK):
    protocol = "h2" if kind == "h2" else "http1"
    return run(make_edge, protocol, [address], "retries: 1", tls,
               f"{{check: {{kind: {kind}, {how}, {more}}}}}")


@pytest.mark.parametrize("kind", KINDS)
def test_check_of_one_that_refuses(make_edge, hold_port, kind):
    edge = checked(make_edge, kind, hold_port().address)
    becomes(edge, "down", "refused")


@pytest.mark.parametrize("kind", KINDS)
def test_check_of_a_black_hole(make_edge, kind):
    with black_hole() as bad:
        edge = checked(make_edge, kind, bad)
        becomes(edge, "down", "timed-out")


@pytest.mark.parametrize("kind,how", [("http", "reset_connection"), ("h2", "reset_connection"),
                                      ("h2", "reset_stream")])
@pytest.mark.parametrize("begins", [False, True])
def test_check_that_is_reset(make_edge, server, kind, how, begins):
    """Before the first byte, and in the content that is looked at."""
    def act(answer):
        if begins:
            answer.begin()
        getattr(answer, how)()

    bad = server("h2" if kind == "h2" else "http1", act)
    edge = checked(make_edge, kind, bad.address, "content: more")
    becomes(edge, "down", "reset")


@pytest.mark.parametrize("kind", ["http", "h2"])
def test_check_that_stalls_in_the_content(make_edge, server, kind):
    over = threading.Event()

    def act(answer):
        answer.begin()
        answer.wait(over)

    bad = server("h2" if kind == "h2" else "http1", act)
    edge = checked(make_edge, kind, bad.address, "content: more")
    becomes(edge, "down", "timed-out")
    over.set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["expired", "wrong name"])
def test_check_of_a_certificate(make_edge, server, authority, certificates, protocol, kind):
    bad = server(protocol, good, certificates(kind))
    edge = checked(make_edge, "h2" if protocol == "h2" else "https", bad.address,
                   tls=secure(authority))
    becomes(edge, "down", "bad-certificate")


@pytest.mark.parametrize("kind", KINDS)
def test_check_of_one_that_comes_and_goes(make_edge, hold_port, kind):
    """Each change is told by its cause, newest first."""
    port = hold_port()
    # None that times out, which would be a change of its own.
    edge = checked(make_edge, kind, port.address, how="interval: 3s, timeout: 3s, rise: 1, fall: 1")
    becomes(edge, "down", "refused")
    server = Server("h2" if kind == "h2" else "http1", good, port=port.number)
    becomes(edge, "up", "ok")
    server.close()
    becomes(edge, "down", "refused")
    address = edge.status()["origins"]["app"]["servers"][0]["addresses"][0]
    assert [(c["state"], c["cause"]) for c in address["changes"]] == [
        ("down", "refused"), ("up", "ok"), ("down", "refused")]


# Restarts under load

@pytest.fixture
def pair(processes, tmp_path):
    """Two servers of nginx by a protocol; done(method): the requests that they have carried out."""
    def make(protocol):
        made = []
        for name in "ab":
            (tmp_path / name).mkdir()
            made.append(Nginx(tmp_path / name, "location / { return 200; }",
                              "http2" if protocol == "h2" else "", log="$request_method $uri"))
            processes.append(made[-1])
        return made

    return make


def states(edge):
    return [s["addresses"][0]["state"] for s in edge.status()["origins"]["app"]["servers"]]


def done(servers, method):
    lines = [line for s in servers for line in s.access_log_path.read_text().splitlines()]
    return [line for line in lines if line.startswith(method)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("health", ["{enabled: false}", f"{{check: {{kind: tcp, {CHECK}}}}}"])
def test_servers_are_restarted_under_load(make_edge, pair, protocol, how, health):
    """One at a time, killed or in order: no safe request fails, and no POST is done twice. It takes
    a second retry: connections that wait to be accepted break too, though they are new."""
    servers = pair(protocol)
    edge = run(make_edge, protocol, [f"127.0.0.1:{s.port}" for s in servers],
               "retries: 2", health=health)
    readers = [Client(edge, f"r{i}", "GET") for i in range(4)]
    writers = [Client(edge, f"w{i}", "POST") for i in range(2)]
    clients = readers + writers

    def go_on(n):
        before = sum(len(c.statuses) for c in clients)
        perigee.wait_for(lambda: sum(len(c.statuses) for c in clients) >= before + n
                         or not all(c.is_alive() for c in clients), f"{n} more requests")

    go_on(100)
    for _ in range(3):
        for s in servers:
            s.restart(how)
            perigee.wait_for(lambda: "down" not in states(edge), "both to be up")
            go_on(100)
    got = {c.label: c.stop() for c in clients}
    for c in readers:
        assert set(got[c.label]) == {200}, (c.label, set(got[c.label]))
    failed = sum(status != 200 for c in writers for status in got[c.label])
    # At most what was under way when it ended.
    assert failed <= 6 * len(writers), failed
    posts = done(servers, "POST")
    assert len(posts) == len(set(posts)), "a POST was carried out twice"
