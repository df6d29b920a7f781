# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server for scenarios, over UDP and TCP at port 53 of an address of 127.0.0.0/8 that nobody
else has (takes root): what it answers is looked up in `names` at the moment, {name: [address, ...]},
or {name: [(priority, weight, port, target), ...]} for SRV records, with the targets' addresses in the
additional section; all else does not exist."""

import contextlib
import itertools
import os
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


_numbers = itertools.count(1)


class NameServer:
    def __init__(self, names, ttl=1, truncates=False, address=None):
        """address: of one that was there before and is closed."""
        # Several tests may run at a time.
        pid = os.getpid()
        self.address = address or f"127.{64 + (pid >> 8) % 128}.{pid % 256}.{next(_numbers)}"
        self.names, self.ttl, self.truncates = names, ttl, truncates
        self.over_tcp = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, 53))
        self.tcp = socket.create_server((self.address, 53))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        response = dns.message.make_response(query)
        if name not in self.names:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return response
        records = self.names[name]
        services = [r for r in records if isinstance(r, tuple)]
        if question.rdtype == dns.rdatatype.SRV and services:
            response.answer.append(dns.rrset.from_text_list(
                question.name, self.ttl, "IN", "SRV",
                [f"{priority} {weight} {port} {target.rstrip('.')}." for priority, weight, port, target
                 in services]))
            for *_, target in services:
                for address in self.names.get(target, []):
                    response.additional.append(dns.rrset.from_text(
                        f"{target}.", self.ttl, "IN", "AAAA" if ":" in address else "A", address))
            return response
        found = [a for a in records if a not in services and
                 (":" in a) == (question.rdtype == dns.rdatatype.AAAA)]
        if found and question.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            response.answer.append(dns.rrset.from_text_list(
                question.name, self.ttl, "IN", dns.rdatatype.to_text(question.rdtype), found))
        return response

    def serve_udp(self):
        while True:
            try:
                wire, sender = self.udp.recvfrom(4096)
                if not wire:
                    return
                response = self.answer(wire)
                if self.truncates:
                    response.answer.clear()
                    response.flags |= dns.flags.TC
                self.udp.sendto(response.to_wire(), sender)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(10)
                try:
                    while size := conn.recv(2, socket.MSG_WAITALL):
                        wire = conn.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                        reply = self.answer(wire).to_wire(max_size=65535)
                        self.over_tcp += 1
                        conn.sendall(struct.pack("!H", len(reply)) + reply)
                except OSError:
                    pass

    def close(self):
        with contextlib.suppress(OSError):  # it says that it is not connected, and ends recvfrom()
            self.udp.shutdown(socket.SHUT_RDWR)
        self.udp.close()
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
