# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios of perigee-edge share: a fleet of one edge, a raw TLS client, an origin that
does what a test tells it."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import perigee

HOST = "www.example.com"


class Edge(perigee.Daemon):
    """One edge on a free port of 127.0.0.1, with its fleet file."""

    def __init__(self, directory, authority, sites, origins, http="", workers=1, args=(),
                 listen_plain=()):
        self.directory = Path(directory)
        self.authority = authority
        self.fleet = self.directory / "perigee.yaml"
        self.access_log_path = self.directory / "access.log"
        self.workers = workers
        self.listen_plain = list(listen_plain)
        self.write(sites, origins, http)
        super().__init__(perigee.EDGE, self.fleet, "fra1", self.directory, args)
        self.port = self.addresses()[0][1]

    def write(self, sites, origins, http=""):
        """sites: {name: (hosts, [(certificate, key)], {path: origin})}; origins: {name: yaml}."""
        text = [
            f"http: {{access_log: {self.access_log_path}, {http}}}",
            "log: {level: debug}",
            "edges:",
            '  fra1: {location: "50.11,8.68", addresses: [127.0.0.1], listen: ["127.0.0.1:0"], '
            f"listen_plain: {self.listen_plain}, workers: {self.workers}}}",
            "origins:",
            *(f"  {name}: {{{origin}}}" for name, origin in origins.items()),
            "sites:",
        ]
        for name, (hosts, certificates, routes) in sites.items():
            text.append(f"  {name}:")
            text.append(f"    hosts: [{', '.join(repr(h) for h in hosts)}]")
            text.append("    certificates:")
            text.extend(f"      - {{certificate: {c}, key: {k}}}" for c, k in certificates)
            text.append("    routes:")
            text.extend(f"      - {{path: {p}, origin: {o}}}" for p, o in routes.items())
        self.fleet.write_text("\n".join(text) + "\n")

    def url(self, path, host=HOST):
        return f"https://{host}:{self.port}{path}"

    def curl(self, *args, host=HOST, check=True, text=True):
        return subprocess.run(
            ["curl", "-sS", "--max-time", "60", "--cacert", self.authority.certificate,
             "--resolve", f"{host}:{self.port}:127.0.0.1", *map(str, args)],
            capture_output=True, text=text, check=check,
        )

    def connect(self, host=HOST):
        """A verified TLS connection."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        # An end without close_notify is an error, as it should be.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=perigee.PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)

    def exchange(self, request, host=HOST):
        """Sends raw bytes; all bytes until the edge closes, and whether it closed in order."""
        with self.connect(host) as s:
            s.sendall(request)
            return read_to_end(s)

    def settled(self):
        """The counters, once no request is being served: a client has its response a moment before
        it is counted."""
        self.wait_counter("edge_requests_active", 0)
        return self.counters()

    def wait_counter(self, name, value):
        perigee.wait_for(lambda: self.counters()[name] == value, f"{name} to be {value}")


def read_to_end(s):
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except (ssl.SSLError, ConnectionResetError):
        return data, False
    return data, True


class Responses:
    """Reads responses one by one off a connection, which it does not keep open."""

    def __init__(self, s):
        self.socket = s
        self.buffer = b""

    def more(self):
        chunk = self.socket.recv(65536)
        self.buffer += chunk
        return chunk != b""

    def line(self):
        while b"\r\n" not in self.buffer:
            assert self.more(), "closed in the middle of a line"
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def bytes(self, n):
        while len(self.buffer) < n:
            assert self.more(), "closed in the middle of a body"
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def head(self):
        line = self.line()
        assert line.startswith(b"HTTP/1.1 "), line
        status = int(line.split()[1])
        fields = {}
        while line := self.line():
            name, _, value = line.partition(b":")
            fields[name.decode().lower()] = value.strip().decode()
        return status, fields

    def body(self, fields):
        if "chunked" in fields.get("transfer-encoding", ""):
            body = b""
            while size := int(self.line(), 16):
                body += self.bytes(size)
                assert self.line() == b""
            assert self.line() == b""
            return body
        return self.bytes(int(fields["content-length"]))

    def response(self):
        status, fields = self.head()
        return status, fields, self.body(fields)

    def at_end(self):
        return self.buffer == b"" and not self.more()


class ScriptedOrigin:
    """Runs script(connection) in a thread for each connection that it accepts. Health checks are to
    be turned off for it: every connection is a request's."""

    def __init__(self, script):
        self.script = script
        self.errors = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            conn.settimeout(perigee.PATIENCE)
            try:
                self.script(conn)
            except ConnectionError:
                pass  # the edge may break off
            except Exception as e:  # noqa: BLE001 - told by close()
                self.errors.append(repr(e))

    def origin(self, more=""):
        return f'servers: ["127.0.0.1:{self.port}"], health: {{enabled: false}}, {more}'

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        assert not self.errors, self.errors


def read_head(conn):
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = conn.recv(65536)
        if not chunk:
            return data
        data += chunk
    return data
