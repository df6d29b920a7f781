# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: clients that say who they are by a certificate (mutual TLS), with curl, OpenSSL,
GnuTLS and python3-h2: who is let in, with which alert others are turned away, and what is told."""

import base64
import contextlib
import datetime
import hashlib
import os
import re
import socket
import ssl
import subprocess
import threading
import types
import zlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

import client_ca
import h2_client
import perigee
import tls_frames
from client_ca import ClientAuthority
from edge_fleet import HOST, Edge, Responses, read_head
from tls_frames import message, u16s, vector

NEEDED, WISHED, OPEN, OTHER = "needed.test", "wished.test", "open.test", "other.test"
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
FIELDS = "certificate, chain, subject, issuer, serial, sans, fingerprint, verdict"


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return ClientAuthority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory):
    return ClientAuthority(tmp_path_factory.mktemp("others"), "others")


@pytest.fixture(scope="module")
def alice(ca):
    return ca.issue("alice", ['uri = "spiffe://example.test/alice"', 'dns_name = "alice.test"',
                              'email = "alice@example.test"'],
                    dn=['cn = "alice"', 'organization = "Example, Inc."'])


@pytest.fixture(scope="module")
def mallory(other_ca):
    return other_ca.issue("mallory")


def section(mode, ca, crl=None, fields=FIELDS):
    crl = f", crl_file: {crl}" if crl else ""
    return f"client_certificates: {{mode: {mode}, ca_file: {ca.pem}{crl}, fields: [{fields}]}}"


def echo(conn):
    while said := read_head(conn):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))


@pytest.fixture
def make(tmp_path, authority, processes, scripted_origin, ca, other_ca):
    """make(crl): an edge with a site that needs certificates of `ca`, one that wishes for them, one
    without, and one that needs those of `other_ca`."""
    certificate = authority.issue("names", [NEEDED, WISHED, OPEN, OTHER, f"*.{NEEDED}"])

    def sites(crl=None, ca=ca, needed="required"):
        return {
            "needed": ([NEEDED, f"*.{NEEDED}"], [certificate], {"/": ("app", "early_data: true")},
                       *([section(needed, ca, crl)] if needed != "off" else [])),
            "wished": ([WISHED], [certificate], {"/": "app"}, section("optional", ca, crl)),
            "open": ([OPEN, f"open.{NEEDED}"], [certificate],
                     {"/": ("app", "early_data: true")}),
            "other": ([OTHER], [certificate], {"/": "app"}, section("required", other_ca)),
        }

    def start(crl=None, http="", answer=echo, **more):
        origins = {"app": scripted_origin(answer).origin()}
        edge = Edge(tmp_path, authority, sites(crl), origins, http, **more)
        edge.sites = sites
        edge.rewrite = lambda **changes: edge.write(sites(**changes), origins, http)
        processes.append(edge)
        return edge

    return start


def context_of(edge, one=None, version=None):
    context = edge.client_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys are for the edge to refuse
    if one:
        context.load_cert_chain(one.chain, one.key)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def get(s, host, fields=b"", target=b"/"):
    s.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, host.encode(), fields))
    status, _, body = Responses(s).response()
    told = [line.partition(": ") for line in body.decode().split("\r\n")]
    return status, {name.lower(): value for name, _, value in told if name}


def ask(edge, sni, host=None, one=None, version=None, fields=b""):
    """Status, and the fields that the origin was sent."""
    context = context_of(edge, one, version)
    context.check_hostname = False
    with context.wrap_socket(edge.connect_tcp(), server_hostname=sni) as s:
        return get(s, host or sni, fields)


def alert(edge, sni, one=None, version=TLS13):
    """The alert that a client gets, by OpenSSL's name."""
    with pytest.raises(ssl.SSLError) as e:
        ask(edge, sni, one=one, version=version)
    return re.search(r"alert (.*?) \(", e.value.strerror or str(e.value))[1]


def reload(edge, **changes):
    before = edge.counters()["edge_reloads_total"]
    edge.rewrite(**changes)
    edge.reload()
    edge.wait_counter("edge_reloads_total", before + 1)


# Who is let in

