# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of an origin that serve badly though their checks find them up: found out by what requests
find, left out, and taken back."""

import perigee
from edge_fleet import read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
NO_CHECKS = "health: {enabled: false, outliers: {%s}}"


def servers(edge):
    return [s["addresses"][0] for s in edge.status()["origins"]["app"]["servers"]]


class Switched:
    """A server whose answer to requests is changed by the test."""

    def __init__(self, name, scripted_origin):
        self.name, self.answer, self.asked = name, None, 0
        self.origin = scripted_origin(self.serve)

    def serve(self, conn):
        while head := read_head(conn):
            if not head.startswith(b"HEAD"):
                self.asked += 1
            if self.answer is not None and not head.startswith(b"HEAD"):
                conn.sendall(self.answer)
                return
            conn.sendall(OK + (b"" if head.startswith(b"HEAD") else self.name))


def two(scripted_origin):
    return [Switched(name, scripted_origin) for name in (b"good", b"evil")]


def edge_of(make_edge, both, more):
    listed = ", ".join(f'"127.0.0.1:{s.origin.port}"' for s in both)
    return make_edge({"app": f"servers: [{listed}], {more}"})


def ask_until(edge, condition, what):
    """Requests one after the other, as people come, until it is so."""
    def asked():
        edge.curl(edge.url("/"))
        return condition()

    perigee.wait_for(asked, what)


def test_gateway_errors_of_a_server_that_checks_find_up(make_edge, scripted_origin):
    both = good, evil = two(scripted_origin)
    edge = edge_of(make_edge, both, "health: {check: {interval: 1s, timeout: 1s}, "
                                    "outliers: {enabled: true, ejection: 2s}}")
    evil.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ask_until(edge, lambda: servers(edge)[1]["state"] == "ejected", "it to be left out")
    newest = servers(edge)[1]["changes"][0]
    assert (newest["state"], newest["cause"]) == ("ejected", "gateway-errors-in-a-row")
    assert servers(edge)[0]["state"] == "up"
    assert "is ejected for 2 s (gateway-errors-in-a-row)" in edge.log()
    asked = evil.asked
    for _ in range(10):
        assert edge.curl(edge.url("/")).stdout == "good"
    assert evil.asked == asked
    evil.answer = None
    ask_until(edge, lambda: servers(edge)[1]["state"] == "up", "it to be taken back")
    assert servers(edge)[1]["changes"][0]["cause"] == "ejection-over"
    assert edge.counters()["olink_ejections_total"] == 1


def test_connections_broken_by_a_server_without_checks(make_edge, scripted_origin):
    both = good, evil = two(scripted_origin)
    edge = edge_of(make_edge, both, NO_CHECKS % "enabled: true, ejection: 60s")
    evil.answer = b""
    ask_until(edge, lambda: servers(edge)[1]["state"] == "ejected", "it to be left out")
    assert servers(edge)[1]["changes"][0]["cause"] == "failures-in-a-row"


def test_last_server_is_never_left_out(make_edge, scripted_origin):
    both = two(scripted_origin)
    edge = edge_of(make_edge, both, NO_CHECKS % "enabled: true, ejection: 60s, most: 100%")
    for s in both:
        s.answer = b"HTTP/1.1 502 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ask_until(edge, lambda: "ejected" in [s["state"] for s in servers(edge)], "one to be left out")
    before = sum(s.asked for s in both)
    for _ in range(30):
        edge.curl(edge.url("/"))
    assert sum(s.asked for s in both) == before + 30
    assert sorted(s["state"] for s in servers(edge)) == ["ejected", "unknown"]


def test_off_unless_said(make_edge, scripted_origin):
    both = good, evil = two(scripted_origin)
    edge = edge_of(make_edge, both, "health: false")
    evil.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ask_until(edge, lambda: evil.asked >= 12, "many bad answers")
    assert edge.counters()["olink_ejections_total"] == 0
