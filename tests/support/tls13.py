# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS 1.3 client by hand (RFC 8446) of the pieces of tls_frames that resumes sessions, for what no
library lets a test do: wrong binders, a second ClientHello that differs from the first, early data
that is sent, held back or sent again. It knows TLS_AES_128_GCM_SHA256 and X25519, and verifies
Finished, but no certificate."""

import hashlib
import hmac
import os
import struct
import time
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tls_frames import (
    ALERT, ALPN, APPLICATION_DATA, CHANGE_CIPHER_SPEC, CLIENT_HELLO, FINISHED, GROUPS, HANDSHAKE,
    HELLO_RETRY_RANDOM, KEY_SHARES, P256, SERVER_HELLO, SERVER_NAME, SIGNATURES, VERSIONS, X25519,
    Refused, Traffic, expand_label, message, record, share_of, u16s, vector)

NEW_SESSION_TICKET, END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS, MESSAGE_HASH = 4, 5, 8, 254
PRE_SHARED_KEY, EARLY_DATA, COOKIE, PSK_MODES = 41, 42, 44, 45


@dataclass
class Ticket:
    """What a session is resumed with."""

    identity: bytes
    psk: bytes
    age_add: int
    lifetime: int
    came: float
    early: int  # the most early data; 0: none


def derive(secret, label, messages):
    return expand_label(secret, label, hashlib.sha256(messages).digest(), 32)


def finished(secret, messages):
    key = expand_label(secret, b"finished", b"", 32)
    return hmac.digest(key, hashlib.sha256(messages).digest(), "sha256")


class Client:
    """On a connection that is there. ticket: to resume with. early: data to be sent before the
    handshake (b"": an offer with none of it). share: False makes the server ask for another
    ClientHello. bad_binder: its last bit is wrong."""

    def __init__(self, s, host, ticket=None, early=None, alpn=(), share=True, bad_binder=False):
        self.socket = s
        self.host = host
        self.ticket = ticket
        self.early = early
        self.alpn = alpn
        self.bad_binder = bad_binder
        self.key = X25519PrivateKey.generate()
        self.random = os.urandom(32)
        self.session_id = os.urandom(32)
        self.share = share
        self.transcript = b""
        self.pending = b""  # of handshake messages
        self.reading = self.writing = None
        self.tickets = []
        self.data = b""
        self.resumed = self.early_accepted = self.retried = False
        self.selected_alpn = None

    # What is sent

    def early_secret(self):
        return hmac.digest(bytes(32), self.ticket.psk if self.ticket else bytes(32), "sha256")

    def extensions(self, ticket, early, cookie):
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        share = share_of(X25519, public) if self.share else b""
        name = b"\0" + vector(self.host.encode())
        offers = [
            (SERVER_NAME, vector(name)),
            (GROUPS, vector(u16s([X25519, P256]))),
            (SIGNATURES, vector(u16s([0x0403, 0x0503, 0x0804, 0x0401]))),
            (VERSIONS, vector(b"\x03\x04", 1)),
            (PSK_MODES, vector(b"\x01", 1)),
            (KEY_SHARES, vector(share)),
        ]
        if self.alpn:
            names = b"".join(vector(a.encode(), 1) for a in self.alpn)
            offers.append((ALPN, vector(names)))
        if cookie is not None:
            offers.append((COOKIE, cookie))
        if early:
            offers.append((EARLY_DATA, b""))
        if ticket:
            age = int((time.monotonic() - ticket.came) * 1000)
            identity = vector(ticket.identity)
            identity += struct.pack("!I", (age + ticket.age_add) % (1 << 32))
            offers.append((PRE_SHARED_KEY, vector(identity) + vector(vector(bytes(32), 1))))
        return vector(b"".join(u16s([kind]) + vector(data) for kind, data in offers))

    def hello(self, ticket, early, cookie=None):
        body = b"\x03\x03" + self.random + vector(self.session_id, 1)
        body += vector(b"\x13\x01") + vector(b"\0", 1) + self.extensions(ticket, early, cookie)
        hello = message(CLIENT_HELLO, body)
        if ticket:
            key = derive(self.early_secret(), b"res binder", b"")
            binder = finished(key, self.transcript + hello[:-35])
            if self.bad_binder:
                binder = binder[:-1] + bytes([binder[-1] ^ 1])
            hello = hello[:-32] + binder
        return hello

    def send_record(self, kind, data):
        self.socket.sendall(self.writing.seal(kind, data) if self.writing
                            else record(kind, data, 0x0301))

    def first_flight(self):
        """ClientHello, and early data if there is any."""
        hello = self.hello(self.ticket, self.early is not None)
        flight = record(HANDSHAKE, hello, 0x0301)
        self.transcript += hello
        if self.early is not None:
            self.early_keys = Traffic(derive(self.early_secret(), b"c e traffic", self.transcript))
            for at in range(0, len(self.early), 16384):
                flight += self.early_keys.seal(APPLICATION_DATA, self.early[at:at + 16384])
        return flight

    def more_early(self, data):
        self.socket.sendall(self.early_keys.seal(APPLICATION_DATA, data))

    # What comes

    def receive(self, n):
        data = b""
        while len(data) < n:
            chunk = self.socket.recv(n - len(data))
            if not chunk:
                raise EOFError("closed without a word")
            data += chunk
        return data

    def open(self, head, data):
        try:
            return self.reading.open(head, data)
        except InvalidTag:
            # While GnuTLS reads early data it still writes with the keys of the handshake; so its
            # alerts are of those.
            return self.before.open(head, data)

    def read_record(self):
        while True:
            head = self.receive(5)
            kind, _, n = struct.unpack("!BHH", head)
            data = self.receive(n)
            if kind == CHANGE_CIPHER_SPEC:
                continue
            if self.reading and kind == APPLICATION_DATA:
                kind, data = self.open(head, data)
            if kind == ALERT:
                raise Refused(*data)
            return kind, data

    def next_message(self):
        while len(self.pending) < 4 or \
                len(self.pending) < 4 + int.from_bytes(self.pending[1:4], "big"):
            kind, data = self.read_record()
            assert kind == HANDSHAKE, kind
            self.pending += data
        n = 4 + int.from_bytes(self.pending[1:4], "big")
        found, self.pending = self.pending[:n], self.pending[n:]
        return found

    @staticmethod
    def parse_extensions(data):
        found, at, end = {}, 2, 2 + int.from_bytes(data[:2], "big")
        while at < end:
            kind, n = struct.unpack("!HH", data[at:at + 4])
            found[kind] = data[at + 4:at + 4 + n]
            at += 4 + n
        return found

    # The handshake

    def start(self):
        self.socket.sendall(self.first_flight())
        return self

    def answer_retry(self, found, ticket):
        """The second ClientHello, with this ticket or without one."""
        first = hashlib.sha256(self.transcript).digest()
        self.transcript = message(MESSAGE_HASH, first) + self.retry
        self.share = self.retried = True
        self.ticket = ticket
        hello = self.hello(ticket, False, found.get(COOKIE))
        self.send_record(HANDSHAKE, hello)
        self.transcript += hello

    def read_server_hello(self):
        """Its extensions; None: it was a request for another ClientHello, with those."""
        hello = self.next_message()
        assert hello[0] == SERVER_HELLO, hello[0]
        at = 4 + 2 + 32 + 1 + 32 + 2 + 1
        found = self.parse_extensions(hello[at:])
        if hello[6:38] == HELLO_RETRY_RANDOM:
            self.retry = hello
            return None, found
        self.transcript += hello
        return hello, found

    def take_keys(self, found):
        share = X25519PublicKey.from_public_bytes(found[KEY_SHARES][4:])
        self.resumed = PRE_SHARED_KEY in found
        if not self.resumed:
            self.ticket = None
        secret = derive(self.early_secret(), b"derived", b"")
        secret = hmac.digest(secret, self.key.exchange(share), "sha256")
        self.of_client = derive(secret, b"c hs traffic", self.transcript)
        self.of_server = derive(secret, b"s hs traffic", self.transcript)
        self.reading = Traffic(self.of_server)
        self.master = hmac.digest(derive(secret, b"derived", b""), bytes(32), "sha256")

    def read_flight(self):
        """Up to the server's Finished."""
        found = self.next_message()
        assert found[0] == ENCRYPTED_EXTENSIONS, found[0]
        extensions = self.parse_extensions(found[4:])
        self.early_accepted = EARLY_DATA in extensions
        if ALPN in extensions:
            self.selected_alpn = extensions[ALPN][3:].decode()
        while found[0] != FINISHED:
            self.transcript += found
            found = self.next_message()
        assert found[4:] == finished(self.of_server, self.transcript)
        self.transcript += found
        self.before = self.reading
        self.reading = Traffic(derive(self.master, b"s ap traffic", self.transcript))
        self.application = derive(self.master, b"c ap traffic", self.transcript)

    def finish(self):
        """EndOfEarlyData, if there was any, and Finished."""
        flight = b""
        if self.early_accepted:
            end = message(END_OF_EARLY_DATA, b"")
            flight += self.early_keys.seal(HANDSHAKE, end)
            self.transcript += end
        last = message(FINISHED, finished(self.of_client, self.transcript))
        flight += Traffic(self.of_client).seal(HANDSHAKE, last)
        self.transcript += last
        self.socket.sendall(flight)
        self.resumption = derive(self.master, b"res master", self.transcript)
        self.writing = Traffic(self.application)

    def read_answer(self, second_ticket=True):
        """All of the server's flight, its request for another ClientHello answered."""
        hello, found = self.read_server_hello()
        if hello is None:
            self.answer_retry(found, self.ticket if second_ticket else None)
            hello, found = self.read_server_hello()
        self.take_keys(found)
        self.read_flight()

    def connect(self, second_ticket=True):
        self.start()
        self.read_answer(second_ticket)
        self.finish()
        return self

    # Afterwards

    def send(self, data):
        self.send_record(APPLICATION_DATA, data)

    def take_ticket(self, body):
        lifetime, age_add, n = struct.unpack("!IIB", body[:9])
        nonce, at = body[9:9 + n], 9 + n
        size = int.from_bytes(body[at:at + 2], "big")
        identity = body[at + 2:at + 2 + size]
        more = self.parse_extensions(body[at + 2 + size:])
        psk = expand_label(self.resumption, b"resumption", nonce, 32)
        early = int.from_bytes(more.get(EARLY_DATA, b""), "big")
        self.tickets.append(Ticket(identity, psk, age_add, lifetime, time.monotonic(), early))

    def read_some(self):
        kind, data = self.read_record()
        if kind == APPLICATION_DATA:
            self.data += data
            return
        assert kind == HANDSHAKE, kind
        self.pending += data
        while self.pending:
            found = self.next_message()
            assert found[0] == NEW_SESSION_TICKET, found[0]
            self.take_ticket(found[4:])

    def read_until(self, what):
        """All data up to there; what follows is kept."""
        while what not in self.data:
            self.read_some()
        at = self.data.index(what) + len(what)
        found, self.data = self.data[:at], self.data[at:]
        return found

    def read_ticket(self):
        while not self.tickets:
            self.read_some()
        return self.tickets.pop(0)