@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_valid_certificate_lets_in_and_is_told(make, ca, alice, version):
    edge = make()
    status, told = ask(edge, NEEDED, one=alice, version=version)
    assert status == 200
    assert told["client-cert"] == f":{base64.b64encode(alice.der()).decode()}:"
    assert "client-cert-chain" not in told
    assert told["client-cert-subject"] == "CN=alice,O=Example\\, Inc."
    assert told["client-cert-issuer"] == "CN=clients authority"
    assert told["client-cert-serial"] == "1001"
    assert told["client-cert-sans"] == ("DNS:alice.test, URI:spiffe://example.test/alice, "
                                        "email:alice@example.test")
    assert told["client-cert-fingerprint"] == hashlib.sha256(alice.der()).hexdigest()
    assert told["client-cert-verdict"] == "ok"
    assert edge.settled()["edge_client_cert_ok_total"] == 1
    line = edge.access_log(1)[0]
    assert line["client_cert"] == "ok" and line["client_cert_serial"] == "1001"
    assert line["client_cert_subject"] == "CN=alice,O=Example\\, Inc."


@pytest.fixture(scope="module")
def wrong(ca, other_ca, alice, mallory):
    """name: (certificate, alert, verdict)"""
    plain = ca.issue("plain")
    chain = [ClientAuthority(ca.directory, "deep0", issuer=ca)]
    for i in range(1, 9):
        chain.append(ClientAuthority(ca.directory, f"deep{i}", issuer=chain[-1]))
    names = [f'dns_name = "host{i:04}.of-a-long-name-in-a-certificate.example.test"'
             for i in range(1200)]
    cases = {
        "none": (None, None, "none"),
        "expired": (ca.issue("expired", days=client_ca.LONG_AGO), "certificate expired", None),
        "not_yet_valid": (ca.issue("early", days=client_ca.FAR_OFF), "certificate expired", None),
        "unknown_ca": (mallory, "unknown ca", None),
        "purpose": (ca.issue("server", usage=["tls_www_server", "signing_key"]),
                    "unsupported certificate", None),
        "weak": (ca.issue("weak", key_type=("rsa", "--bits", "1024")), "bad certificate", None),
        "too_large": (chain[-1].issue("deepest"), "bad certificate", None),
        "huge": (ca.issue("huge", names), "bad certificate", "too_large"),
        "names": (ca.issue("many-names", names[:100]), "bad certificate", "too_large"),
        "by_a_client": (issued_by(plain, ca), "unknown ca", "unknown_ca"),
    }
    return cases


def issued_by(client, ca):
    """By one who is no authority."""
    one = client_ca.Credential(ca.directory, "grandchild")
    ca.make(one, client, ['cn = "grandchild"', *client_ca.CLIENT, "expiration_days = 30"])
    one.chain.write_text(one.pem.read_text() + client.pem.read_text())
    return one


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_alert_says_what_is_wrong(make, wrong, version):
    edge = make()
    expected = {}
    for name, (one, text, counter) in wrong.items():
        if text is None:
            text = ("tlsv13 alert certificate required" if version == TLS13
                    else "sslv3 alert handshake failure")
        got = alert(edge, NEEDED, one, version)
        assert text.split()[-1] in got and got.endswith(text.split("alert ")[-1]), (name, got)
        counter = f"edge_client_cert_{counter or name}_total"
        expected[counter] = expected.get(counter, 0) + 1
    edge.wait_counter("edge_handshake_failures_total", len(wrong))
    c = edge.counters()
    assert {name: c[name] for name in expected} == expected
    assert c["edge_handshake_failures_certificate_total"] == len(wrong)
    assert c["edge_requests_total"] == 0 and c["edge_client_cert_ok_total"] == 0


def certificate_of(modulus_bits, exponent_bits):
    """In DER, by nobody, of a key of RSA that need not be one: what counts is what it would cost."""
    modulus, exponent = (1 << bits - 1 | int.from_bytes(os.urandom(bits // 8 - 1), "big") | 1
                         for bits in (modulus_bits, exponent_bits))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "costly")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .public_key(rsa.RSAPublicNumbers(exponent, modulus).public_key())
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
            .public_bytes(Encoding.DER))


