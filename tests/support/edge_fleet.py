# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios of perigee-edge share: a fleet of one edge, a raw TLS client, an origin that
does what a test tells it."""

import contextlib
import json
import select
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path

import perigee

HOST = "www.example.com"


class Edge(perigee.Daemon):
    """One edge on a free port of 127.0.0.1, with its fleet file."""

    def __init__(self, directory, authority, sites, origins, http="", workers=1, args=(),
                 plain=False, inside=(), access_log=None, log="", listen="127.0.0.1:0",
                 node="fra1", own="", others=(), top=()):
        """plain: it listens without TLS too. inside: see Daemon; curl runs there as well.
        access_log: another path than .access_log_path, "-" for standard output. log: more options
        of http.access_log. listen: None: it is only a relay. own: more of the edge's options.
        others: lines with more edges. top: lines with more sections."""
        self.directory = Path(directory)
        self.authority = authority
        self.fleet = self.directory / "perigee.yaml"
        self.access_log_path = self.directory / "access.log"
        self.access_log_option = access_log or self.access_log_path
        self.log_options = log
        self.node = node
        self.workers = workers
        self.plain = plain
        self.listen = listen
        self.inside = inside
        self.own = own
        self.others = others
        self.top = top
        self.write(sites, origins, http)
        super().__init__(perigee.EDGE, self.fleet, node, self.directory, args, inside=inside)
        self.port = self.addresses()[0][1]
        self.plain_port = self.addresses()[-1][1] if plain else None

    @staticmethod
    def cold(origin):
        """Nothing is opened ahead of need, unless a test is about that: they count connections."""
        return origin if "pool:" in origin else origin.rstrip(", ") + ", pool: {warm: 0}"

    def write(self, sites, origins, http=""):
        """sites: {name: (hosts, [(certificate, key)], {path: origin}, line...)}, with lines of more
        options; origins: {name: yaml}.
        An origin of a path may be (origin, yaml) with more of the route's options. The routes may
        be a list of yaml instead."""
        listen = f'addresses: [127.0.0.1], listen: ["{self.listen}"]' if self.listen else "listen: []"
        if self.plain:
            listen += ', listen_plain: ["127.0.0.1:0"]'
        text = [
            f"http: {{access_log: {{output: '{self.access_log_option}', {self.log_options}}}, {http}}}",
            "log: {level: debug}",
            "edges:",
            f'  {self.node}: {{location: "50.11,8.68", {listen}, '
            f"workers: {self.workers}, {self.own}}}",
            *(f"  {line}" for line in self.others),
            "origins:",
            *(f"  {name}: {{{self.cold(origin)}}}" for name, origin in origins.items()),
            "sites:",
        ]
        for name, (hosts, certificates, routes, *more) in sites.items():
            text.append(f"  {name}:")
            text.extend(f"    {line}" for line in more)
            text.append(f"    hosts: [{', '.join(repr(h) for h in hosts)}]")
            text.append("    certificates:")
            text.extend(f"      - {{certificate: {c}, key: {k}}}" for c, k in certificates)
            text.append("    routes:")
            if isinstance(routes, dict):
                pairs = ((path, (origin, "") if isinstance(origin, str) else origin)
                         for path, origin in routes.items())
                routes = [f"path: {path}, origin: {origin}, {more}"
                          for path, (origin, more) in pairs]
            text.extend(f"      - {{{route}}}" for route in routes)
        self.fleet.write_text("\n".join([*text, *self.top]) + "\n")

    def url(self, path, host=HOST):
        return f"https://{host}:{self.port}{path}"

    def curl(self, *args, host=HOST, check=True, text=True, http2=False):
        return subprocess.run(
            [*self.inside, "curl", "-q", "-sS", "--max-time", "60",
             "--http2" if http2 else "--http1.1",
             "--cacert", self.authority.certificate,
             "--resolve", f"{host}:{self.port}:127.0.0.1", *map(str, args)],
            capture_output=True, text=text, check=check,
        )

    def client_context(self):
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        # An end without close_notify is an error, as it should be.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    def connect_tcp(self, source="127.0.0.1"):
        """Without TLS yet, to where it waits for a ClientHello."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=perigee.PATIENCE,
                                     source_address=(source, 0))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def secure(self, s, host=HOST):
        """TLS on a connection that is there; verified."""
        return self.client_context().wrap_socket(s, server_hostname=host,
                                                 suppress_ragged_eofs=False)

    def connect(self, host=HOST, source="127.0.0.1"):
        """A verified TLS connection."""
        return self.secure(self.connect_tcp(source), host)

    def shake_hands(self, *args):
        """A verified handshake by openssl s_client; what it says of it."""
        run = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", HOST,
             "-CAfile", self.authority.certificate, "-verify_return_error", *args],
            input="", capture_output=True, text=True, timeout=perigee.PATIENCE, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

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

    def access_log(self, n):
        """The first n lines, once they are there."""
        def lines():
            if not self.access_log_path.exists():
                return None
            found = self.access_log_path.read_text().splitlines()
            return found if len(found) >= n else None

        found = perigee.wait_for(lines, f"{n} lines in the access log")
        return [json.loads(line) for line in found]


