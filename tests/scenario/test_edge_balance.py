# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server of an origin requests go to."""

import collections
import re
import subprocess
import threading

import pytest

import perigee
from edge_fleet import HOST, Edge, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nOrigin-Name: slow\r\n\r\nok"
CHECK = "health: {check: {path: /health, status: 200, interval: 100ms, timeout: 100ms, rise: 1, fall: 1}}"
UNCHECKED = "health: off"


@pytest.fixture
def servers(processes, tmp_path):
    """servers(n): so many origins, whose names are "s0", "s1"..."""
    def make(n):
        made = []
        for i in range(n):
            made.append(perigee.Origin(tmp_path / f"s{i}.log", ["--name", f"s{i}"]))
            processes.append(made[-1])
        return made

    return make


def entries(made, *more):
    """Of the configuration: {address: ..., MORE} of each."""
    more = more or [""] * len(made)
    return ", ".join(f"{{address: '{o.address}', {m}}}" for o, m in zip(made, more, strict=True))


def names(edge, n=1, *args, path="/"):
    """Who has answered each of so many requests, one after the other."""
    got = edge.curl("-f", "-o", "/dev/null", "-D", "-", *args, edge.url(path) + f"?[1-{n}]").stdout
    found = re.findall(r"^Origin-Name: (\S+)\r?$", got, re.M)
    assert len(found) == n, got
    return found


def count(edge, n, *args):
    return collections.Counter(names(edge, n, *args))


def say(server, what):
    """"down" or "up": what it says to checks."""
    subprocess.run(["curl", "-sS", "-X", "POST", f"http://{server.address}/health/{what}"],
                   check=True, capture_output=True)


def states(edge):
    return [a["state"] for server in edge.status()["origins"]["app"]["servers"]
            for a in server["addresses"]]


def wait_states(edge, *expected):
    perigee.wait_for(lambda: states(edge) == list(expected), f"{expected}")


def test_weights(make_edge, servers):
    made = servers(3)
    edge = make_edge({"app": f"servers: [{entries(made, 'weight: 5', 'weight: 3', '')}], {UNCHECKED}"})
    assert count(edge, 90) == {"s0": 50, "s1": 30, "s2": 10}


def test_turns_while_nothing_is_to_do(make_edge, servers):
    made = servers(3)
    edge = make_edge({"app": f"servers: [{entries(made)}], {UNCHECKED}"})
    assert count(edge, 30) == {"s0": 10, "s1": 10, "s2": 10}


def test_server_that_holds_requests_gets_no_more(make_edge, servers, scripted_origin):
    """By turns every other request would have been held."""
    held, released = threading.Semaphore(0), threading.Event()

    def script(conn):
        while read_head(conn):
            held.release()
            released.wait(perigee.PATIENCE)
            conn.sendall(OK)

    slow = scripted_origin(script)
    made = servers(1)
    edge = make_edge({"app": f"servers: ['127.0.0.1:{slow.port}', '{made[0].address}'], {UNCHECKED}"})
    waiting = []
    while not held.acquire(timeout=0.1):
        waiting.append(threading.Thread(target=names, args=(edge,)))
        waiting[-1].start()
    assert count(edge, 20) == {"s0": 20}
    released.set()
    for thread in waiting:
        thread.join()
    assert edge.status()["counters"]["olink_failures_total"] == 0


def test_slow_server_is_left_alone(make_edge, servers, scripted_origin):
    def script(conn):
        while read_head(conn):
            threading.Event().wait(0.3)
            conn.sendall(OK)

    slow = scripted_origin(script)
    made = servers(2)
    edge = make_edge({"app": f"servers: ['127.0.0.1:{slow.port}', {entries(made)}], {UNCHECKED}, "
                             "balance: {method: latency}"})
    while "slow" not in names(edge):
        pass
    got = count(edge, 60)
    assert got["slow"] == 0
    assert got["s0"] > 0 and got["s1"] > 0


def by_key(edge):
    got = edge.curl("-f", "-o", "/dev/null", "-D", "-", edge.url("/") + "?k=[1-60]").stdout
    return re.findall(r"^Origin-Name: (\S+)\r?$", got, re.M)