def show(s, sni, version, der, bits):
    """Up to a proof that is wrong; the alert."""
    client = tls_frames.Client(s)
    proof = vector(bytes(1) + os.urandom(bits // 8 - 1))
    if version == TLS13:
        client.hello(host=sni)
        client.agree()
        entry = vector(der, 3) + vector(b"")
        client.send(tls_frames.HANDSHAKE, message(11, vector(b"", 1) + vector(entry, 3))
                    + message(15, u16s([0x0804]) + proof))
    else:
        client.hello12(host=sni)
        client.agree12(message(11, vector(vector(der, 3), 3)))
        with contextlib.suppress(ConnectionError):
            client.send(tls_frames.HANDSHAKE, message(15, u16s([0x0401]) + proof))
    with pytest.raises(tls_frames.Refused) as refused:
        client.application_data()
    return refused.value.alert


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("sni", [NEEDED, WISHED])
@pytest.mark.parametrize("bits", [(16384, 16376), (16384, 17), (4096, 4088)])
def test_key_of_a_stranger_that_takes_seconds_to_use(make, version, sni, bits):
    """GnuTLS used it with TLS 1.3 before anybody had asked whose it was, and found the proof wrong."""
    edge = make()
    with edge.connect_tcp() as s:
        assert show(s, sni, version, certificate_of(*bits), bits[0]) == tls_frames.BAD_CERTIFICATE
    edge.wait_counter("edge_handshake_failures_certificate_total", 1)
    assert edge.counters()["edge_client_cert_too_large_total"] == 1


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("sni, expected", [(NEEDED, 48), (WISHED, tls_frames.DECRYPT_ERROR)])
def test_key_of_a_stranger_is_used_where_strangers_may_come_only(make, version, sni, expected):
    edge = make()
    with edge.connect_tcp() as s:
        assert show(s, sni, version, certificate_of(2048, 17), 2048) == expected
    edge.wait_counter("edge_handshake_failures_certificate_total", 1)


def test_certificates_that_are_small_until_they_are_decompressed(make):
    """RFC 8879 section 4. Where GnuTLS knows no compression, the message has no place at all."""
    edge = make(top=["tls: {certificate_compression: [zlib, zstd]}"])
    with edge.connect_tcp() as s:
        client = tls_frames.Client(s)
        client.hello(host=NEEDED)
        client.agree()
        packed = zlib.compress(bytes(0xffffff), 9)
        compressed = message(25, u16s([1]) + b"\xff" * 3 + vector(packed, 3))
        for at in range(0, len(compressed), 16000):
            client.send(tls_frames.HANDSHAKE, compressed[at:at + 16000])
        with pytest.raises(tls_frames.Refused) as refused:
            client.application_data()
        assert refused.value.alert in (tls_frames.DECODE_ERROR, tls_frames.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_who_is_asked_politely_gets_in_with_a_verdict(make, alice, wrong, version):
    edge = make()
    for one, verdict in ((None, "none"), (alice, "ok"), (wrong["expired"][0], "failed:expired"),
                         (wrong["unknown_ca"][0], "failed:unknown-ca")):
        status, told = ask(edge, WISHED, one=one, version=version)
        told = {name: value for name, value in told.items() if name.startswith("client-cert")}
        assert status == 200 and told["client-cert-verdict"] == verdict
        if one is not alice:
            assert list(told) == ["client-cert-verdict"]
    assert edge.settled()["edge_client_cert_none_total"] == 1
    # What cannot be kept in a ticket would be of no use for all that follows.
    assert alert(edge, WISHED, wrong["huge"][0], version).endswith("bad certificate")


def test_site_that_does_not_ask_is_told_nothing(make, alice):
    edge = make()
    status, told = ask(edge, OPEN, one=alice)
    assert status == 200 and not any(name.startswith("client-cert") for name in told)
    assert ask(edge, f"open.{NEEDED}")[0] == 200
    assert "client_cert" not in edge.access_log(1)[0]


def test_chain_comes_in_any_order_and_is_told(make, ca):
    middle = ClientAuthority(ca.directory, "middle", issuer=ca)
    below = ClientAuthority(ca.directory, "below", issuer=middle)
    one = below.issue("carol")
    pem = [x.pem.read_text() for x in (one, below, middle, ca)]
    edge = make()
    for order in ([0, 1, 2], [0, 2, 1], [0, 1, 2, 3], [0, 3, 2, 1]):
        one.chain.write_text("".join(pem[i] for i in order))
        status, told = ask(edge, NEEDED, one=one)
        assert status == 200 and told["client-cert-subject"] == "CN=carol"
        told = told["client-cert-chain"].split(", ")
        assert [base64.b64decode(t.strip(":")) for t in told] == [
            [one, below, middle, ca][i].der() for i in order[1:]]
    for order in ([0], [0, 2], [0, 1]):
        one.chain.write_text("".join(pem[i] for i in order))
        assert alert(edge, NEEDED, one).endswith("unknown ca")


# Real clients

def test_curl(make, alice, mallory):
    edge = make()
    for http2 in (False, True):
        found = edge.curl(*alice.curl(), edge.url("/", NEEDED), host=NEEDED, http2=http2)
        assert "Client-Cert-Subject: CN=alice" in found.stdout
        for more in ([], mallory.curl()):
                found = edge.curl(*more, edge.url("/", NEEDED), host=NEEDED, check=False,
                                  http2=http2)
                assert found.returncode != 0 and found.stdout == ""


def s_client(edge, *args, version="-tls1_3"):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", NEEDED, version,
         *map(str, args)], input=b"", capture_output=True, timeout=perigee.PATIENCE)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_authorities_are_named_in_the_request(make, version):
    edge = make()
    said = s_client(edge, version=version).stdout.decode()
    assert re.search(r"Acceptable client certificate CA names\nCN ?= ?clients authority\n(?!CN)", said)
    said = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", OPEN, version],
        input=b"", capture_output=True, timeout=perigee.PATIENCE).stdout.decode()
    assert "No client certificate CA names sent" in said


