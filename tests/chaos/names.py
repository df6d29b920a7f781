# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on both sides of a chaos run: the name server that the edges ask for their origins, which has
moods, and the clients of perigee-dns."""

import random
import socket
import struct
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset

from record import Trouble

RESOLVER = ("127.0.0.77", 53)
MOODS = ("well", "late", "silent", "wrong_id", "nxdomain", "servfail", "garbage", "elsewhere")
PATIENCE = 20.0
SUBNETS = ("192.0.2.0/26", "192.0.2.64/26", "198.51.100.0/26", "203.0.113.0/27")


class NameServer:
    """Answers every A with 127.0.0.1, in its mood."""

    def __init__(self):
        self.trouble = Trouble()
        self.mood = "well"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(RESOLVER)
        threading.Thread(target=self.run, daemon=True).start()

    def be(self, mood):
        before, self.mood = self.mood, mood
        if mood != "well" and before == "well":
            self.trouble.begin()
        if mood == "well" and before != "well":
            self.trouble.end()

    def run(self):
        while True:
            data, client = self.socket.recvfrom(4096)
            mood = self.mood
            if mood == "silent":
                continue
            if mood == "late":
                threading.Timer(1.0, self.answer, (data, client, "well")).start()
            else:
                self.answer(data, client, mood)

    def answer(self, data, client, mood):
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        response = dns.message.make_response(query)
        question = query.question[0]
        if mood == "nxdomain":
            response.set_rcode(3)
        elif mood == "servfail":
            response.set_rcode(2)
        elif question.rdtype == dns.rdatatype.A:
            address = "127.0.0.99" if mood == "elsewhere" else "127.0.0.1"
            response.answer = [dns.rrset.from_text(question.name, 1, "IN", "A", address)]
        wire = response.to_wire()
        if mood == "wrong_id":
            wire = struct.pack(">H", (query.id + 1) & 0xffff) + wire[2:]
        if mood == "garbage":
            wire = wire[:2] + b"\x81\x80" + b"\xff" * 40
        self.socket.sendto(wire, client)


def addresses(response, name):
    return {r.address for rrset in response.answer if rrset.rdtype == dns.rdatatype.A
            and str(rrset.name) == name for r in rrset}


def ask(port, rng, name):
    query = dns.message.make_query(
        name, "A", use_edns=0,
        options=[dns.edns.ECSOption(*split(rng.choice(SUBNETS)))] if rng.random() < 0.7 else None)
    function = dns.query.tcp if rng.random() < 0.3 else dns.query.udp
    return function(query, "127.0.0.1", port=port, timeout=PATIENCE)


def split(prefix):
    address, _, length = prefix.partition("/")
    return address, int(length)


def good_static(port, rng):
    """Right at all times, whatever becomes of the edges."""
    try:
        response = ask(port, rng, "static.example.com.")
    except (OSError, EOFError, dns.exception.DNSException) as e:
        return f"wrong: no answer: {e!r}"
    found = addresses(response, "static.example.com.")
    return None if found == {"192.0.2.80"} else f"wrong: {response}"


def good_steered(port, rng):
    try:
        response = ask(port, rng, "www.example.com.")
    except (OSError, EOFError, dns.exception.DNSException) as e:
        return f"wrong: no answer: {e!r}"
    found = addresses(response, "www.example.com.")
    if len(found) != 1 or not found <= {"127.0.1.1", "127.0.1.2", "127.0.1.3"}:
        return f"not one edge: {response}"
    return None


def udp_garbage(port, rng):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(rng.randint(1, 50)):
            data = bytearray(dns.message.make_query("www.example.com.", "A").to_wire())
            for _ in range(rng.randint(0, 5)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            s.sendto(bytes(data[:rng.randrange(len(data) + 1)]), ("127.0.0.1", port))


def tcp_garbage(port, rng):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(rng.randbytes(rng.randint(1, 300)))
        time.sleep(rng.uniform(0, 0.3))


def tcp_half(port, rng):
    """A part of a query, or several of them, and no reading."""
    query = dns.message.make_query("static.example.com.", "A").to_wire()
    data = (struct.pack(">H", len(query)) + query) * rng.randint(1, 20)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as s:
        s.sendall(data[:rng.randrange(len(data) + 1)])
        time.sleep(rng.uniform(0, 0.3))


def tcp_silent(port, rng):
    with socket.create_connection(("127.0.0.1", port), PATIENCE):
        time.sleep(rng.uniform(0, 0.5))


GOOD = (good_static, good_steered)
BAD = (udp_garbage, tcp_garbage, tcp_half, tcp_silent)


def disturb(kind, port, seed):
    try:
        kind(port, random.Random(seed))
    except OSError:
        pass