def test_hash_keeps(make_edge, servers):
    """When a server goes only its own keys move, and they come back with it."""
    made = servers(4)
    edge = make_edge({"app": f"servers: [{entries(made)}], {CHECK}, "
                             "balance: {method: hash, hash: {by: '{query.k}'}}"}, workers=2)
    wait_states(edge, *["up"] * 4)
    first = by_key(edge)
    assert len(first) == 60 and set(first) == {"s0", "s1", "s2", "s3"}
    assert by_key(edge) == first
    say(made[2], "down")
    wait_states(edge, "up", "up", "down", "up")
    moved = by_key(edge)
    assert "s2" not in moved
    assert all(now == before for now, before in zip(moved, first, strict=True) if before != "s2")
    say(made[2], "up")
    wait_states(edge, *["up"] * 4)
    assert by_key(edge) == first


def test_cookie_keeps_a_client_at_its_server(make_edge, servers, tmp_path):
    made = servers(3)
    edge = make_edge({"app": f"servers: [{entries(made)}], {CHECK}, balance: {{sticky: on}}"},
                     workers=2)
    wait_states(edge, *["up"] * 3)
    jar = tmp_path / "jar"
    with_jar = ("-b", jar, "-c", jar)
    head = edge.curl("-f", "-o", "/dev/null", "-D", "-", *with_jar, edge.url("/")).stdout
    mine = re.search(r"Origin-Name: (\S+)", head).group(1)
    assert re.search(r"^Set-Cookie: server-app=[0-9a-f]{50}; Path=/; Secure; HttpOnly; "
                     r"SameSite=Lax\r?$", head, re.M), head
    assert count(edge, 20, *with_jar) == {mine: 20}
    # It is told once, and is not for the origin.
    again = edge.curl("-f", "-D", "-", *with_jar, "-b", f"a=1; {cookie(jar)}; b=2",
                      edge.url("/fields")).stdout
    assert "Set-Cookie" not in again
    assert re.search(r"^cookie: a=1; b=2\r?$", again, re.M | re.I), again
    # A reload does not end it.
    edge.reload()
    edge.wait_counter("edge_reloads_total", 1)
    assert count(edge, 20, *with_jar) == {mine: 20}
    # A server that is down is left for another, which the client stays at from then on.
    say(made[int(mine[1])], "down")
    wait_states(edge, *("down" if f"s{i}" == mine else "up" for i in range(3)))
    (other,) = set(names(edge, 5, *with_jar))
    assert other != mine
    say(made[int(mine[1])], "up")
    wait_states(edge, *["up"] * 3)
    assert count(edge, 10, *with_jar) == {other: 10}
    # Who has made one up is told a new one.
    head = edge.curl("-f", "-o", "/dev/null", "-D", "-", "-b", "server-app=" + "0" * 50,
                     edge.url("/")).stdout
    assert "Set-Cookie: server-app=" in head


def cookie(jar):
    """"name=value", from a file of curl's."""
    *_, name, value = jar.read_text().strip().split("\n")[-1].split("\t")
    return f"{name}={value}"


def test_cookie_is_good_at_other_edges(processes, authority, certificate, servers, tmp_path):
    """With the keys of tickets in common; without them it would be at one edge only."""
    made = servers(8)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    subprocess.run([perigee.CTL, "ticket-key", "new", keys], check=True, capture_output=True)
    origins = {"app": f"servers: [{entries(made)}], {UNCHECKED}, balance: {{sticky: on}}"}
    sites = {"www": ([HOST], [certificate], {"/": "app"})}
    edges = []
    for node in "fra1", "nyc1":
        (tmp_path / node).mkdir()
        edges.append(Edge(tmp_path / node, authority, sites, origins, node=node,
                          top=[f"tls: {{tickets: {{keys: {keys}}}}}"]))
        processes.append(edges[-1])
    jar = tmp_path / "jar"
    (mine,) = names(edges[0], 1, "-c", jar)
    assert count(edges[1], 10, "-b", cookie(jar)) == {mine: 10}