@pytest.mark.parametrize("version", ["VERS-TLS1.2", "VERS-TLS1.3"])
def test_gnutls_cli(make, alice, mallory, version):
    edge = make()

    def talk(*args):
        return subprocess.run(
            ["gnutls-cli", "--no-ca-verification", "--priority", f"NORMAL:-VERS-ALL:+{version}",
             "--sni-hostname", NEEDED, "--port", str(edge.port), *map(str, args), "127.0.0.1"],
            input=f"GET / HTTP/1.1\r\nHost: {NEEDED}\r\nConnection: close\r\n\r\n".encode(),
            capture_output=True, timeout=perigee.PATIENCE)

    done = talk("--x509certfile", alice.chain, "--x509keyfile", alice.key)
    assert b"Client-Cert-Subject: CN=alice" in done.stdout
    done = talk()
    assert b"HTTP/1.1" not in done.stdout
    done = talk("--x509certfile", mallory.chain, "--x509keyfile", mallory.key)
    assert b"HTTP/1.1" not in done.stdout


# Whose connection it is

CASES = [
    # SNI, who, host, status
    (NEEDED, "alice", NEEDED, 200),
    (NEEDED, "alice", f"x.{NEEDED}", 200),
    (f"X.{NEEDED}.".upper(), "alice", f"x.{NEEDED}", 200),
    (NEEDED, "alice", OTHER, 421),
    (NEEDED, "alice", WISHED, 421),
    (NEEDED, "alice", OPEN, 421),
    (WISHED, "alice", NEEDED, 421),
    (WISHED, None, NEEDED, 421),
    (WISHED, "mallory", OTHER, 421),
    (OPEN, "alice", NEEDED, 421),
    (OPEN, "alice", WISHED, 421),
    (f"open.{NEEDED}", "alice", f"x.{NEEDED}", 421),
    (f"open.{NEEDED}", "alice", NEEDED, 421),
    (None, "alice", NEEDED, 421),
    (None, "alice", OPEN, 200),
    (None, None, WISHED, 200),
    ("unknown.test", "alice", NEEDED, 421),
    ("unknown.test", None, OPEN, 200),
]


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_host_of_a_site_that_asks_on_a_connection_that_was_not_asked(make, alice, mallory, version):
    edge = make()
    who = {"alice": alice, "mallory": mallory, None: None}
    for sni, name, host, expected in CASES:
        status, told = ask(edge, sni, host, who[name], version)
        assert status == expected, (sni, name, host)
        if host == NEEDED and status == 200:
            assert told["client-cert-subject"].startswith("CN=alice")


def over_http2(edge, sni, one=None):
    """A client that shows that certificate."""
    by = types.SimpleNamespace(client_context=lambda: context_of(edge, one),
                               connect_tcp=edge.connect_tcp)
    return h2_client.Client(by, host=sni)


