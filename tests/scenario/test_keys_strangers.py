# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes to perigee-keys and is no edge, or one that does not keep to the protocol: each is told
why, costs little, and is in nobody's way."""

import contextlib
import datetime
import os
import socket
import ssl
import subprocess
import time

import pytest

import perigee
import tls_frames
from client_ca import CLIENT, FAR_OFF, LONG_AGO, ClientAuthority
from edge_fleet import is_broken_off
from keys_fleet import OK, PING, SERVER, SIGN_BY_ID, Keys, KeysFleet, key_id, receive, request
from tls_frames import message, u16s, vector

UNKNOWN_CA = 48
STRANGERS_MAX, PER_EDGE_MAX = 256, 1100  # edge/keys/server/conns.c
HANDSHAKE = 5.0


@pytest.fixture
def fleet(tmp_path, authority, origin):
    return KeysFleet(tmp_path, authority, origin.port)


@pytest.fixture
def keys(processes, fleet):
    keys = Keys(fleet)
    processes.append(keys)
    return keys


def dial(keys):
    s = socket.create_connection(("127.0.0.1", keys.port), timeout=perigee.PATIENCE)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def connect(fleet, keys, one=None, context=None):
    return (context or fleet.context(one or fleet.edge)).wrap_socket(
        dial(keys), server_hostname="127.0.0.1")


def alert_for(fleet, keys, one, context=None):
    """What it is told; in TLS 1.3 that comes after the client's own end of the handshake. OpenSSL's
    versions differ in what they put in front of an alert's name."""
    with pytest.raises(ssl.SSLError) as error:
        with connect(fleet, keys, context=context or fleet.context(one)) as s:
            s.sendall(request(PING))
            receive(s)
    if error.value.reason is None:  # not every Python has a word for every alert
        assert "no application protocol" in str(error.value)
        return "NO_APPLICATION_PROTOCOL"
    return error.value.reason.rpartition("ALERT_")[2]


def serves(fleet, keys):
    with connect(fleet, keys) as s:
        s.sendall(request(PING))
        return receive(s) == (OK, b"")


def test_right_alert_for_each(fleet, keys, tmp_path):
    other = ClientAuthority(tmp_path, "others")
    name = 'dns_name = "fra1"'
    cases = [
        (None, "CERTIFICATE_REQUIRED", "ertificate"),
        (other.issue("a", [name]), "UNKNOWN_CA", "not trusted"),
        (fleet.ca.issue("b", [name], days=LONG_AGO), "CERTIFICATE_EXPIRED", "expired"),
        (fleet.ca.issue("c", [name], days=FAR_OFF), "CERTIFICATE_EXPIRED",
         "not yet activated"),
        (fleet.ca.issue("d", [name], usage=SERVER), "UNSUPPORTED_CERTIFICATE",
         "purpose"),
        (fleet.server, "UNSUPPORTED_CERTIFICATE", "purpose"),
        (fleet.ca.issue("e", ['dns_name = "lon1"']), "ACCESS_DENIED", "names no edge"),
        (fleet.ca.issue("f", ['dns_name = "fra1.example.com"']), "ACCESS_DENIED",
         "names no edge"),
    ]
    for n, (one, alert, told) in enumerate(cases):
        assert alert_for(fleet, keys, one) == alert
        # A line a second: the count is of all.
        perigee.wait_for(lambda n=n: keys.status()["connections"]["refused"] == n + 1, "a count")
        if n == 0:
            keys.wait_log(f"is no edge: .*{told}")
    assert serves(fleet, keys)


def test_stranger_is_turned_away_before_his_key_is_used(fleet, keys, tmp_path):
    """It might be made to cost seconds: a proof that is wrong does not matter any more."""
    der = ClientAuthority(tmp_path, "others").issue("a", ['dns_name = "fra1"']).der()
    with dial(keys) as s:
        client = tls_frames.Client(s)
        client.hello(host="keys.test")
        client.agree()
        entry = vector(der, 3) + vector(b"")
        client.send(tls_frames.HANDSHAKE, message(11, vector(b"", 1) + vector(entry, 3))
                    + message(15, u16s([0x0403]) + vector(bytes(64))))
        with pytest.raises(tls_frames.Refused) as refused:
            client.application_data()
        assert refused.value.alert == UNKNOWN_CA
    assert serves(fleet, keys)


