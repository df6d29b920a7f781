# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: HTTP/2 through it, with real clients."""

import hashlib

import pytest


@pytest.fixture
def edge(make_edge, origin):
    return make_edge({"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'})


def test_methods_and_framings(edge):
    def curl(*args):
        return edge.curl(*args, http2=True).stdout

    got = curl("-i", edge.url("/chunked/100000"), edge.url("/bytes/5"))
    assert got.count("HTTP/2 200") == 2 and "transfer-encoding" not in got
    assert "content-length: 5" in got
    assert curl("-I", edge.url("/bytes/12345")).startswith("HTTP/2 200")
    assert curl("-d", "a=1&b=2", edge.url("/echo")) == "a=1&b=2"
    assert curl("-T", "/dev/null", "-X", "POST", edge.url("/echo")) == ""
    assert curl("-X", "PUT", "-d", "", edge.url("/echo")) == ""
    assert curl("-i", edge.url("/status/204")).startswith("HTTP/2 204")
    assert curl("-i", edge.url("/status/304")).startswith("HTTP/2 304")
    c = edge.settled()
    assert c["edge_requests_total"] == 8 == c["edge_end_done_total"]
    assert c["edge_h2_connections_total"] == 7 == c["edge_connections_total"]


def test_large_contents_arrive_whole(edge, tmp_path):
    data = hashlib.sha256(b"h2").digest() * (5 << 15)
    (tmp_path / "up").write_bytes(data)
    got = edge.curl("--data-binary", f"@{tmp_path / 'up'}", edge.url("/echo"), http2=True,
                    text=False).stdout
    assert got == data
    got = edge.curl(edge.url("/bytes/20000000"), http2=True, text=False).stdout
    assert len(got) == 20000000
