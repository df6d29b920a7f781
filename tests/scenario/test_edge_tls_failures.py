# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes that fail: what the client is told by which alert, and which counter moves; the client
beside it notices nothing. With frames of our own where no tool can be made to send them."""

import contextlib
import os
import ssl
import struct

import pytest

import perigee
import tls_frames
from edge_fleet import HOST, Edge, bystander, reset
from tls_frames import (
    ALERT, ALPN, APPLICATION_DATA, BAD_CERTIFICATE, BAD_RECORD_MAC, CHANGE_CIPHER_SPEC, DECODE_ERROR,
    DECRYPT_ERROR, ECDHE_ECDSA, HANDSHAKE, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER,
    INAPPROPRIATE_FALLBACK, NO_APPLICATION_PROTOCOL, P256, PROTOCOL_VERSION, RECORD_OVERFLOW,
    UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION, USER_CANCELED, Client, Refused, message, record, vector)

FAILURES = "edge_handshake_failures_"


def kinds(counters):
    """The kinds of failure that were counted."""
    found = {name[len(FAILURES):-len("_total")]: n for name, n in counters.items()
             if name.startswith(FAILURES) and n > 0 and name != f"{FAILURES}total"}
    assert sum(found.values()) == counters[f"{FAILURES}total"]
    return found


@pytest.fixture
def make(processes, tmp_path, authority, both_certificates, origin):
    def make(http="", profile="intermediate"):
        edge = Edge(tmp_path, authority, {"www": ([HOST], both_certificates, {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, http,
                    top=[f"tls: {{profile: '{profile}'}}"])
        processes.append(edge)
        return edge

    return make


@pytest.fixture
def edge(make):
    return make()


@contextlib.contextmanager
def failure(edge, kind, alert=None, level=2):
    """The body, which has a client, is refused with this alert, and one failure of the kind is
    counted."""
    with bystander(edge), edge.connect_tcp() as s:
        if alert is None:
            yield Client(s)
        else:
            with pytest.raises(Refused) as refused:
                yield Client(s)
            assert (refused.value.alert, refused.value.level) == (alert, level)
        perigee.wait_for(lambda: kinds(edge.counters()) == {kind: 1}, f"one {kind}")
        edge.wait_counter("edge_handshakes_active", 0)


# What is no ClientHello

@pytest.mark.parametrize("garbage", [b"\0" * 100, bytes(range(128, 228)), b"get / http/1.1\r\n\r\n",
                                     record(APPLICATION_DATA, b"x" * 50), record(ALERT, b"\2\50")],
                         ids=["zeros", "high", "letters", "data", "alert"])
def test_garbage(edge, garbage):
    with failure(edge, "no_tls", UNEXPECTED_MESSAGE) as client:
        client.s.sendall(garbage)
        client.record()


def test_http(edge):
    with failure(edge, "http") as client:
        client.s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.receive(12) == b"HTTP/1.1 400"


def test_sslv2_hello(edge):
    """RFC 8446 section 4.1.2: a record of SSL 2.0, whatever version it offers."""
    hello = struct.pack(">BHHHH", 1, 0x0303, 3, 0, 16) + b"\1\0\x80" + b"r" * 16
    with failure(edge, "version", PROTOCOL_VERSION) as client:
        client.s.sendall(struct.pack(">H", 0x8000 | len(hello)) + hello)
        client.record()


def test_another_message_first(edge):
    with failure(edge, "no_tls", UNEXPECTED_MESSAGE) as client:
        client.s.sendall(record(HANDSHAKE, message(2, b"x" * 40)))
        client.record()


def test_oversized_record(edge):
    with failure(edge, "oversized", RECORD_OVERFLOW) as client:
        client.s.sendall(struct.pack(">BHH", HANDSHAKE, 0x0301, 16385) + b"\1")
        client.record()


def test_oversized_hello(edge):
    with failure(edge, "oversized", DECODE_ERROR) as client:
        client.s.sendall(record(HANDSHAKE, b"\1" + (65537).to_bytes(3, "big")))
        client.record()


def test_hello_that_breaks_its_framing(edge):
    hello = tls_frames.client_hello()
    with failure(edge, "malformed", DECODE_ERROR) as client:
        client.s.sendall(record(HANDSHAKE, hello[:1] + vector(hello[4:-1], 3)))
        client.record()


def test_hello_in_fragments_of_one_byte(edge):
    hello = tls_frames.client_hello
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.transcript = hello(shares=[client.share()])
        s.sendall(b"".join(record(HANDSHAKE, bytes([b])) for b in client.transcript))
        client.agree()
        client.finish()
    edge.wait_counter("edge_handshakes_total", 2)
    assert kinds(edge.counters()) == {}


# What cannot be agreed on

@pytest.mark.parametrize("hello", [
    {"version": 0x0300, "versions": (), "extensions": b""},
    {"version": 0x0301, "versions": ()},
    {"version": 0x0302, "versions": ()},
    {"versions": (0x0302, 0x0301)},
    {"versions": (0x7a7a, 0x7f1c)},
])
def test_no_common_version(edge, hello):
    with failure(edge, "version", PROTOCOL_VERSION) as client:
        client.hello(**hello)
        client.record()


def test_no_common_version_with_profile_modern(make):
    """GnuTLS itself says handshake_failure."""
    with failure(make(profile="modern"), "version", PROTOCOL_VERSION) as client:
        client.hello12()
        client.record()


def test_fallback_that_was_not_called_for(edge):
    """RFC 7507: the client has tried a later version before, as it thinks in vain."""
    with failure(edge, "version", INAPPROPRIATE_FALLBACK) as client:
        client.hello12(suites=(ECDHE_ECDSA, 0x5600))
        client.record()


@pytest.mark.parametrize("hello", [
    {"suites": (0x1304, 0x1305)},
    {"suites": (0x009c, 0xc013), "versions": (), "shares": ()},
    {"signatures": (0x0203, 0x0201)},
])
def test_no_common_suite(edge, hello):
    with failure(edge, "suite", HANDSHAKE_FAILURE) as client:
        client.hello(**hello)
        client.record()


@pytest.mark.parametrize("hello", [
    {"groups": (30, 25), "shares": ()},
    {"groups": (25,), "versions": (), "suites": (ECDHE_ECDSA,)},
    {"groups": (0x11ec,), "shares": ()},
])
def test_no_common_group(edge, hello):
    with failure(edge, "group", HANDSHAKE_FAILURE) as client:
        client.hello(**hello)
        client.record()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_common_protocol(edge, version):
    with failure(edge, "protocol", NO_APPLICATION_PROTOCOL) as client:
        (client.hello if version == "1.3" else client.hello12)(alpn=("smtp", "h3"))
        client.record()


# What must not be

def test_compression_with_tls_1_3(edge):
    """GnuTLS itself lets it pass."""
    with failure(edge, "malformed", ILLEGAL_PARAMETER) as client:
        client.hello(methods=b"\1\0")
        client.record()


def test_extension_that_is_there_twice(edge):
    with failure(edge, "malformed", UNSUPPORTED_EXTENSION) as client:
        client.hello(more=[(ALPN, vector(vector(b"h2", 1)))] * 2)
        client.record()


def test_wrong_finished(edge):
    with failure(edge, "finished", DECRYPT_ERROR) as client:
        client.hello()
        client.agree()
        client.finish(spoil=True)
        client.application_data()


def test_wrong_finished_of_tls_1_2(edge):
    with failure(edge, "finished", DECRYPT_ERROR) as client:
        client.hello12()
        client.agree12()
        client.finish12(spoil=True)
        client.record()


def test_record_that_cannot_be_decrypted(edge):
    with failure(edge, "record", BAD_RECORD_MAC) as client:
        client.hello()
        client.agree()
        client.s.sendall(record(APPLICATION_DATA, os.urandom(60)))
        client.record()


def test_record_of_tls_1_2_that_cannot_be_decrypted(edge):
    with failure(edge, "record", BAD_RECORD_MAC) as client:
        client.hello12()
        client.agree12()
        client.finish12(break_record=True)
        client.record()


def test_message_that_does_not_come_now(edge):
    with failure(edge, "unexpected", UNEXPECTED_MESSAGE) as client:
        client.hello()
        client.agree()
        client.send(HANDSHAKE, message(24, b"\0"))
        client.record()


def test_application_data_before_finished(edge):
    with failure(edge, "unexpected", UNEXPECTED_MESSAGE) as client:
        client.hello()
        client.agree()
        client.send(APPLICATION_DATA, b"GET / HTTP/1.1\r\n\r\n")
        client.record()


def test_second_hello_of_tls_1_2(edge):
    with failure(edge, "unexpected", UNEXPECTED_MESSAGE) as client:
        client.hello12()
        client.server_hello()
        client.hello12()
        while True:
            client.message()


# The end of it

def half_way(client, version):
    """The server has said all that it has to say before the client has finished."""
    if version == "1.3":
        client.hello()
        client.agree()
    else:
        client.hello12()
        client.agree12()


versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


@versions
def test_client_refuses_the_certificate(edge, version):
    with failure(edge, "alert") as client:
        half_way(client, version)
        client.alert(BAD_CERTIFICATE)
        with pytest.raises(EOFError):
            client.receive(1)


def test_client_closes_in_its_hello(edge):
    with failure(edge, "closed") as client:
        client.s.sendall(record(HANDSHAKE, tls_frames.client_hello())[:50])
        client.s.close()


@versions
def test_client_closes(edge, version):
    with failure(edge, "closed") as client:
        half_way(client, version)
        client.s.close()


@pytest.mark.parametrize("at", ["hello", "after ServerHello"])
def test_alert_was_lost_when_more_had_come(edge, at):
    """What is left unread makes the kernel reset the connection, and the alert goes with it."""
    alert, kind = ((HANDSHAKE_FAILURE, "group") if at == "hello" else (BAD_RECORD_MAC, "record"))
    with failure(edge, kind) as client:
        if at == "hello":
            client.hello(groups=(30,), shares=())
        else:
            client.hello()
            client.agree()
        client.s.sendall(record(APPLICATION_DATA, os.urandom(10000)) * 50)
        with pytest.raises(Refused) as refused:
            client.record()
        assert refused.value.alert == alert
        # In order, and no reset: there are systems that drop what has come before one.
        assert client.s.recv(1) == b""


@versions
def test_client_resets(edge, version):
    with failure(edge, "reset") as client:
        half_way(client, version)
        reset(client.s)


def canceled(client):
    """RFC 8446 section 6.1: user_canceled, then close_notify."""
    with pytest.raises(Refused) as refused:
        client.application_data()
    assert (refused.value.alert, refused.value.level) == (USER_CANCELED, 1)
    assert client.record() == (ALERT, b"\1\0")
    with pytest.raises(EOFError):
        client.receive(1)


def test_client_drips(make):
    """It sends a byte now and then, and is told that it was too slow."""
    edge = make("timeout: {handshake: 300ms}")
    with failure(edge, "timeout") as client:
        hello = record(HANDSHAKE, tls_frames.client_hello(shares=[client.share()]))
        client.s.settimeout(0.02)
        for at in range(len(hello)):
            client.s.sendall(hello[at:at + 1])
            with contextlib.suppress(TimeoutError):
                client.buffered += client.s.recv(1)
                break
        client.s.settimeout(perigee.PATIENCE)
        canceled(client)


@versions
def test_client_falls_silent_in_the_middle(make, version):
    edge = make("timeout: {handshake: 300ms}")
    with failure(edge, "timeout") as client:
        half_way(client, version)
        canceled(client)


# What is right

def test_hello_retry_request(edge):
    """The client has a share of a group that is not allowed, and is asked for another."""
    with bystander(edge), edge.connect_tcp() as s:
        client = Client(s)
        client.hello(groups=(25, P256), shares=[tls_frames.share_of(25, b"\4" + b"x" * 132)])
        assert client.retried() == P256
        s.sendall(record(CHANGE_CIPHER_SPEC, b"\1"))
        client.hello(groups=(25, P256), shares=[client.share(P256)])
        assert client.agree() == P256
        client.finish()
        client.send(APPLICATION_DATA, f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert client.application_data()[1].startswith(b"HTTP/1.1 200 OK\r\n")


def test_hello_retry_request_that_is_not_heeded(edge):
    """RFC 8446 section 4.1.2: the second hello has the share that was asked for."""
    with failure(edge, "group", HANDSHAKE_FAILURE) as client:
        bad = [tls_frames.share_of(25, b"\4" + b"x" * 132)]
        client.hello(groups=(25, P256), shares=bad)
        client.retried()
        client.hello(groups=(25, P256), shares=bad)
        client.record()


def test_close_notify_of_the_edge(edge):
    with edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        client.finish()
        client.send(APPLICATION_DATA, f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n"
                    "Connection: close\r\n\r\n".encode())
        while (got := client.application_data())[0] == APPLICATION_DATA:
            pass
        assert got == (ALERT, b"\1\0")


def test_close_notify_of_the_client(edge):
    """Answered by one of the edge's own."""
    with edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        client.finish()
        client.alert(0, level=1)
        assert client.application_data() == (ALERT, b"\1\0")
    edge.wait_counter("edge_connection_end_client_closed_total", 1)