def test_name_may_be_the_common_name(fleet, keys):
    with connect(fleet, keys, fleet.ca.issue("g", usage=CLIENT, dn=['cn = "nyc1"'])) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")
        assert keys.edges()["nyc1"]["connections"] == 1


def test_certificate_that_was_taken_back(fleet, keys):
    taken = fleet.issue_edge("nyc1")
    fleet.own = f"crl: {fleet.ca.revoke(taken)}"
    with connect(fleet, keys, taken) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")
        keys.write()
        keys.reload_and_wait()
        # It was let in before, and is out.
        assert is_broken_off(s)
    assert alert_for(fleet, keys, taken) == "CERTIFICATE_REVOKED"
    assert serves(fleet, keys)


def checked(keys):
    return subprocess.run([perigee.KEYS, "--check", "--config", keys.file], capture_output=True,
                          text=True, timeout=perigee.PATIENCE, check=False)


def test_intermediate_that_was_taken_back(fleet, keys, tmp_path):
    between = ClientAuthority(tmp_path, "between", issuer=fleet.ca)
    one = between.issue("h", ['dns_name = "nyc1"'])
    with connect(fleet, keys, one) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")
    fleet.own = f"crl: {fleet.ca.revoke(between)}"
    keys.write()
    keys.reload_and_wait()
    assert alert_for(fleet, keys, one) == "CERTIFICATE_REVOKED"


def test_lists_of_others_are_refused(fleet, keys, tmp_path):
    """They would keep nobody out, and look as if they did."""
    taken = fleet.issue_edge("nyc1")
    other = ClientAuthority(tmp_path, "others")
    # One that is called like ours, too.
    (tmp_path / "away").mkdir()
    twin = ClientAuthority(tmp_path / "away", "fleet")
    for crl in (other.revoke(other), twin.revoke(taken)):
        fleet.own = f"crl: {crl}"
        keys.write()
        check = checked(keys)
        assert check.returncode == 1
        assert "that none of the authorities has signed" in check.stderr


def test_lists_that_may_lack_something_are_warned_of(fleet, keys):
    taken = fleet.issue_edge("nyc1")
    fleet.own = "crl: " + str(fleet.ca.revoke(taken, name="stale", days=(
        'crl_this_update_date = "2020-01-01 00:00:00"\n'
        'crl_next_update_date = "2020-02-01 00:00:00"')))
    keys.write()
    check = checked(keys)
    assert check.returncode == 0 and "has a list that is out of date" in check.stderr
    # It keeps out whom it has.
    keys.reload_and_wait()
    assert alert_for(fleet, keys, taken) == "CERTIFICATE_REVOKED"
    assert serves(fleet, keys)


def test_edge_that_is_no_more_in_the_configuration(fleet, keys):
    one = fleet.issue_edge("nyc1")
    with connect(fleet, keys, one) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")
        keys.file.write_text(keys.file.read_text().replace("  nyc1:", "  lon1:"))
        keys.reload_and_wait()
        assert is_broken_off(s)
    assert alert_for(fleet, keys, one) == "ACCESS_DENIED"


def test_certificate_of_a_thousand_years(fleet, keys):
    one = fleet.issue_edge("nyc1", days=['expiration_date = "2999-01-01 00:00:00"'])
    with connect(fleet, keys, one) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")


def test_certificate_that_expires_while_its_edge_is_connected(fleet, keys):
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=8)
    one = fleet.issue_edge("nyc1", days=[f'expiration_date = "{until:%Y-%m-%d %H:%M:%S} UTC"'])
    with connect(fleet, keys, one) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")

        def is_refused():
            s.sendall(request(PING))
            return receive(s) == b""

        perigee.wait_for(is_refused, "the connection to end")
    assert datetime.datetime.now(datetime.timezone.utc) >= until.replace(microsecond=0)
    assert alert_for(fleet, keys, one) == "CERTIFICATE_EXPIRED"


