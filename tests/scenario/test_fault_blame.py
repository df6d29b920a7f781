# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is said to be at fault, and who is said to have been asked: in the access log and the
counters. Each test is named after what went wrong once, or could."""

import socket
import ssl

import pytest

from edge_fleet import HOST, read_head, read_to_end, reset

H = f"Host: {HOST}\r\nConnection: close\r\n"
GET = f"GET / HTTP/1.1\r\n{H}\r\n".encode()


def says(*what, then=None):
    """A script: reads a head, sends that, and closes, or what else `then` does."""
    def script(conn):
        read_head(conn)
        for data in what:
            conn.sendall(data)
        if then:
            then(conn)
    return script


def is_silent(conn):
    conn.recv(1)


FAULTS = {
    "closes": (says(), "origin-closed"),
    "resets": (says(then=reset), "origin-reset"),
    "talks SSH": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "origin-malformed"),
    "repeats a length": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
                         "origin-malformed"),
    "says 101 unasked": (says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                              b"Connection: upgrade\r\n\r\n"), "origin-malformed"),
    "says nothing": (says(then=is_silent), "origin-head-timeout"),
    "stops in the head": (says(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), "origin-"),
    "stops in the content": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", then=is_silent),
                             "origin-body-timeout"),
    "cuts the content off": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
                             "origin-truncated"),
    "resets in the content": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", then=reset),
                              "origin-reset"),
    "breaks a chunk": (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz"),
                       "origin-malformed"),
}


@pytest.mark.parametrize("upload", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_an_origin_is_the_clients(scripted, name, upload):
    script, end = FAULTS[name]
    # Short only where it is to pass.
    timeout = "300ms" if "timeout" in end else "30s"
    edge = scripted(script, f"timeout: {{response: {timeout}, idle: {timeout}}}")
    request = GET
    if upload:
        request = f"POST / HTTP/1.1\r\n{H}Content-Length: 5\r\n\r\nhello".encode()
    with edge.connect() as s:
        s.sendall(request)
        read_to_end(s)
    line, = edge.access_log(1)
    assert line["end"].startswith(end)
    assert line["origin"] == "app" and line["server"] != ""
    counters = edge.settled()
    assert not [c for c in counters if c.startswith("edge_end_client") and counters[c] > 0]


def test_refusal_of_our_certificate_was_a_reset(make_edge, scripted_origin, authority):
    """With TLS 1.3 it comes when the handshake is long over."""
    origin = scripted_origin(lambda conn: None, tls=authority.issue("app", ["app.example.com"]))
    origin.tls.verify_mode = ssl.CERT_REQUIRED
    origin.tls.load_verify_locations(str(authority.certificate))
    edge = make_edge({"app": origin.origin(
        f"tls: {{enabled: true, ca: {authority.certificate}, name: app.example.com}}")})
    assert edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout == "502"
    line, = edge.access_log(1)
    assert line["end"] == "origin-handshake-failed"
    edge.stop()
    assert "alert" in edge.log().lower()
    assert all("CERTIFICATE" in e for e in origin.errors)
    origin.errors.clear()


def test_log_names_an_origin_that_nobody_asked(make_edge, scripted_origin):
    """Refused before, with all servers down, by a queue that is full, or with an answer of our own:
    site, but neither origin nor server."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    def slowly(conn):
        read_head(conn)
        is_silent(conn)

    busy = scripted_origin(slowly)
    edge = make_edge(
        {"down": f"servers: ['127.0.0.1:{port}'], all_down: refuse",
         "nowhere": "servers: [nowhere.invalid], health: {enabled: false}",
         "busy": busy.origin("limit: {connections: 1, queue: 0}"),
         "refuses": f"servers: ['127.0.0.1:{port}'], health: {{enabled: false}}"},
        routes={"/down": "down", "/nowhere": "nowhere", "/busy": "busy", "/refuses": "refuses"})
    with edge.connect() as s:
        s.sendall(GET.replace(b"/ ", b"/busy ", 1))
        edge.wait_counter("olink_active_connections", 1)
        got = [edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url(path)).stdout
               for path in ("/down", "/nowhere", "/busy", "/other", "/refuses")]
    assert got == ["503", "502", "503", "404", "502"]
    lines = {}
    for line in edge.access_log(6):
        lines.setdefault(line["target"], line)
    assert lines["/refuses"]["origin"] == "refuses"
    assert lines["/refuses"]["server"] == f"127.0.0.1:{port}"
    first, = [line for line in edge.access_log(6) if line["target"] == "/busy" and not line["status"]]
    assert first["origin"] == "busy" and first["server"] == f"127.0.0.1:{busy.port}"
    for path, end in (("/down", "origin-all-down"), ("/nowhere", "origin-resolve-failed"),
                      ("/busy", "origin-queue-full"), ("/other", "done")):
        line = lines[path]
        assert (line["site"], line["origin"], line["server"]) == ("www", "", "")
        assert line["end"] == end
