# SPDX-License-Identifier: GPL-3.0-or-later
"""What nobody sends but who means harm: messages that have no place after the handshake, floods of
what is allowed once, records that say nothing, hellos that are lists without end. Each gets the right
alert, or is passed over at a cost that is bounded, and nobody else notices."""

import contextlib
import os

import pytest

import perigee
import tls_frames
from edge_fleet import HOST, Edge, Responses, bystander
from tls_frames import (
    ALERT, APPLICATION_DATA, BAD_RECORD_MAC, CHANGE_CIPHER_SPEC, DECODE_ERROR, HANDSHAKE,
    SERVER_NAME,
    UNEXPECTED_MESSAGE, USER_CANCELED, Client, Refused, Traffic, expand_label, message, record, vector)

KEY_UPDATE, PRE_SHARED_KEY, PSK_MODES, NO_RENEGOTIATION = 24, 41, 45, 100
GET = f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@pytest.fixture
def make(processes, tmp_path, authority, both_certificates, origin):
    def make(http="", route="app"):
        edge = Edge(tmp_path, authority, {"www": ([HOST], both_certificates, {"/": route})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http)
        processes.append(edge)
        return edge

    return make


@pytest.fixture
def edge(make):
    return make()


def serves(client):
    client.send(APPLICATION_DATA, GET)
    kind, data = client.application_data()
    return kind == APPLICATION_DATA and data.startswith(b"HTTP/1.1 200 OK\r\n")


def refusal(client):
    """(alert, level) of what ends the connection."""
    with pytest.raises(Refused) as refused:
        while True:
            client.application_data()
    return refused.value.alert, refused.value.level


# After the handshake

@pytest.mark.parametrize("kind", [0, 1, 2, 4, 5, 8, 11, 13, 15, 20, 254, 99])
@pytest.mark.parametrize("route", ["app", ("app", "early_data: true")], ids=["", "early data"])
def test_message_after_the_handshake(make, route, kind):
    """A ClientHello ended the process: GnuTLS calls for it, before it finds that it has no place
    there, and what the handshake needed was gone."""
    edge = make(route=route)
    bodies = {1: tls_frames.client_hello()[4:], 4: bytes(9) + vector(b"x" * 32) + vector(b"")}
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        assert serves(client)
        client.send(HANDSHAKE, message(kind, bodies.get(kind, b"x" * 32)))
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


def send_part(client, kind, n=4 << 20, between=b""):
    """Of a message of 16 MiB, with some data between the records of it."""
    data = bytes([kind]) + b"\xff" * 3 + bytes(n)
    with contextlib.suppress(ConnectionError):
        for at in range(0, len(data), 16000):
            client.send(HANDSHAKE, data[at:at + 16000])
            if between:
                client.send(APPLICATION_DATA, between)


def test_memory_was_kept_for_a_message_that_comes_in_part(edge):
    """Of as much as 16 MiB, of each connection, for as long as it may be idle."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        assert serves(client)
        send_part(client, KEY_UPDATE)
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


def test_memory_was_kept_for_a_message_between_data(edge):
    """RFC 8446 section 5.1: nothing may come in the middle of it."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        client.send(APPLICATION_DATA, f"POST / HTTP/1.1\r\nHost: {HOST}\r\n"
                    "Content-Length: 1000\r\n\r\n".encode())
        send_part(client, KEY_UPDATE, between=b"x")
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


@pytest.mark.parametrize("version, kind", [("1.3", 20), ("1.2", 16)])
def test_memory_was_kept_for_a_message_of_the_handshake(edge, version, kind):
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        if version == "1.3":
            client.hello()
            client.agree()
        else:
            client.hello12()
            client.server_hello()
            while client.message()[0] != 14:
                pass
        send_part(client, kind)
        assert refusal(client) == (DECODE_ERROR, 2)
    assert edge.counters()["edge_handshake_failures_oversized_total"] == 1


@pytest.mark.parametrize("kind", [0, 1, 11, 20])
def test_message_after_the_handshake_of_tls_1_2(edge, kind):
    """A ClientHello is a renegotiation: what the client wants is refused politely, then it ends."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect("1.2")
        assert serves(client)
        client.send(HANDSHAKE, message(kind, tls_frames.client_hello()[4:] if kind == 1 else b""))
        assert refusal(client) == ((NO_RENEGOTIATION, 1) if kind == 1 else (UNEXPECTED_MESSAGE, 2))
    assert edge.counters()["edge_handshakes_total"] == 2


def test_change_cipher_spec_after_the_handshake(edge):
    """RFC 8446 section 5: passed over in the handshake only."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        assert serves(client)
        s.sendall(record(CHANGE_CIPHER_SPEC, b"\1"))
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_alert_was_lost_after_the_handshake_when_more_had_come(edge, version, protocol):
    """The connection was reset at once, and that may overtake the alert, or take it away."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect(version, alpn=[protocol])
        s.sendall(record(APPLICATION_DATA, os.urandom(10000)) * 50)
        assert refusal(client) == (BAD_RECORD_MAC, 2)
        assert s.recv(1) == b""


def key_update(client, requested):
    """The client's next record is by other keys."""
    client.send(HANDSHAKE, message(KEY_UPDATE, bytes([requested])))
    client.writer = Traffic(expand_label(client.writer.secret, b"traffic upd", b"", 32))


def test_key_update(edge):
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        key_update(client, 0)
        assert serves(client)


