# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.2 to 1.9 are taken as 1.1 (RFC 9110 section 2.5), from clients and from origins; other
majors are not. Each test is named after what went wrong once."""

import pytest

from edge_fleet import HOST, Responses, read_head


@pytest.fixture
def edge(scripted):
    """Its origin answers in the version that the path names, with the request line it got."""
    def script(conn):
        while head := read_head(conn):
            line = head.split(b"\r\n")[0]
            conn.sendall(b"HTTP/%b 200 OK\r\nContent-Length: %d\r\n\r\n%b"
                         % (line.split(b" ")[1][1:], len(line), line))

    return scripted(script)


def status_of(edge, client, origin, requests=1):
    """Both sides keep their connections, as in HTTP/1.1."""
    with edge.connect() as s:
        responses = Responses(s)
        for _ in range(requests):
            s.sendall(f"GET /{origin} HTTP/{client}\r\nHost: {HOST}\r\n\r\n".encode())
            status, _, body = responses.response()
            assert status != 200 or body == f"GET /{origin} HTTP/1.1".encode()
    return status


@pytest.mark.parametrize("minor", [2, 9])
def test_higher_minor_version_of_a_client_was_505(edge, minor):
    assert status_of(edge, f"1.{minor}", "1.1", requests=2) == 200
    assert edge.settled()["edge_connections_total"] == 1


@pytest.mark.parametrize("minor", [2, 9])
def test_higher_minor_version_of_an_origin_was_502(edge, minor):
    assert status_of(edge, "1.1", f"1.{minor}", requests=2) == 200
    assert edge.access_log(2)[1]["reused"]


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0"])
def test_other_major_versions_are_refused(edge, version):
    assert status_of(edge, version, "1.1") == 505
    assert status_of(edge, "1.1", version) == 502
