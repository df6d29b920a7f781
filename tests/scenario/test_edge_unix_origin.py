# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins at Unix sockets: requests, checks, the PROXY header and TLS through them; and what is there
in the place of a socket, or is not there."""

import os
import shutil
import socket
import tempfile

import pytest

import perigee
from edge_fleet import HOST, Responses, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def path():
    """Of a socket, in a folder of its own: pytest's have names that are too long."""
    folder = tempfile.mkdtemp(prefix="perigee-unix-")
    yield f"{folder}/app.sock"
    shutil.rmtree(folder)


def script(conn):
    while read_head(conn):
        conn.sendall(OK)


def status_of(edge):
    return edge.curl("-o", "/dev/null", "-w", "%{http_code}", edge.url("/")).stdout


def address_of(edge):
    server, = edge.status()["origins"]["app"]["servers"]
    address, = server["addresses"]
    return address


def test_requests_and_checks(make_edge, scripted_origin, path):
    """Connections are reused, checks know that it is up and ask for localhost."""
    heads = []

    def keep(conn):
        while head := read_head(conn):
            heads.append(head)
            conn.sendall(OK.replace(b"ok", b"") if head.startswith(b"HEAD") else OK)

    scripted_origin(keep, address=path)
    edge = make_edge({"app": f"servers: 'unix:{path}'"})
    with edge.connect() as s:
        responses = Responses(s)
        for _ in range(3):
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert responses.response()[0] == 200
    counters = edge.settled()
    assert counters["olink_leases_fresh_total"] == 1
    assert counters["olink_leases_reused_total"] == 2
    found = address_of(edge)
    assert found["address"] == f"unix:{path}" and found["state"] == "up"
    assert any(b"\r\nHost: localhost\r\n" in h for h in heads if h.startswith(b"HEAD"))
    assert edge.access_log(1)[0]["server"] == f"unix:{path}"


def test_large_contents(make_edge, scripted_origin, path):
    def echo(conn):
        data = b""
        while b"\r\n\r\n" not in data:
            data += conn.recv(65536)
        body = data.partition(b"\r\n\r\n")[2]
        while len(body) < 5_000_000:
            body += conn.recv(65536)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + body)

    scripted_origin(echo, address=path)
    edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}"})
    sent = os.urandom(5_000_000)
    with edge.connect() as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5000000\r\n\r\n".encode())
        s.sendall(sent)
        status, _, got = Responses(s).response()
    assert status == 200 and got == sent


def missing(path):
    pass


def pipe(path):
    os.mkfifo(path)


def file(path):
    open(path, "wb").close()


def folder(path):
    os.mkdir(path)


def left_over(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


def datagrams(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)


@pytest.mark.parametrize("place, why", [
    (missing, "No such file or directory"), (pipe, "Socket operation on non-socket"),
    (file, "Socket operation on non-socket"), (folder, "Socket operation on non-socket"),
    (left_over, "Connection refused"), (datagrams, "Connection refused")])
def test_what_is_no_listener(make_edge, scripted_origin, path, place, why):
    """Each is told in the log, and a listener that comes in its place is found."""
    place(path)
    edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}"})
    assert status_of(edge) == "502"
    assert why in edge.log()
    if place is folder:
        os.rmdir(path)
    elif place is not missing:
        os.unlink(path)
    scripted_origin(script, address=path)
    perigee.wait_for(lambda: status_of(edge) == "200", "the listener to be found", 10)


def test_full_listener_was_a_failure(make_edge, path):
    """Where too many wait, the kernel says so at once and for ever; the edge asks again."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}, "
                                     f"timeout: {{connect: 20s}}"})
            with edge.connect() as s:
                s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                perigee.wait_for(lambda: "waits for room" in edge.log(), "it to be refused")
                listener.accept()[0].close()
                conn, _ = listener.accept()
                with conn:
                    assert read_head(conn)
                    conn.sendall(OK)
                    assert Responses(s).response()[0] == 200


def test_full_listener_for_too_long(make_edge, path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(path)
            edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}, "
                                     f"timeout: {{connect: 200ms}}"})
            assert status_of(edge) == "504"


def test_proxy_header_and_tls(make_edge, scripted_origin, authority, path):
    """The header says who the client is; the certificate is for localhost."""
    origin = scripted_origin(script, address=path, tls=authority.issue("local", ["localhost"]))
    edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}, "
                             f"tls: {{enabled: true, ca: {authority.certificate}}}"})
    assert status_of(edge) == "200"
    edge.stop()
    origin.tls = None
    heads = []

    def keep(conn):
        heads.append(read_head(conn))
        conn.sendall(OK)

    origin.script = keep
    edge = make_edge({"app": f"servers: 'unix:{path}', health: {{enabled: false}}, "
                             f"proxy_protocol: v1"})
    assert status_of(edge) == "200"
    assert heads[0].startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