def status_of(client, host):
    return client.finish(client.ask(whole=[(":method", "GET"), (":scheme", "https"), (":path", "/"),
                                           (":authority", host)])).status


def test_connection_for_several_hosts_by_http2(make, alice):
    edge = make()
    for sni, one, others in ((OPEN, None, [NEEDED, WISHED, OTHER]),
                             (NEEDED, alice, [OPEN, WISHED, OTHER])):
        with over_http2(edge, sni, one) as client:
            assert [status_of(client, host) for host in [sni, *others, sni]] == [200, 421, 421, 421,
                                                                                200]


def test_proxy_of_ours_needs_a_certificate_too(make, alice, mallory):
    edge = make(http='trusted_proxies: ["127.0.0.0/8"]')
    for sni, one, host, expected in (
            (OPEN, None, WISHED, 200), (OPEN, None, NEEDED, 421), (None, None, NEEDED, 421),
            (NEEDED, alice, NEEDED, 200), (NEEDED, alice, OTHER, 421), (NEEDED, alice, OPEN, 200),
            (WISHED, mallory, OTHER, 200), (WISHED, mallory, NEEDED, 421)):
        status, told = ask(edge, sni, host, one)
        assert status == expected, (sni, host)
        assert host != OPEN or not any(name.startswith("client-cert") for name in told)
    # One connection for all of them, whose certificate each site judges by its own rules.
    with over_http2(edge, NEEDED, alice) as client:
        assert [status_of(client, host) for host in (NEEDED, OTHER, WISHED, NEEDED, OPEN)] == [
            200, 421, 200, 200, 200]


def test_certificate_judged_anew_for_one_site_while_another_is_served(make, mallory):
    asked, go_on = threading.Event(), threading.Event()

    def answer(conn):
        while said := read_head(conn):
            if f"Host: {WISHED}".encode() in said:
                asked.set()
                assert go_on.wait(perigee.PATIENCE)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    edge = make(http='trusted_proxies: ["127.0.0.0/8"]', answer=answer)
    with over_http2(edge, WISHED, mallory) as client:
        slow = client.ask(whole=[(":method", "GET"), (":scheme", "https"), (":path", "/"),
                                 (":authority", WISHED)])
        assert asked.wait(perigee.PATIENCE)
        assert status_of(client, OTHER) == 200
        go_on.set()
        assert client.finish(slow).status == 200
    told = {line["site"]: line["client_cert"] for line in edge.access_log(2)}
    assert told == {"wished": "failed:unknown-ca", "other": "ok"}


def test_without_tls_nobody_has_a_certificate(make):
    edge = make(http="plain: serve", plain=True)

    def ask_plain(host, target=b"/"):
        with socket.create_connection(("127.0.0.1", edge.plain_port),
                                      timeout=perigee.PATIENCE) as s:
            return get(s, host, target=target)

    assert ask_plain(NEEDED)[0] == 421
    status, told = ask_plain(WISHED)
    assert status == 200 and told["client-cert-verdict"] == "none"
    # Whoever gives out certificates for names has none itself.
    assert ask_plain(NEEDED, b"/.well-known/acme-challenge/x")[0] == 200
    assert ask_plain(NEEDED, b"/.well-known/acme-challenge/../x")[0] == 421


def test_route_for_those_whose_certificate_says_so(make_edge, scripted_origin, ca, alice):
    bob = ca.issue("bob-of-routes")
    edge = make_edge(
        {"app": scripted_origin(echo).origin()},
        site=[section("optional", ca, fields="")],
        routes=["path: /, origin: app, when: {client_cert: "
                '[{name: sans, regex: "^URI:spiffe://example[.]test/"}, {name: verdict, value: ok}]}, '
                "request_fields: {name: X-Who, value: '{client_cert.subject}'}",
                "path: /, respond: {status: 403, text: ''}"])
    for one, expected in ((alice, 200), (bob, 403), (None, 403)):
        with context_of(edge, one).wrap_socket(edge.connect_tcp(), server_hostname=HOST) as s:
            status, told = get(s, HOST, b"X-Who: me\r\n")
            assert status == expected
            assert one is not alice or told["x-who"] == "CN=alice,O=Example\\, Inc."


# What clients may not say

FORGED = ["Client-Cert", "client-cert-chain", "Client_Cert", "client_cert", "CLIENT-CERT-SUBJECT",
          "Client.Cert", "Client-Cert_Verdict", "client-cert-of-mine"]