def reset(s):
    """Ends a connection by RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket.close(s)


def is_broken_off(s):
    """Whether the other side ends it, in order or not."""
    try:
        return s.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def read_to_end(s):
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except (ssl.SSLError, ConnectionResetError):
        return data, False
    return data, True


class TlsByHand:
    """A TLS client over a connection that is there, which can do what Python's sockets cannot:
    choose what goes into a packet, and end its own side while it goes on reading."""

    def __init__(self, edge, s, host=HOST):
        self.socket = s
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = edge.client_context().wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    def flush(self, first=b"", at_once=1 << 20):
        data = first + self.outgoing.read()
        for i in range(0, len(data), at_once):
            self.socket.sendall(data[i:i + at_once])

    def shake_hands(self, first=b"", at_once=1 << 20):
        """In packets of so many bytes, and with what is to come first. TLS errors are raised."""
        while True:
            try:
                self.tls.do_handshake()
                self.flush(b"", at_once)
                return
            except ssl.SSLWantReadError:
                self.flush(first, at_once)
                first = b""
                self.receive()

    def receive(self):
        data = self.socket.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def sendall(self, data):
        self.tls.write(data)
        self.flush()

    def end_writing(self):
        """close_notify, and no more. What has come is to be read first."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def recv(self, n):
        """b"" after a close_notify."""
        while True:
            try:
                return self.tls.read(n)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self.receive()


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


@contextlib.contextmanager
def bystander(edge):
    """A client whose connection serves before and after; no other is left then."""
    with edge.connect() as s:
        responses = Responses(s)

        def ask():
            s.sendall(f"GET /bytes/5 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            assert responses.response()[0] == 200

        ask()
        yield
        ask()
    edge.wait_counter("edge_connections_active", 0)


class Sending:
    """A TLS socket that sends what is left while it waits for bytes: OpenSSL's object is not to be
    used by two threads at once."""

    def __init__(self, connection, data):
        self.connection, self.data = connection, memoryview(data)
        connection.setblocking(False)

    def recv(self, n):
        while True:
            try:
                return self.connection.recv(n)
            except ssl.SSLWantReadError:
                pass
            writers = [self.connection] if self.data else []
            ready = select.select([self.connection], writers, [], perigee.PATIENCE)
            if not any(ready):
                raise TimeoutError("nothing to read, and nothing can be sent")
            if ready[1]:
                try:
                    self.data = self.data[self.connection.send(self.data[:16384]):]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass


class ScriptedOrigin:
    """Runs script(connection) in a thread for each connection that it accepts. Health checks are to
    be turned off for it: every connection is a request's."""

    def __init__(self, script, tls=None, receive_buffer=None, address="127.0.0.1", port=0):
        """tls: (certificate, key). address: or the path of a Unix socket."""
        self.script = script
        self.errors = []
        self.tls = None
        if tls:
            self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.tls.load_cert_chain(*map(str, tls))
        if address.startswith("/"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address)
            self.listener.listen(1024)
        else:
            self.listener = socket.create_server((address, port), backlog=1024)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port = None if address.startswith("/") else self.listener.getsockname()[1]
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
            if self.port:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                if self.tls:
                    with self.tls.wrap_socket(conn, server_side=True) as secure:
                        self.script(secure)
                else:
                    self.script(conn)
            except (ConnectionError, ssl.SSLEOFError):
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


def ask_each(edge, method="GET", n=1):
    """The status of each of n requests, one after the other, each by a connection of its own; 0: it
    broke."""
    got = []
    for _ in range(n):
        with edge.connect() as s:
            s.sendall(f"{method} /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n".encode())
            try:
                got.append(Responses(s).response()[0])
            except (OSError, AssertionError, ValueError, EOFError):
                got.append(0)
    return got