class Chatterbox:
    """Has always sent many requests ahead, and looks at no answer but its size."""

    AHEAD = 4000
    RESPONSE = 5 + 10 + 1 + 16  # a record (RFC 8446 section 5.2)

    def __init__(self, s):
        self.s = s
        self.raw = socket.socket(fileno=os.dup(s.fileno()))
        self.raw.settimeout(perigee.PATIENCE)
        self.sent = self.received = 0

    def is_cut_off(self):
        try:
            while self.sent - self.received // self.RESPONSE < self.AHEAD:
                self.s.sendall(request(PING) * 100)
                self.sent += 100
            n = len(self.raw.recv(100 * self.RESPONSE))
        except OSError:
            return True
        self.received += n
        return n == 0


def test_edge_that_is_shut_out_while_it_talks_on_and_on(fleet, keys):
    """There is always a request of its that has come already."""
    with connect(fleet, keys, fleet.issue_edge("nyc1")) as s:
        chatterbox = Chatterbox(s)
        with chatterbox.raw:
            for _ in range(10):
                assert not chatterbox.is_cut_off()
            keys.file.write_text(keys.file.read_text().replace("  nyc1:", "  lon1:"))
            keys.reload()
            out = False
            while not out and "configuration reloaded" not in keys.log():
                out = chatterbox.is_cut_off()
            # What it is sent still is under way already.
            last = chatterbox.received + 2 * chatterbox.AHEAD * chatterbox.RESPONSE
            while not out and chatterbox.received < last:
                out = chatterbox.is_cut_off()
            assert out


def test_another_authority_after_a_reload(fleet, keys, tmp_path):
    before = fleet.edge
    assert serves(fleet, keys)
    fleet.ca = ClientAuthority(tmp_path, "newer")
    fleet.server = fleet.ca.issue("newer-server", ['ip_address = "127.0.0.1"'], usage=SERVER)
    fleet.edge = fleet.ca.issue("newer-edge", ['dns_name = "fra1"'])
    keys.write()
    keys.reload_and_wait()
    assert serves(fleet, keys)
    assert alert_for(fleet, keys, before) == "UNKNOWN_CA"


def test_other_protocols(fleet, keys):
    context = fleet.context(fleet.edge)
    context.set_alpn_protocols(["h2"])
    assert alert_for(fleet, keys, None, context) == "NO_APPLICATION_PROTOCOL"
    context = ssl.create_default_context(cafile=str(fleet.ca.pem))
    context.load_cert_chain(fleet.edge.chain, fleet.edge.key)
    assert alert_for(fleet, keys, None, context) == "NO_APPLICATION_PROTOCOL"


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", bytes(4000), b"\x16\x03\x01\xff\xff",
                                  b"\x16\x03\x01\x40\x00" + bytes(16384)])
def test_garbage(fleet, keys, junk):
    with dial(keys) as s:
        with contextlib.suppress(OSError):
            s.sendall(junk)
        assert is_broken_off_at_last(s)
    assert serves(fleet, keys)


def is_broken_off_at_last(s):
    """It may be sent an alert first."""
    try:
        while s.recv(4096):
            pass
    except OSError:
        pass
    return True


def test_silence_and_single_bytes_have_their_time(fleet, keys):
    context = fleet.context(fleet.edge)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1").do_handshake()
    hello = outgoing.read()
    began = time.monotonic()
    with dial(keys) as silent, dial(keys) as slow:
        silent.setblocking(False)
        slow.settimeout(0.05)
        ended = False
        for byte in hello:
            with contextlib.suppress(OSError):
                slow.sendall(bytes([byte]))
            try:
                ended = slow.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            break
        # Each byte was progress, and put nothing off.
        assert ended and time.monotonic() - began >= HANDSHAKE
        perigee.wait_for(lambda: keys.status()["connections"]["strangers"] == 0, "both to end")
    assert serves(fleet, keys)


def test_newcomers_take_the_place_of_silent_ones(fleet, keys):
    with contextlib.ExitStack() as stack:
        edge = stack.enter_context(connect(fleet, keys))
        silent = [stack.enter_context(dial(keys)) for _ in range(STRANGERS_MAX)]
        perigee.wait_for(lambda: keys.status()["connections"]["strangers"] == STRANGERS_MAX or
                         keys.status()["connections"]["accepted"] > STRANGERS_MAX, "all to be there")
        assert serves(fleet, keys)
        assert is_broken_off(silent[0])
        keys.wait_log(f"there are {STRANGERS_MAX} handshakes under way: who came first gives way")
        # Those who have shown who they are stay.
        edge.sendall(request(PING))
        assert receive(edge) == (OK, b"")