@pytest.mark.parametrize("http", ["", "underscores: pass"])
def test_client_wrote_fields_of_a_certificate_itself(make, alice, http):
    edge = make(http=http)
    forged = "".join(f"{name}: forged\r\n" for name in FORGED).encode()
    for sni, one in ((OPEN, None), (WISHED, None), (WISHED, alice), (NEEDED, alice)):
        status, told = ask(edge, sni, one=one, fields=forged)
        assert status == 200 and "forged" not in told.values(), told
        assert ("client-cert" in told) == (one is not None)
    hop = b"Connection: Client-Cert, Client-Cert-Verdict\r\n"
    told = ask(edge, NEEDED, one=alice, fields=hop + forged)[1]
    assert told["client-cert-verdict"] == "ok" and told["client-cert"].startswith(":")


def test_proxy_of_ours_tells_of_certificates_where_the_edge_does_not_ask(make, alice):
    edge = make(http='trusted_proxies: ["127.0.0.0/8"]')
    forged = b"Client-Cert: forged\r\nclient-cert-chain: forged\r\n"
    assert ask(edge, OPEN, fields=forged)[1]["client-cert"] == "forged"
    assert "forged" not in ask(edge, WISHED, fields=forged)[1].values()
    assert "forged" not in ask(edge, NEEDED, one=alice, fields=forged)[1].values()


# Sessions that are resumed

def session_of(edge, context, sni, session=None):
    """(was it resumed, status, fields, session for another one)"""
    with context.wrap_socket(edge.connect_tcp(), server_hostname=sni, session=session) as s:
        return (s.session_reused, *get(s, sni), s.session)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_resumed_session_brings_its_certificate_along(make, alice, wrong, version):
    edge = make()
    for sni, one, verdict in ((NEEDED, alice, "ok"), (WISHED, alice, "ok"), (WISHED, None, "none"),
                              (WISHED, wrong["expired"][0], "failed:expired")):
        context = context_of(edge, one, version)
        resumed, _, first, session = session_of(edge, context, sni)
        assert not resumed
        resumed, status, again, _ = session_of(edge, context, sni, session)
        assert resumed and status == 200
        for name in first:
            if name.startswith("client-cert"):
                assert again[name] == first[name]
        assert again["client-cert-verdict"] == verdict
    assert edge.settled()["edge_client_cert_ok_total"] == 4


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_ticket_of_another_site_opens_nothing(make, alice, mallory, version):
    edge = make()
    for sni, one, other, then in ((OPEN, None, NEEDED, None), (OPEN, None, WISHED, "none"),
                                  (OPEN, alice, NEEDED, "ok"), (WISHED, None, NEEDED, None),
                                  (WISHED, mallory, NEEDED, None), (WISHED, alice, NEEDED, "ok"),
                                  (NEEDED, alice, OPEN, ""), (NEEDED, alice, WISHED, "ok"),
                                  (OTHER, mallory, NEEDED, None)):
        context = context_of(edge, one, version)
        session = session_of(edge, context, sni)[-1]
        before = edge.settled()["edge_handshakes_resumed_total"]
        if then is None:
            with pytest.raises((ssl.SSLError, AssertionError)):
                session_of(edge, context, other, session)
        else:
            resumed, status, told, _ = session_of(edge, context, other, session)
            assert status == 200 and not resumed
            assert told.get("client-cert-verdict", "") == then
        assert edge.settled()["edge_handshakes_resumed_total"] == before, (sni, other)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_ticket_of_before_a_reload(make, ca, other_ca, alice, version):
    """With the same files it is taken, with others not, and the client is judged by these."""
    nobody, her = ca.revoke(name="nobody"), ca.revoke(alice, name="her")
    edge = make(crl=nobody)
    context = context_of(edge, alice, version)
    session = session_of(edge, context, NEEDED)[-1]
    reload(edge, crl=nobody)
    assert session_of(edge, context, NEEDED, session)[:2] == (True, 200)
    for changes, text in (({"crl": her}, "certificate revoked"), ({"ca": other_ca}, "unknown ca")):
        reload(edge, **changes)
        with pytest.raises(ssl.SSLError, match=text):
            session_of(edge, context, NEEDED, session)
    reload(edge, crl=nobody, needed="optional")
    assert session_of(edge, context, NEEDED, session)[:2] == (False, 200)
    reload(edge, crl=nobody)
    assert session_of(edge, context, NEEDED, session)[:2] == (True, 200)


