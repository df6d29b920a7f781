# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: origins that are told of the client's TLS by TLVs of a PROXY header, version 2; read
by this file's own parser, and by HAProxy."""

import contextlib
import ipaddress
import os
import shutil
import socket
import ssl
import threading

import pytest

import perigee
from client_ca import ClientAuthority
from edge_fleet import HOST, Responses, read_head

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SSL, CERT_CONN, CERT_SESS = 1, 2, 4


def vectors(data):
    """[(type, value)] of what is filled by them."""
    found = []
    while data:
        n = int.from_bytes(data[1:3], "big")
        assert len(data) >= 3 + n
        found.append((data[0], data[3:3 + n]))
        data = data[3 + n:]
    return found


class Told:
    """A header, read from a connection."""

    def __init__(self, conn):
        fixed = conn.recv(16, socket.MSG_WAITALL)
        assert fixed[:12] == SIGNATURE and fixed[12] in (0x20, 0x21)
        self.local = fixed[12] == 0x20
        rest = conn.recv(n, socket.MSG_WAITALL) if (n := int.from_bytes(fixed[14:], "big")) else b""
        self.alpn = self.authority = self.ssl = self.verify = None
        self.sub = {}
        if self.local:
            assert not rest
            return
        assert fixed[13] == 0x11  # TCP over IPv4
        self.source = str(ipaddress.ip_address(rest[:4]))
        found = vectors(rest[12:])
        assert [t for t, _ in found] == [t for t in (0x01, 0x02, 0x20) if t in dict(found)]
        found = dict(found)
        self.alpn, self.authority = found.get(0x01), found.get(0x02)
        if 0x20 in found:
            value = found[0x20]
            self.ssl, self.verify = value[0], int.from_bytes(value[1:5], "big")
            self.sub = dict(vectors(value[5:]))

    version = property(lambda self: self.sub.get(0x21))
    name = property(lambda self: self.sub.get(0x22))
    cipher = property(lambda self: self.sub.get(0x23))


class Listener:
    """What it is told, of requests one by one."""

    def __init__(self):
        self.told = []
        self.there = threading.Condition()

    def __call__(self, conn):
        told = Told(conn)
        while read_head(conn):
            with self.there:
                self.told.append(told)
                self.there.notify_all()
            conn.sendall(OK)

    def take(self):
        with self.there:
            assert self.there.wait_for(lambda: self.told, perigee.PATIENCE)
            return self.told.pop(0)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def people(tmp_path):
    """(authority, a client of it, one of another)"""
    ca = ClientAuthority(tmp_path)
    alice = ca.issue("alice", dn=['cn = "alice"', 'organization = "Example, Inc."'])
    return ca, alice, ClientAuthority(tmp_path, "others").issue("mallory")


@pytest.fixture
def edge(make_edge, scripted_origin, listener, people):
    origin = scripted_origin(listener).origin("proxy_protocol: v2-tls")
    return make_edge({"app": origin}, plain=True, http="plain: serve", site=[
        f"client_certificates: {{mode: optional, ca_file: {people[0].pem}}}"])


def get(edge, context, session=None, host=HOST, target="/"):
    with context.wrap_socket(edge.connect_tcp(), server_hostname=host, session=session) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert Responses(s).response()[0] == 200
        return s.cipher()[0], s.session_reused, s.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_origin_is_told_of_certificates(edge, listener, people, version):
    _, alice, mallory = people
    text = {ssl.TLSVersion.TLSv1_2: b"TLSv1.2", ssl.TLSVersion.TLSv1_3: b"TLSv1.3"}[version]
    given = SSL | CERT_CONN | CERT_SESS
    for one, bits, verify, name in ((None, SSL, 1, None), (alice, given, 0, b"alice"),
                                    (mallory, given, 1, None)):
        context = edge.client_context()
        context.minimum_version = context.maximum_version = version
        if one:
            context.load_cert_chain(one.chain, one.key)
        cipher, resumed, session = get(edge, context)
        told = listener.take()
        assert not resumed and told.source == "127.0.0.1"
        assert (told.alpn, told.authority, told.version) == (b"http/1.1", HOST.encode(), text)
        assert (told.ssl, told.verify, told.name) == (bits, verify, name)
        assert told.cipher.startswith(b"TLS_")
        if version == ssl.TLSVersion.TLSv1_3:
            assert told.cipher == cipher.encode()
        else:
            assert b"_WITH_" in told.cipher
        # The certificate is the session's then.
        assert get(edge, context, session)[1]
        again = listener.take()
        assert again.ssl == bits & ~CERT_CONN
        assert (again.verify, again.name, again.version) == (verify, name, text)