@pytest.mark.parametrize("requested", [0, 1])
def test_flood_of_key_updates(edge, requested):
    """Each costs a derivation of keys, and those that ask for one in return cost a record: no more
    than a few are taken, however many come."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect()
        assert serves(client)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                key_update(client, requested)
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


# What says nothing

def say_nothing(client, version, how):
    if how == "empty":
        client.send(APPLICATION_DATA, b"")
    else:
        client.send(ALERT, bytes([1, USER_CANCELED if version == "1.3" else NO_RENEGOTIATION]))


@pytest.mark.parametrize("version, how", [("1.2", "empty"), ("1.3", "empty"), ("1.2", "warning")])
def test_records_that_say_nothing_keep_no_connection(make, version, how):
    """However many come, the client is idle. In TLS 1.3 there are no warnings."""
    edge = make("timeout: {keep_alive: 1s}")
    with edge.connect_tcp() as s:
        client = Client(s).connect(version)
        assert serves(client)
        s.settimeout(0.02)
        for _ in range(int(perigee.PATIENCE / 0.02)):
            try:
                client.buffered += (data := s.recv(4096))
                if not data:
                    break
            except TimeoutError:
                with contextlib.suppress(ConnectionError):
                    say_nothing(client, version, how)
            except ConnectionError:
                break
        else:
            pytest.fail("the edge never ends it")
    edge.wait_counter("edge_connection_end_client_idle_timeout_total", 1)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("how", ["empty", "warning"])
def test_flood_of_records_that_say_nothing(edge, version, how):
    """They are passed over, or end the connection, and a client beside it is served meanwhile."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s).connect(version)
        with contextlib.suppress(ConnectionError):
            for _ in range(5000):
                say_nothing(client, version, how)
        with edge.connect() as other:
            other.sendall(GET)
            assert Responses(other).response()[0] == 200


# In the handshake

def test_several_change_cipher_spec(edge):
    """RFC 8446 section 5: each is dropped."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        s.sendall(record(CHANGE_CIPHER_SPEC, b"\1") * 10)
        client.finish()
        assert serves(client)


def test_flood_of_change_cipher_spec(edge):
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        s.sendall(record(CHANGE_CIPHER_SPEC, b"\1") * 1000)
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)
    assert edge.counters()["edge_handshake_failures_unexpected_total"] == 1


@pytest.mark.parametrize("n, refused", [(4, False), (5, True), (1000, True)])
def test_flood_of_warnings_was_called_an_internal_error(edge, n, refused):
    """In TLS 1.2, where they end nothing."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello12()
        s.sendall(record(ALERT, bytes([1, USER_CANCELED])) * n)
        if refused:
            client.server_hello()
            while client.message()[0] != 14:
                pass
            assert refusal(client) == (UNEXPECTED_MESSAGE, 2)
        else:
            client.agree12()
            client.finish12()
            assert serves(client)
    assert edge.counters()["edge_handshake_failures_unexpected_total"] == refused


def test_change_cipher_spec_with_something_in_it(edge):
    """RFC 8446 section 5: "any other value" is an unexpected message. GnuTLS 3.8 passes over it like
    over one that is in order; then what comes after it is refused."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        s.sendall(record(CHANGE_CIPHER_SPEC, b"\1\1") + record(APPLICATION_DATA, bytes(32)))
        assert refusal(client) in ((UNEXPECTED_MESSAGE, 2), (BAD_RECORD_MAC, 2))


@pytest.mark.parametrize("kind", [HANDSHAKE, ALERT])
def test_record_with_nothing_in_it(edge, kind):
    """RFC 8446 section 5.1: only application data may be empty."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        client.send(kind, b"")
        assert refusal(client) == (UNEXPECTED_MESSAGE, 2)


def test_finished_in_pieces_of_one_byte(edge):
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        send = client.send
        client.send = lambda kind, data: [send(kind, bytes([byte])) for byte in data]
        client.finish()
        client.send = send
        assert serves(client)


# Hellos

def names(n, name=HOST.encode()):
    return SERVER_NAME, vector(b"".join(b"\0" + vector(name) for _ in range(n)))


def identities(n):
    """With a binder for each."""
    listed = b"".join(vector(os.urandom(80)) + bytes(4) for _ in range(n))
    return PRE_SHARED_KEY, vector(listed) + vector(b"".join(vector(bytes(32), 1) for _ in range(n)))


LISTS = {
    "names": {"host": None, "more": [names(1000)]},
    "long name": {"host": None, "more": [names(1, b"a" * 60000)]},
    "identities": {"more": [(PSK_MODES, b"\1\1"), identities(500)]},
    "protocols": {"alpn": ["x"] * 20000 + ["http/1.1"]},
    "suites": {"suites": [0x5a5a] * 30000 + [0x1301]},
    "groups": {"groups": [0x5a5a] * 30000 + [29]},
    "signatures": {"signatures": [0x5a5a] * 30000 + [0x0403]},
    "versions": {"versions": [0x5a5a] * 126 + [0x0304]},
    "extensions": {"more": [(40000 + i, b"") for i in range(10000)]},
    "extension": {"more": [(40000, bytes(60000))]},
}


@pytest.mark.parametrize("what", LISTS)
def test_hello_of_long_lists(edge, what):
    """Those in which what counts can be found are as good as others."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        hello = tls_frames.client_hello(random=client.random, shares=[client.share()], **LISTS[what])
        client.transcript += hello
        s.sendall(b"".join(record(HANDSHAKE, hello[i:i + 16384])
                           for i in range(0, len(hello), 16384)))
        client.agree()
        client.finish()
        assert serves(client)
