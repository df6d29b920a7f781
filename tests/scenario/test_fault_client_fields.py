# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of strangers that origins believe, or take for others. Each test is named after what went
wrong once."""

import pytest

from edge_fleet import HOST, Responses, read_head

CLAIMS = ["Client-IP", "X-Real-IP", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP",
          "CF-Connecting-IP", "Fastly-Client-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy",
          "X-Forwarded-Server", "X-Forwarded-User"]
FOLDED = ["Content_Length", "Transfer_Encoding", "X_Forwarded_For", "X_Real_IP", "My_Own"]


def echo(conn):
    """Answers with the head, and all of a chunked body, that it was sent."""
    while said := read_head(conn):
        while b"chunked" in said and b"\r\n0\r\n" not in said[:-4]:
            said += conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


def seen(edge, names, value="6.6.6.6"):
    """The names of those fields that reach the origin."""
    fields = "".join(f"{name}: {value}\r\n" for name in [*names, *map(str.lower, names)])
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}Last: 1\r\n\r\n".encode())
        status, _, body = Responses(s).response()
    assert status == 200 and b"Last: 1\r\n" in body
    lines = [line.partition(": ") for line in body.decode().split("\r\n")]
    return {name for name, _, said in lines if said == value and name in names}


def test_client_told_the_origin_who_it_is(scripted):
    edge = scripted(echo)
    assert seen(edge, CLAIMS) == set()
    assert seen(edge, ["X-Real-Ipsum", "X-Forwardedness"]) == {"X-Real-Ipsum", "X-Forwardedness"}


def test_trusted_proxy_tells_who_the_client_is(scripted):
    edge = scripted(echo, http="trusted_proxies: [127.0.0.0/8]")
    assert seen(edge, CLAIMS) == set(CLAIMS)
    assert seen(edge, FOLDED) == set()


def test_the_list_can_be_changed(scripted):
    edge = scripted(echo, http="trusted_fields: [X-My-Client]")
    assert seen(edge, ["X-Real-IP", "X-My-Client", "X-Forwarded-Server"]) == {"X-Real-IP"}


def test_no_list_leaves_the_forwarded_ones(scripted):
    edge = scripted(echo, http="trusted_fields: []")
    assert seen(edge, CLAIMS) == set(CLAIMS) - {"X-Forwarded-Server", "X-Forwarded-User"}


def test_name_with_underscores_was_taken_for_another(scripted):
    assert seen(scripted(echo), FOLDED, "5") == set()


def test_names_with_underscores_pass_by_option(scripted):
    edge = scripted(echo, http="underscores: pass")
    assert seen(edge, FOLDED, "5") == {"My_Own"}


@pytest.mark.parametrize("trailer", ["X-Forwarded-For", "X-Real-IP", "Content_Length"])
def test_trailer_told_the_origin_who_the_client_is(scripted, trailer):
    edge = scripted(echo)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
                  f"1\r\nx\r\n0\r\n{trailer}: 6.6.6.6\r\nSum: 1\r\n\r\n".encode())
        status, _, body = Responses(s).response()
    assert status == 200 and b"6.6.6.6" not in body and body.endswith(b"\r\nSum: 1\r\n\r\n")