# Reloads while a connection is open

def test_certificate_that_expires_while_its_connection_is_open(make, ca):
    """It was valid for as long as the connection lasted."""
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    short = ca.issue("short", days=('activation_date = "2020-01-01 00:00:00"',
                                    f'expiration_date = "{end:%Y-%m-%d %H:%M:%S} UTC"'))
    edge = make()
    context = context_of(edge, short)
    context.check_hostname = False
    with context.wrap_socket(edge.connect_tcp(), server_hostname=NEEDED) as needed, \
            context.wrap_socket(edge.connect_tcp(), server_hostname=WISHED) as wished:
        assert get(needed, NEEDED)[0] == 200
        assert get(wished, WISHED)[1]["client-cert-verdict"] == "ok"
        perigee.wait_for(lambda: get(needed, NEEDED)[0] == 421, "it to have expired")
        status, told = get(wished, WISHED)
        assert status == 200 and told["client-cert-verdict"] == "failed:expired"
        assert "client-cert-subject" not in told
    assert alert(edge, NEEDED, short).endswith("certificate expired")


def test_connection_that_is_open_when_the_rules_change(make, ca, other_ca, alice):
    bob = ca.issue("bob")
    her, both = ca.revoke(alice, name="her2"), ca.revoke(alice, bob, name="both")
    edge = make(crl=ca.revoke(name="nobody2"))
    with contextlib.ExitStack() as stack:
        def connect(sni, one=None):
            return stack.enter_context(context_of(edge, one).wrap_socket(edge.connect_tcp(),
                                                                         server_hostname=sni))

        a, b, c, d = (connect(*how) for how in ((NEEDED, alice), (NEEDED, bob), (WISHED, alice),
                                                (f"open.{NEEDED}",)))
        h2 = stack.enter_context(over_http2(edge, NEEDED, alice))
        assert [get(s, NEEDED)[0] for s in (a, b)] == [200, 200]
        assert status_of(h2, NEEDED) == 200
        reload(edge, crl=her)
        assert [get(s, NEEDED)[0] for s in (a, b)] == [421, 200]
        assert status_of(h2, NEEDED) == 421
        status, told = get(c, WISHED)
        assert status == 200 and told["client-cert-verdict"] == "failed:revoked"
        assert "client-cert-subject" not in told
        reload(edge, ca=other_ca)
        assert [get(s, NEEDED)[0] for s in (a, b)] == [421, 421]
        reload(edge, crl=both, needed="off")
        status, told = get(a, NEEDED)
        assert status == 200 and "client-cert-verdict" not in told
        reload(edge)
        assert [get(s, NEEDED)[0] for s in (a, b)] == [200, 200]
        assert get(c, WISHED)[1]["client-cert-subject"].startswith("CN=alice")
        assert get(d, f"open.{NEEDED}")[0] == 200


# Lists of revoked certificates

@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_list_of_revoked_certificates(make, ca, alice, version):
    bob = ca.issue("bob-of-lists")
    edge = make(crl=ca.revoke(alice, name="alice"))
    assert alert(edge, NEEDED, alice, version).endswith("certificate revoked")
    assert ask(edge, NEEDED, one=bob, version=version)[0] == 200
    edge.wait_counter("edge_client_cert_revoked_total", 1)


def test_list_that_is_out_of_date_or_missing(make, ca, alice):
    old = ca.revoke(name="old", days='crl_this_update_date = "2020-01-01 00:00:00"\n'
                                     'crl_next_update_date = "2020-02-01 00:00:00"')
    middle = ClientAuthority(ca.directory, "unlisted", issuer=ca)
    one = middle.issue("dora")
    edge = make(crl=old)
    assert "old.pem has a list that is out of date" in edge.log()
    assert alert(edge, NEEDED, alice).endswith("certificate unknown")
    reload(edge, crl=ca.revoke(name="no-middle"))
    assert alert(edge, NEEDED, one).endswith("certificate unknown")
    assert ask(edge, NEEDED, one=alice)[0] == 200
    reload(edge, crl=ca.revoke(middle, name="middle"))
    assert alert(edge, NEEDED, one).endswith("certificate unknown")
    edge.wait_counter("edge_client_cert_no_crl_total", 3)


