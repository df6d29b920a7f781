# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins without a server that is up: each way to go on, and back again; and origins that fail so much
that their breaker opens."""

import subprocess
import threading

import perigee
import pytest

from edge_fleet import HOST, read_head

CHECK = "check: {path: /check, interval: 1s, timeout: 1s, rise: 1, fall: 1}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Server:
    """Answers by its name, and checks with what the test says."""

    def __init__(self, name, scripted_origin):
        self.name, self.healthy, self.broken, self.asked, self.hosts = name, True, False, 0, []
        self.scripted = scripted_origin(self.serve)

    def serve(self, conn):
        while head := read_head(conn):
            if b" /check " in head:
                status = b"200 OK" if self.healthy else b"503 No"
                conn.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                continue
            self.asked += 1
            if self.broken:
                conn.sendall(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n")
                continue
            conn.sendall(OK % (len(self.name), self.name))

    def origin(self, more):
        return f'servers: ["127.0.0.1:{self.scripted.port}"], {more}'


@pytest.fixture
def server(scripted_origin):
    return lambda name: Server(name, scripted_origin)


def state_of(edge, origin="app"):
    return edge.status()["origins"][origin]["servers"][0]["addresses"][0]["state"]


def becomes(edge, state, origin="app"):
    perigee.wait_for(lambda: state_of(edge, origin) == state, f"{origin} to be {state}")


def ask(edge, path="/"):
    """(status, fields, content)"""
    got = edge.curl("-i", edge.url(path), http2=False).stdout
    head, _, content = got.partition("\r\n\r\n" if "\r\n\r\n" in got else "\n\n")
    lines = head.splitlines()
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, content


def test_try_asks_the_server_all_the_same(make_edge, server):
    app = server(b"app")
    edge = make_edge({"app": app.origin(f"health: {{{CHECK}}}")})
    app.healthy = False
    becomes(edge, "down")
    assert ask(edge)[0::2] == (200, "app")


def test_tries_of_servers_that_are_down_were_not_limited(make_edge, scripted_origin):
    """limit.requests holds there too: that is where requests pile up."""
    asked, go = [], threading.Event()

    def script(conn):
        while head := read_head(conn):
            if b" /check " in head:
                conn.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
                continue
            asked.append(head)
            if len(asked) == 1:
                assert go.wait(perigee.PATIENCE)
            conn.sendall(OK % (2, b"ok"))

    port = scripted_origin(script).port
    edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], health: {{{CHECK}}}, limit: {{requests: 1}}'})
    becomes(edge, "down")
    with edge.connect() as first:
        first.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        perigee.wait_for(lambda: asked, "the first request")
        status, fields, _ = ask(edge)
        assert (status, fields["retry-after"]) == (503, "1") and len(asked) == 1
        go.set()
        assert first.recv(4096).startswith(b"HTTP/1.1 200")
    assert ask(edge)[0::2] == (200, "ok")


def test_refuse_says_when_to_come_again(make_edge, server):
    app = server(b"app")
    edge = make_edge({"app": app.origin(f"health: {{{CHECK}}}, all_down: refuse")})
    app.healthy = False
    becomes(edge, "down")
    status, fields, _ = ask(edge)
    assert (status, fields["retry-after"]) == (503, "1") and app.asked == 0
    assert edge.access_log(1)[0]["end"] == "origin-all-down"
    app.healthy = True
    becomes(edge, "up")
    assert ask(edge)[0::2] == (200, "app")


def test_fallback_and_the_fallback_of_that(make_edge, server):
    app, spare, last = server(b"app"), server(b"spare"), server(b"last")
    edge = make_edge({
        "app": app.origin(f"health: {{{CHECK}}}, all_down: fallback, fallback: spare"),
        "spare": spare.origin(f"health: {{{CHECK}}}, all_down: fallback, fallback: last"),
        "last": last.origin("health: false")})
    assert ask(edge)[0::2] == (200, "app")
    app.healthy = False
    becomes(edge, "down")
    assert ask(edge)[0::2] == (200, "spare")
    assert edge.access_log(2)[1]["origin"] == "spare"
    spare.healthy = False
    becomes(edge, "down", "spare")
    assert ask(edge)[0::2] == (200, "last")
    app.healthy = True
    becomes(edge, "up")
    assert ask(edge)[0::2] == (200, "app")
    assert (app.asked, spare.asked, last.asked) == (2, 1, 1)


def test_fallback_takes_posts_with_their_content(make_edge, server):
    """The choice is made before anything is sent."""
    app, spare = server(b"app"), server(b"spare")
    edge = make_edge({
        "app": app.origin(f"health: {{{CHECK}}}, all_down: fallback, fallback: spare"),
        "spare": spare.origin("health: false")})
    app.healthy = False
    becomes(edge, "down")
    assert edge.curl("-d", "x", edge.url("/")).stdout == "spare"


def test_page(make_edge, server, tmp_path):
    app = server(b"app")
    (tmp_path / "sorry.html").write_text("<p>Back soon.")
    edge = make_edge({"app": app.origin(
        f"health: {{{CHECK}}}, all_down: page, page: {{file: {tmp_path / 'sorry.html'}}}")})
    app.healthy = False
    becomes(edge, "down")
    status, fields, content = ask(edge)
    assert (status, content, fields["retry-after"]) == (503, "<p>Back soon.", "1")
    assert fields["content-type"] == "text/html; charset=utf-8"
    app.healthy = True
    becomes(edge, "up")
    assert ask(edge)[0::2] == (200, "app")


def test_page_where_nobody_has_an_address(make_edge):
    edge = make_edge({"app": "servers: nobody.invalid, health: false, all_down: page, "
                             "page: {status: 200, text: closed}"})
    assert ask(edge)[0::2] == (200, "closed")


@pytest.mark.parametrize("origins,error", [
    ("a: {servers: a.test, all_down: fallback}", "wants a fallback"),
    ("a: {servers: a.test, all_down: fallback, fallback: a}", "leads back to a"),
    ("a: {servers: a.test, all_down: fallback, fallback: b}, "
     "b: {servers: b.test, all_down: fallback, fallback: a}", "leads back to b"),
    ("a: {servers: a.test, all_down: fallback, fallback: z}", 'there is no origin "z"'),
    ("a: {servers: a.test, all_down: page}", "wants one page"),
    ("a: {servers: a.test, all_down: page, page: {status: 404}}", "either text or file"),
    ("a: {servers: a.test, all_down: page, page: {status: 302, text: x}}", "status 302"),
    ("a: {servers: a.test, all_down: page, page: {file: /nowhere/x}}", "/nowhere/x"),
    ("a: {servers: a.test, fallback: b}", "fallback"),
])
def test_what_cannot_stand_in_is_found_at_load(tmp_path, origins, error):
    path = tmp_path / "perigee.yaml"
    path.write_text(f"edges: {{fra1: {{}}}}\norigins: {{{origins}}}\n")
    run = subprocess.run([perigee.CTL, "check", path], capture_output=True, text=True, check=False)
    assert run.returncode == 1 and error in run.stderr, run.stderr


def test_panic_when_too_few_are_up(make_edge, scripted_origin):
    """Two of three are down by their checks, which answer nevertheless."""
    three = [Server(b"%d" % i, scripted_origin) for i in range(3)]
    listed = ", ".join(f'"127.0.0.1:{s.scripted.port}"' for s in three)
    edge = make_edge({"app": f"servers: [{listed}], health: {{{CHECK}, panic: 50%}}"})

    def states():
        return [s["addresses"][0]["state"] for s in edge.status()["origins"]["app"]["servers"]]

    three[0].healthy = False
    perigee.wait_for(lambda: states() == ["down", "up", "up"], "one to be down")
    assert {ask(edge)[2] for _ in range(12)} == {"1", "2"}
    three[1].healthy = False
    perigee.wait_for(lambda: states() == ["down", "down", "up"], "two to be down")
    seen = set()
    perigee.wait_for(lambda: seen.add(ask(edge)[2]) or seen == {"0", "1", "2"}, "all to be asked")


def test_flapping_server_is_up_when_it_has_settled(make_edge, server):
    """Each change is in the history, and no change comes before rise and fall say so."""
    app = server(b"app")
    edge = make_edge({"app": app.origin(
        "health: {check: {path: /check, interval: 1s, fast_interval: 50ms, timeout: 1s, rise: 3, fall: 2}}")})
    for healthy in [False, True] * 3:
        app.healthy = healthy
        becomes(edge, "up" if healthy else "down")
    changes = edge.status()["origins"]["app"]["servers"][0]["addresses"][0]["changes"]
    assert [c["state"] for c in changes] == ["up", "down"] * 3 + ["up"]
    assert {c["cause"] for c in changes if c["state"] == "down"} == {"wrong-status"}
    assert edge.log().count("is down (wrong-status: 503)") == 3


def test_drained_by_the_operator(make_edge, server, certificate):
    """No request goes there, and the history says whose doing that was."""
    both = [server(b"a"), server(b"b")]

    def origins(admin, other="active"):
        listed = ", ".join(f'{{address: "127.0.0.1:{s.scripted.port}", admin: {which}}}'
                           for s, which in zip(both, (admin, other)))
        return {"app": f"servers: [{listed}], health: {{{CHECK}}}, all_down: refuse"}

    def reload(*admins):
        edge.write({"www": ([HOST], [certificate], {"/": "app"})}, origins(*admins))
        edge.reload()

    edge = make_edge(origins("active"))
    becomes(edge, "up")
    reload("drained")
    becomes(edge, "drained")
    assert {ask(edge)[2] for _ in range(8)} == {"b"}
    reload("drained", "drained")
    perigee.wait_for(lambda: ask(edge)[0] == 503, "nobody to be left")
    reload("active")
    becomes(edge, "up")
    changes = edge.status()["origins"]["app"]["servers"][0]["addresses"][0]["changes"]
    assert [(c["state"], c["cause"]) for c in changes] == [
        ("up", "by-operator"), ("drained", "by-operator"), ("up", "ok")]
    assert {ask(edge)[2] for _ in range(20)} == {"a", "b"}


# The breaker

BREAKER = "breaker: {enabled: true, requests: 5, open: 2s, trials: 2}"


def test_breaker_opens_and_closes(make_edge, server):
    app = server(b"app")
    edge = make_edge({"app": app.origin(f"health: false, {BREAKER}")})
    ask(edge)
    app.broken = True
    perigee.wait_for(lambda: ask(edge)[0] == 503, "the breaker to open")
    # It may be on trial by now.
    assert edge.status()["origins"]["app"]["breaker"] in ("open", "trial")
    asked = app.asked
    status, fields, _ = ask(edge)
    assert status == 503 and int(fields["retry-after"]) in (1, 2)
    assert app.asked == asked
    assert edge.access_log(asked + 2)[-1]["end"] == "origin-breaker-open"
    # It is tried, fails, and is open again.
    perigee.wait_for(lambda: ask(edge)[0] == 502, "a trial")
    assert app.asked <= asked + 2
    app.broken = False
    perigee.wait_for(lambda: ask(edge)[0] == 200, "another trial")
    perigee.wait_for(lambda: ask(edge)[0] == 200 and "its breaker is closed" in edge.log(),
                     "the breaker to close")
    status = edge.status()
    assert status["origins"]["app"]["breaker"] == "closed"
    assert status["counters"]['olink_origin_breakers{origin="app",state="closed"}'] == 1
    assert all(ask(edge)[0] == 200 for _ in range(10))


def test_breaker_gives_way_to_the_fallback(make_edge, server):
    app, spare = server(b"app"), server(b"spare")
    edge = make_edge({
        "app": app.origin(f"health: false, {BREAKER}, all_down: fallback, fallback: spare"),
        "spare": spare.origin("health: false")})
    app.broken = True
    perigee.wait_for(lambda: ask(edge)[0::2] == (200, "spare"), "the fallback to be asked")


def test_breaker_was_not_asked_for_copies_and_for_judges(make_edge, server):
    """Of an origin that fails, they went on to ask as often as before."""
    app, copy, judge = server(b"app"), server(b"copy"), server(b"judge")
    copy.broken = judge.broken = True
    options = "health: false, breaker: {enabled: true, requests: 5, open: 60s}"
    edge = make_edge({"app": app.origin("health: false"), "copy": copy.origin(options),
                      "judge": judge.origin(options)},
                     {"/judged": ("app", "auth: {forward: {origin: judge, path: /auth}}"),
                      "/": ("app", "mirror: {origin: copy}")})

    def opens(origin, path):
        perigee.wait_for(lambda: ask(edge, path) and edge.status()["origins"][origin]["breaker"]
                         == "open", f"the breaker of {origin} to open")

    opens("copy", "/")
    opens("judge", "/judged")
    edge.settled()
    asked = copy.asked, judge.asked
    assert ask(edge, "/")[0] == 200
    status, fields, _ = ask(edge, "/judged")
    assert status == 503 and int(fields["retry-after"]) > 0
    edge.settled()
    assert (copy.asked, judge.asked) == asked
    assert edge.counters()["edge_mirror_dropped_total"] > 0