def test_origin_is_told_of_http2(edge, listener):
    assert edge.curl("-f", edge.url("/"), http2=True).stdout == "ok"
    told = listener.take()
    assert (told.alpn, told.authority, told.version) == (b"h2", HOST.encode(), b"TLSv1.3")


def test_client_without_tls_has_no_vectors(edge, listener):
    edge.curl("-f", "-H", f"Host: {HOST}", f"http://127.0.0.1:{edge.plain_port}/")
    told = listener.take()
    assert not told.local and told.source == "127.0.0.1"
    assert told.alpn is None and told.authority is None and told.ssl is None


def test_connection_is_not_shared_between_clients(edge, listener, people):
    """One whose certificate is valid leaves nothing behind for the next."""
    context = edge.client_context()
    context.load_cert_chain(people[1].chain, people[1].key)
    for _ in range(2):
        get(edge, context)
        assert listener.take().name == b"alice"
        get(edge, edge.client_context())
        assert listener.take().name is None
    assert edge.settled()["olink_leases_reused_total"] == 0


def answer(conn):
    while read_head(conn):
        conn.sendall(OK)


def test_copy_of_a_request_tells_of_the_client_that_is_gone(make_edge, scripted_origin, listener):
    """The copy waits for a connection while its exchange ends, and others use the same memory."""
    go_on = threading.Event()

    def slow(conn):
        with contextlib.closing(conn):
            told = Told(conn)
            read_head(conn)
            with listener.there:
                listener.told.append(told)
                listener.there.notify_all()
            assert go_on.wait(perigee.PATIENCE)
            conn.sendall(OK)

    copy = scripted_origin(slow).origin("proxy_protocol: v2-tls, limit: {connections: 1}")
    edge = make_edge({"app": scripted_origin(answer).origin(), "copy": copy},
                     {"/": ("app", "mirror: {origin: copy}"), "/other": "app"})
    context = edge.client_context()
    get(edge, context, host="first.example.com")
    assert listener.take().authority == b"first.example.com"
    get(edge, context, host="second.example.com")
    for i in range(8):
        get(edge, context, host=f"other{i}.example.com", target="/other/" + "x" * 2000)
    go_on.set()
    told = listener.take()
    assert (told.alpn, told.authority) == (b"http/1.1", b"second.example.com")
    assert told.version == b"TLSv1.3"


def test_forwarded_authentication_tells_of_the_client(make_edge, scripted_origin, listener):
    edge = make_edge({"app": scripted_origin(answer).origin(),
                      "auth": scripted_origin(listener).origin("proxy_protocol: v2-tls")},
                     {"/": ("app", "auth: {forward: {origin: auth}}")})
    get(edge, edge.client_context())
    assert listener.take().authority == HOST.encode()


def test_checks_are_nobodys(make_edge, scripted_origin, listener):
    port = scripted_origin(listener).port
    edge = make_edge({"app": f'servers: ["127.0.0.1:{port}"], proxy_protocol: v2-tls, '
                      "health: {check: {path: /health, interval: 2s, rise: 1}}"})
    assert listener.take().local
    assert edge.running()


@pytest.fixture
def haproxy(processes, hold_port, tmp_path):
    """Its port: it answers with what it makes of the header."""
    port = hold_port()
    config = tmp_path / "haproxy.cfg"
    config.write_text(f"""
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 30s
frontend test
    bind {port.address} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[fc_pp_authority]"
""")
    process = perigee.Process([HAPROXY, "-db", "-f", config], tmp_path / "haproxy.log")
    processes.append(process)

    def listening():
        assert process.running(), process.log()
        return port.is_listened_on()

    perigee.wait_for(listening, "HAProxy to listen")
    return port.number


@pytest.mark.skipif(HAPROXY is None, reason="there is no HAProxy")
@pytest.mark.parametrize("version, named", [("v2", ""), ("v2-tls", HOST)])
def test_haproxy_understands_the_header(haproxy, make_edge, people, version, named):
    edge = make_edge({"app": f'servers: ["127.0.0.1:{haproxy}"], health: {{enabled: false}}, '
                      f"proxy_protocol: {version}"}, site=[
        f"client_certificates: {{mode: required, ca_file: {people[0].pem}}}"])
    got = edge.curl("-f", "--interface", "127.0.0.8", *people[1].curl(), edge.url("/")).stdout
    assert got == f"127.0.0.8 {named}"
