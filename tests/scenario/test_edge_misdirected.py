# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: a request for a host that its connection is not for gets 421 (RFC 9110 sections
7.4 and 15.5.20), and the next one on it is served."""

import ssl

import pytest

from edge_fleet import Edge, Responses, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# The name in the handshake, the host that is asked for, and the status.
CASES = [
    # what was named may be asked for, however it is written
    ("one.test", "one.test", 200),
    ("one.test", "ONE.test:443", 200),
    ("one.test", "one.test.", 200),
    ("one.test", "one.test:1", 200),
    ("bare.test", "bare.test", 200),
    # another host of the site, and the certificate is for it
    ("one.test", "x.one.test", 200),
    ("x.one.test", "one.test", 200),
    # the certificate is for it, but it is another site's
    ("one.test", "two.test", 421),
    ("two.test", "one.test", 421),
    ("x.one.test", "two.test:443", 421),
    # a host of the site that the certificate is not for
    ("three.test", "other-three.test", 421),
    ("other-three.test", "three.test", 421),
    # nothing is for these: another connection would be no better
    ("one.test", "bare.test", 200),
    ("one.test", "y.x.one.test", 200),
    ("two.test", "bare.test", 421),
    # who named nobody, or somebody unknown, was shown the first
    (None, "one.test", 200),
    (None, "two.test", 200),
    (None, "three.test", 421),
    (None, "bare.test", 200),
    ("unknown.test", "x.one.test", 200),
    ("unknown.test", "three.test", 421),
    # no site's
    ("one.test", "unknown.test", 421),
    ("unknown.test", "unknown.test", 421),
    (None, "unknown.test", 421),
]


def serve(conn):
    while head := read_head(conn):
        assert b"/poison" not in head
        conn.sendall(OK)


@pytest.fixture
def make(tmp_path, authority, processes, scripted_origin):
    def make(http=""):
        shared = authority.issue("shared", ["one.test", "*.one.test", "two.test"])
        sites = {
            "one": (["one.test", "*.one.test", "bare.test"], [shared], {"/": "app"}),
            "two": (["two.test"], [shared], {"/": "app"}),
            "three": (["three.test", "other-three.test"],
                      [authority.issue(name, [f"{name}.test"]) for name in ("three", "other-three")],
                      {"/": "app"}),
        }
        edge = Edge(tmp_path, authority, sites, {"app": scripted_origin(serve).origin()}, http)
        processes.append(edge)
        return edge

    return make


def ask(edge, sni, host, target="/", version=None):
    """The statuses of a request for the host, and of one for what was named, on one connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.maximum_version = version
    with context.wrap_socket(edge.connect_tcp(), server_hostname=sni) as s:
        r = Responses(s)
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        first = r.response()[0]
        s.sendall(f"GET / HTTP/1.1\r\nHost: {sni or 'one.test'}\r\n\r\n".encode())
        return first, r.response()[0]


def test_host_and_name_in_the_handshake(make):
    edge = make()
    for sni, host, status in CASES:
        got = ask(edge, sni, host)
        assert got == (status, 421 if sni == "unknown.test" else 200), (sni, host)
        assert ask(edge, sni, host, version=ssl.TLSVersion.TLSv1_2) == got, (sni, host)
    refused = 2 * sum((status == 421) + (sni == "unknown.test") for sni, _, status in CASES)
    c = edge.settled()
    assert c["edge_end_client_misdirected_total"] == refused == c["edge_responses_4xx_total"]
    assert c["olink_requests_total"] == 4 * len(CASES) - refused
    line = next(line for line in edge.access_log(4 * len(CASES)) if line["status"] == 421)
    assert line["end"] == "client-misdirected"


def test_absolute_form_counts_not_the_host_field(make):
    edge = make()
    assert ask(edge, "one.test", "one.test", "https://two.test/poison") == (421, 200)
    assert ask(edge, "one.test", "two.test", "https://x.one.test/") == (200, 200)


def test_health_is_told_on_any_host(make):
    edge = make()
    for sni, host in (("one.test", "two.test"), ("one.test", "192.0.2.1"), (None, "x")):
        assert ask(edge, sni, host, "/.well-known/perigee/health")[0] == 200


def test_proxies_of_ours_have_others_clients(make):
    edge = make('trusted_proxies: ["127.0.0.0/8"]')
    for sni, host, _ in CASES:
        status = 421 if host == "unknown.test" else 200
        assert ask(edge, sni, host)[0] == status, (sni, host)