def test_session_is_resumed_although_the_hello_has_to_be_repeated(make, alice, tmp_path):
    """It shows its key share for a group that the edge has not."""
    edge = make()
    session = tmp_path / "session"

    def talk(*args, sni=NEEDED):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", sni,
             "-tls1_3", "-groups", "P-521:X25519", "-ign_eof", "-trace", *map(str, args)],
            input=f"GET / HTTP/1.1\r\nHost: {NEEDED}\r\nConnection: close\r\n\r\n".encode(),
            capture_output=True, timeout=perigee.PATIENCE).stdout.decode(errors="replace")
        assert done.count("ClientHello, Length=") == 2
        return done

    shown = ["-cert", alice.chain, "-key", alice.key]
    first = talk(*shown, "-sess_out", session)
    assert "Client-Cert-Subject: CN=alice" in first and "\nNew, TLSv1.3" in first
    again = talk(*shown, "-sess_in", session)
    assert "Client-Cert-Subject: CN=alice" in again and "\nReused, TLSv1.3" in again
    assert "HTTP/1.1 421" in talk(*shown, "-sess_in", session, sni=OPEN)
    assert "HTTP/1.1" not in talk()


def hello_record(name, shares):
    """A ClientHello of TLS 1.3 that offers X25519."""
    def sized(data, n):
        return len(data).to_bytes(n, "big") + data

    def extension(number, data):
        return number.to_bytes(2, "big") + sized(data, 2)

    extensions = (extension(0, sized(b"\0" + sized(name.encode(), 2), 2)) +
                  extension(10, sized(b"\0\x1d", 2)) + extension(13, sized(b"\4\3\10\4", 2)) +
                  extension(43, sized(b"\3\4", 1)) + extension(51, sized(shares, 2)))
    body = (b"\3\3" + bytes(32) + sized(bytes(32), 1) + sized(b"\x13\1", 2) + b"\1\0" +
            sized(extensions, 2))
    return b"\x16\3\1" + sized(b"\1" + sized(body, 3), 2)


@pytest.mark.parametrize("first, second", [(OPEN, NEEDED), (NEEDED, OPEN), (NEEDED, OTHER)])
def test_second_hello_names_another_site(make, first, second):
    edge = make()
    share = b"\0\x1d\0\x20" + b"\x42" * 32
    for names, refused in (((first, second), True), ((first, first), False)):
        with edge.connect_tcp() as s, s.makefile("rb") as file:
            def record():
                header = file.read(5)
                return header[:1] + file.read(int.from_bytes(header[3:], "big"))

            s.sendall(hello_record(names[0], b""))
            assert record()[:2] == b"\x16\2"  # a HelloRetryRequest
            s.sendall(hello_record(names[1], share))
            answer = record()
            while answer[:1] == b"\x14":
                answer = record()
            # An alert that is fatal, illegal_parameter; or a ServerHello.
            assert answer[:3] == b"\x15\2\x2f" if refused else answer[:2] == b"\x16\2", answer[:8]


def test_early_data_is_not_taken_where_a_certificate_is_verified(make, alice, tmp_path):
    edge = make()
    session, request = tmp_path / "session", tmp_path / "request"

    def talk(sni, *args):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", sni,
             "-tls1_3", "-ign_eof", *map(str, args)],
            input=f"GET / HTTP/1.1\r\nHost: {sni}\r\nConnection: close\r\n\r\n".encode(),
            capture_output=True, timeout=perigee.PATIENCE).stdout.decode(errors="replace")

    for sni, args, taken in ((OPEN, [], True), (WISHED, [], False),
                             (NEEDED, ["-cert", alice.chain, "-key", alice.key], False)):
        assert "HTTP/1.1 200" in talk(sni, *args, "-sess_out", session)
        request.write_bytes(f"GET /early HTTP/1.1\r\nHost: {sni}\r\n\r\n".encode())
        again = talk(sni, *args, "-sess_in", session, "-early_data", request)
        assert f"Early data was {'accepted' if taken else 'rejected'}" in again, again
        assert "\nReused, TLSv1.3" in again and "HTTP/1.1 200" in again
    c = edge.settled()
    assert c["edge_early_data_total"] == 1 and c["edge_early_data_refused_total"] == 2
