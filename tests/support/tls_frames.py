# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS client of own frames, for what no tool can be made to send: TLS 1.3 with X25519 or P-256 and
TLS_AES_128_GCM_SHA256, TLS 1.2 with X25519 and ECDHE_*_AES_128_GCM_SHA256. It verifies nothing but
what the keys prove, and does each step only when it is told to."""

import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, FINISHED, KEY_EXCHANGE = 1, 2, 20, 16
SERVER_NAME, GROUPS, POINTS, SIGNATURES, ALPN, VERSIONS, KEY_SHARES = 0, 10, 11, 13, 16, 43, 51
X25519, P256 = 29, 23
AES_128_GCM, ECDHE_ECDSA, ECDHE_RSA = 0x1301, 0xc02b, 0xc02f
HELLO_RETRY_RANDOM = hashlib.sha256(b"HelloRetryRequest").digest()
(CLOSE_NOTIFY, UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, HANDSHAKE_FAILURE, BAD_CERTIFICATE,
 ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR, PROTOCOL_VERSION, INTERNAL_ERROR,
 INAPPROPRIATE_FALLBACK, USER_CANCELED, UNSUPPORTED_EXTENSION, NO_APPLICATION_PROTOCOL,
 ACCESS_DENIED, MISSING_EXTENSION) = (
     0, 10, 20, 22, 40, 42, 47, 50, 51, 70, 80, 86, 90, 110, 120, 49, 109)


def vector(data, length_bytes=2):
    return len(data).to_bytes(length_bytes, "big") + data


def u16s(values):
    return b"".join(struct.pack(">H", v) for v in values)


def record(kind, data, version=0x0303):
    return struct.pack(">BHH", kind, version, len(data)) + data


def message(kind, body):
    return bytes([kind]) + vector(body, 3)


def share_of(group, public):
    return u16s([group]) + vector(public)


def client_hello(host="www.example.com", version=0x0303, random=None, session=b"", suites=(AES_128_GCM,),
                 versions=(0x0304,), groups=(X25519,), shares=(), alpn=(), methods=b"\0",
                 signatures=(0x0403, 0x0804, 0x0401), more=(), extensions=None):
    """The message. more: further (type, data); extensions: bytes in place of all of them."""
    if extensions is None:
        all_of_them = [(SERVER_NAME, vector(b"\0" + vector(host.encode())))] if host else []
        all_of_them += [(SIGNATURES, vector(u16s(signatures)))]
        if groups:
            all_of_them.append((GROUPS, vector(u16s(groups))))
        if versions:
            all_of_them.append((VERSIONS, vector(u16s(versions), 1)))
            all_of_them.append((KEY_SHARES, vector(b"".join(shares))))
        if alpn:
            all_of_them.append((ALPN, vector(b"".join(vector(a.encode(), 1) for a in alpn))))
        extensions = vector(b"".join(u16s([t]) + vector(d) for t, d in [*all_of_them, *more]))
    return message(CLIENT_HELLO, struct.pack(">H", version) + (random or os.urandom(32))
                   + vector(session, 1) + vector(u16s(suites)) + vector(methods, 1) + extensions)


def expand_label(secret, label, context, n):
    info = struct.pack(">H", n) + vector(b"tls13 " + label, 1) + vector(context, 1)
    return hmac.digest(secret, info + b"\1", "sha256")[:n]


def prf(secret, label, seed, n):
    """TLS 1.2, RFC 5246 section 5."""
    out, a = b"", label + seed
    while len(out) < n:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + label + seed, "sha256")
    return out[:n]


class Traffic:
    """One direction of TLS 1.3."""

    def __init__(self, secret):
        self.secret = secret
        self.aead = AESGCM(expand_label(secret, b"key", b"", 16))
        self.iv = int.from_bytes(expand_label(secret, b"iv", b"", 12), "big")
        self.n = 0

    def nonce(self):
        self.n += 1
        return (self.iv ^ (self.n - 1)).to_bytes(12, "big")

    def seal(self, kind, data):
        header = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(data) + 17)
        return header + self.aead.encrypt(self.nonce(), data + bytes([kind]), header)

    def open(self, header, data):
        inner = self.aead.decrypt(self.nonce(), data, header).rstrip(b"\0")
        return inner[-1], inner[:-1]


class Traffic12:
    """One direction of TLS 1.2 with AES-128-GCM (RFC 5288)."""

    def __init__(self, key, salt):
        self.aead, self.salt, self.n = AESGCM(key), salt, 0

    def about(self, kind, n):
        self.n += 1
        return struct.pack(">QBHH", self.n - 1, kind, 0x0303, n)

    def seal(self, kind, data, spoil=False):
        explicit = self.n.to_bytes(8, "big")
        sealed = self.aead.encrypt(self.salt + explicit, data, self.about(kind, len(data)))
        if spoil:
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        return record(kind, explicit + sealed)

    def open(self, kind, data):
        return self.aead.decrypt(self.salt + data[:8], data[8:], self.about(kind, len(data) - 24))


class Refused(Exception):
    """By an alert."""

    def __init__(self, level, description):
        super().__init__(f"alert {description} of level {level}")
        self.level, self.alert = level, description


class Client:
    """On a connected socket."""

    def __init__(self, s):
        self.s = s
        self.key = X25519PrivateKey.generate()
        self.p256 = ec.generate_private_key(ec.SECP256R1())
        self.transcript = b""
        self.reader = self.writer = None
        self.reader12 = self.next_reader12 = None
        self.buffered = b""
        self.messages = b""
        self.random = os.urandom(32)

    def share(self, group=X25519):
        if group == X25519:
            return share_of(group, self.key.public_key().public_bytes(Encoding.Raw,
                                                                      PublicFormat.Raw))
        return share_of(group, self.p256.public_key().public_bytes(Encoding.X962,
                                                                   PublicFormat.UncompressedPoint))

    def hello(self, **options):
        """Sends one, by default with a share of X25519."""
        options.setdefault("shares", [self.share()])
        hello = client_hello(random=self.random, **options)
        version = 0x0303 if self.transcript else 0x0301
        self.transcript += hello
        self.s.sendall(record(HANDSHAKE, hello, version))
        return hello

    def send(self, kind, data):
        self.s.sendall(self.writer.seal(kind, data) if self.writer else record(kind, data))

    def receive(self, n):
        while len(self.buffered) < n:
            data = self.s.recv(65536)
            if not data:
                raise EOFError(f"{len(self.buffered)} bytes of {n}")
            self.buffered += data
        taken, self.buffered = self.buffered[:n], self.buffered[n:]
        return taken

    def record(self):
        """(kind, data) of the next; an alert is raised, but for a warning."""
        while True:
            header = self.receive(5)
            kind, data = header[0], self.receive(int.from_bytes(header[3:], "big"))
            if self.reader and kind == APPLICATION_DATA:
                kind, data = self.reader.open(header, data)
            elif self.reader12:
                data = self.reader12.open(kind, data)
            elif kind == CHANGE_CIPHER_SPEC:
                self.reader12 = self.next_reader12
            if kind == ALERT and data[1] != CLOSE_NOTIFY:
                raise Refused(*data)
            if kind != CHANGE_CIPHER_SPEC:
                return kind, data

    def message(self):
        """(kind, whole message) of the next handshake message; it is in the transcript."""
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(
                self.messages[1:4], "big"):
            kind, data = self.record()
            assert kind == HANDSHAKE, (kind, data)
            self.messages += data
        n = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:n], self.messages[n:]
        self.transcript += whole
        return whole[0], whole

    def server_hello(self):
        """The body of one, with its extensions as a dictionary."""
        kind, whole = self.message()
        assert kind == SERVER_HELLO
        body = whole[4:]
        at = 34 + 1 + body[34] + 3
        extensions, rest = {}, body[at + 2:]
        while rest:
            kind, n = struct.unpack(">HH", rest[:4])
            extensions[kind], rest = rest[4:4 + n], rest[4 + n:]
        return body, extensions

    def digest(self):
        return hashlib.sha256(self.transcript).digest()

    def retried(self):
        """Expects a HelloRetryRequest; the group that it asks for."""
        first = self.transcript
        body, extensions = self.server_hello()
        assert body[2:34] == HELLO_RETRY_RANDOM
        request = self.transcript[len(first):]
        self.transcript = message(254, hashlib.sha256(first).digest()) + request
        return int.from_bytes(extensions[KEY_SHARES], "big")

    def agree(self):
        """Takes the ServerHello and everything up to its Finished."""
        _, extensions = self.server_hello()
        share = extensions[KEY_SHARES]
        group = int.from_bytes(share[:2], "big")
        if group == X25519:
            secret = self.key.exchange(X25519PublicKey.from_public_bytes(share[4:]))
        else:
            secret = self.p256.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(
                ec.SECP256R1(), share[4:]))
        empty = hashlib.sha256().digest()
        early = hmac.digest(bytes(32), bytes(32), "sha256")
        handshake = hmac.digest(expand_label(early, b"derived", empty, 32), secret, "sha256")
        so_far = self.digest()
        self.writer = Traffic(expand_label(handshake, b"c hs traffic", so_far, 32))
        self.reader = Traffic(expand_label(handshake, b"s hs traffic", so_far, 32))
        while self.message()[0] != FINISHED:
            pass
        self.main = hmac.digest(expand_label(handshake, b"derived", empty, 32), bytes(32), "sha256")
        self.reader = Traffic(expand_label(self.main, b"s ap traffic", self.digest(), 32))
        return group

    def finish(self, spoil=False):
        """Sends Finished, and goes on with the keys of the connection."""
        so_far = self.digest()
        key = expand_label(self.writer.secret, b"finished", b"", 32)
        proof = hmac.digest(key, so_far, "sha256")
        self.send(HANDSHAKE, message(FINISHED, bytes(32) if spoil else proof))
        self.writer = Traffic(expand_label(self.main, b"c ap traffic", so_far, 32))

    def alert(self, description, level=2):
        self.send(ALERT, bytes([level, description]))

    def application_data(self):
        """The next, after tickets."""
        while True:
            kind, data = self.record()
            if kind != HANDSHAKE:
                return kind, data

    # TLS 1.2

    def hello12(self, **options):
        options = {"versions": (), "suites": (ECDHE_ECDSA, ECDHE_RSA),
                   "more": [(POINTS, vector(b"\0", 1)), (0xff01, b"\0")], **options}
        return self.hello(**options)

    def agree12(self, certificate=b""):
        """Up to the ServerHelloDone; then this and the ClientKeyExchange are sent, and the keys are
        known."""
        body, _ = self.server_hello()
        self.server_random = body[2:34]
        while (got := self.message())[0] != 14:
            if got[0] == 12:
                point = got[1][4 + 4:4 + 4 + 32]
        mine = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        exchange = certificate + message(KEY_EXCHANGE, vector(mine, 1))
        self.transcript += exchange
        self.send(HANDSHAKE, exchange)
        secret = self.key.exchange(X25519PublicKey.from_public_bytes(point))
        self.master = prf(secret, b"master secret", self.random + self.server_random, 48)
        block = prf(self.master, b"key expansion", self.server_random + self.random, 40)
        self.writer12 = Traffic12(block[:16], block[32:36])
        self.next_reader12 = Traffic12(block[16:32], block[36:40])

    def finish12(self, spoil=False, break_record=False):
        proof = prf(self.master, b"client finished", self.digest(), 12)
        self.s.sendall(record(CHANGE_CIPHER_SPEC, b"\1"))
        self.s.sendall(self.writer12.seal(HANDSHAKE, message(FINISHED, bytes(12) if spoil else proof),
                                          break_record))
        self.writer = self.writer12

    # Both

    def connect(self, version="1.3", **options):
        """The whole handshake."""
        if version == "1.3":
            self.hello(**options)
            self.agree()
            self.finish()
        else:
            self.hello12(**options)
            self.agree12()
            self.finish12()
            while self.message()[0] != FINISHED:
                pass
        return self