@pytest.mark.skipif(perigee.sanitized(), reason="a thousand handshakes take minutes")
def test_edge_has_so_many_connections(fleet, keys):
    if not perigee.allow_open_files(2 * PER_EDGE_MAX):
        pytest.skip("this process may not open as many files")
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(connect(fleet, keys)) for _ in range(PER_EDGE_MAX)]
        perigee.wait_for(lambda: keys.edges()["fra1"]["connections"] == PER_EDGE_MAX, "all of them")
        with connect(fleet, keys) as one_more:
            assert is_broken_off(one_more)
        keys.wait_log(f"edge fra1 has {PER_EDGE_MAX} connections already: another one is closed")
        # Nobody else has less by it, and those that are there go on.
        with connect(fleet, keys, fleet.issue_edge("nyc1")) as other:
            for s in (other, mine[0], mine[-1]):
                s.sendall(request(PING))
                assert receive(s) == (OK, b"")
        keys.reload_and_wait()
    perigee.wait_for(lambda: keys.edges()["fra1"]["connections"] == 0, "the end of all")
    assert serves(fleet, keys)


@pytest.mark.parametrize("sent", [
    b"\xff\xff" + bytes(100), b"\x00\x00", b"\x00\x07" + bytes(7), b"\x00\x08" + bytes(8),
    request(2, b"/etc/shadow"), request(1), request(SIGN_BY_ID, bytes(40)), request(9)])
def test_edge_that_sends_what_is_no_request(fleet, keys, sent):
    with connect(fleet, keys) as s:
        s.sendall(request(PING))
        assert receive(s) == (OK, b"")
        s.sendall(sent)
        assert is_broken_off(s)
    assert serves(fleet, keys)


def test_request_in_single_bytes(fleet, keys):
    """Records of a byte each are one request."""
    with connect(fleet, keys) as s:
        for byte in request(PING):
            s.sendall(bytes([byte]))
        assert receive(s) == (OK, b"")
        # Several at once are several.
        s.sendall(request(PING) * 3)
        data = b""
        while len(data) < 30:
            data += s.recv(100)
        assert data == (b"\x00\x08\x01" + bytes(7)) * 3


def test_request_that_is_cut_off(fleet, keys):
    content = key_id(fleet.pairs[0][0])
    with connect(fleet, keys) as s:
        s.sendall(request(SIGN_BY_ID, content, 0x0403)[:20])
    perigee.wait_for(lambda: keys.edges()["fra1"]["connections"] == 0, "its end")
    assert serves(fleet, keys)


def test_one_edge_leaves_descriptors_for_reloads_and_status(processes, fleet):
    keys = Keys(fleet, inside=("prlimit", "--nofile=150:150"))
    processes.append(keys)
    keys.wait_log("only [0-9]+ are let in; raise LimitNOFILE=")
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            while True:
                s = stack.enter_context(dial(keys))
                s = stack.enter_context(
                    fleet.context(fleet.edge).wrap_socket(s, server_hostname="127.0.0.1"))
                s.sendall(request(PING))
                if not receive(s):
                    break
        keys.wait_log("there are [0-9]+ connections: that of 127.0.0.1.* is closed")
        descriptors = keys.status()["descriptors"]
        assert descriptors["used"] < descriptors["allowed"] == 150
        keys.reload_and_wait()
    perigee.wait_for(lambda: keys.status()["connections"]["edges"] == 0, "their end")
    assert serves(fleet, keys)


def test_handshake_that_a_reload_ends_is_nobody_refused(fleet, keys):
    with dial(keys) as s:
        perigee.wait_for(lambda: keys.status()["connections"]["strangers"] == 1, "it to be there")
        keys.reload_and_wait()
        assert is_broken_off(s)
    keys.stop()
    assert "is no edge" not in keys.log()