def test_truncated_request_is_told_apart(scripted, authority):
    """An end without close_notify is not taken for the end of what the client had to say."""
    received = []

    def script(connection):
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                received.append(data)

    edge = scripted(script)
    with edge.connect_tcp() as s:
        client = Client(s)
        client.hello()
        client.agree()
        client.finish()
        client.send(APPLICATION_DATA, f"POST / HTTP/1.1\r\nHost: {HOST}\r\n"
                    "Content-Length: 10\r\n\r\nhalf".encode())
        perigee.wait_for(lambda: received, "the beginning to arrive")
    assert edge.access_log(1)[0]["end"] in ("client-closed", "client-reset")


def test_what_is_offered_is_counted(edge):
    """Also what only the client has."""
    assert ssl.HAS_TLSv1_3
    with bystander(edge), edge.connect_tcp() as s:
        # The bystander's own OpenSSL may offer it.
        offered = edge.counters()["edge_hellos_x25519mlkem768_total"]
        client = Client(s)
        client.hello(groups=(0x11ec, 29), versions=(0x0304, 0x0303))
        client.agree()
        client.finish()
    with edge.connect_tcp() as s:
        client = Client(s)
        client.hello12()
        client.agree12()
        client.finish12()
        edge.wait_counter("edge_handshakes_total", 3)
    with edge.connect_tcp() as s, pytest.raises(Refused):
        client = Client(s)
        client.hello(version=0x0302, versions=())
        client.record()
    edge.wait_counter("edge_handshake_failures_version_total", 1)
    c = edge.counters()
    assert c["edge_hellos_total"] == 4
    assert c["edge_hellos_tls13_total"] == 2 and c["edge_hellos_old_total"] == 1
    assert c["edge_hellos_x25519mlkem768_total"] == offered + 1
    assert c["edge_handshakes_x25519mlkem768_total"] == 0
    assert c["edge_handshakes_x25519_total"] == 3 and c["edge_handshakes_tls12_total"] == 1