def test_cookie_is_not_given_to_caches(scripted):
    def script(conn):
        while read_head(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9, public\r\n"
                         b"Content-Length: 2\r\n\r\nok")

    edge = scripted(script, "balance: {sticky: on}")
    head = edge.curl("-f", "-o", "/dev/null", "-D", "-", edge.url("/")).stdout
    assert "Set-Cookie" not in head


def test_priority_fails_over_and_comes_back(make_edge, servers):
    made = servers(3)
    edge = make_edge({"app": f"servers: [{entries(made, '', '', 'priority: 1')}], {CHECK}"})
    wait_states(edge, *["up"] * 3)
    assert count(edge, 20) == {"s0": 10, "s1": 10}
    say(made[0], "down")
    wait_states(edge, "down", "up", "up")
    assert count(edge, 20) == {"s1": 20}
    say(made[1], "down")
    wait_states(edge, "down", "down", "up")
    assert count(edge, 20) == {"s2": 20}
    say(made[0], "up")
    say(made[1], "up")
    wait_states(edge, *["up"] * 3)
    assert count(edge, 20) == {"s0": 10, "s1": 10}


def test_spill(make_edge, servers):
    """One of two is less than 70%, of which 50% are five parts in seven."""
    made = servers(3)
    edge = make_edge({"app": f"servers: [{entries(made, '', '', 'priority: 1')}], {CHECK}, "
                             "balance: {spill: 70%}"})
    wait_states(edge, *["up"] * 3)
    assert count(edge, 20) == {"s0": 10, "s1": 10}
    say(made[0], "down")
    wait_states(edge, "down", "up", "up")
    got = count(edge, 200)
    assert set(got) == {"s1", "s2"} and 20 < got["s2"] < 110


def test_near_servers_first(make_edge, servers):
    """The edge is at Frankfurt."""
    made = servers(3)
    places = ["37.77,-122.42", "50.05,8.60", "52.37,4.90"]
    edge = make_edge({"app": f"""servers: [{entries(made, *(f'location: "{p}"' for p in places))}],
                              {CHECK}, balance: {{spill: 0%}}"""})
    wait_states(edge, *["up"] * 3)
    assert count(edge, 20) == {"s1": 20}
    say(made[1], "down")
    wait_states(edge, "up", "down", "up")
    assert count(edge, 20) == {"s2": 20}
    say(made[2], "down")
    wait_states(edge, "up", "down", "down")
    assert count(edge, 20) == {"s0": 20}
    say(made[1], "up")
    wait_states(edge, "up", "up", "down")
    assert count(edge, 20) == {"s1": 20}


def test_slow_start(make_edge, servers):
    made = servers(2)
    edge = make_edge({"app": f"servers: [{entries(made)}], {CHECK}, balance: {{slow_start: 1h}}"})
    wait_states(edge, "up", "up")
    # Who was there from the beginning has none.
    assert count(edge, 20) == {"s0": 10, "s1": 10}
    say(made[1], "down")
    wait_states(edge, "up", "down")
    say(made[1], "up")
    wait_states(edge, "up", "up")
    # A tenth of its half.
    assert count(edge, 200)["s1"] < 40


def test_flapping_server(make_edge, servers):
    made = servers(2)
    edge = make_edge({"app": f"servers: [{entries(made)}], {CHECK}"}, workers=2)
    wait_states(edge, "up", "up")
    for _ in range(5):
        say(made[1], "down")
        wait_states(edge, "up", "down")
        assert count(edge, 10) == {"s0": 10}
        say(made[1], "up")
        wait_states(edge, "up", "up")
        assert count(edge, 20)["s1"] > 0
    assert edge.status()["counters"]["olink_failures_total"] == 0


def test_subset(make_edge, servers):
    made = servers(6)
    edge = make_edge({"app": f"servers: [{entries(made)}], {CHECK}, balance: {{subset: 2}}"})
    wait_states(edge, *["up"] * 6)
    mine = count(edge, 20)
    assert list(mine.values()) == [10, 10]
    gone, stays = sorted(mine)
    say(made[int(gone[1])], "down")
    perigee.wait_for(lambda: states(edge).count("down") == 1, "one to be down")
    now = count(edge, 20)
    assert len(now) == 2 and stays in now and gone not in now
