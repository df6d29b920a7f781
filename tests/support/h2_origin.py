# SPDX-License-Identifier: GPL-3.0-or-later
"""An origin that speaks HTTP/2 (python3-h2) and does what a test tells it, a thread for each
connection."""

import contextlib
import socket
import ssl
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

import perigee


class Request:
    def __init__(self, stream, fields):
        self.stream, self.fields, self.body = stream, dict(fields), b""
        self.path, self.method = self.fields.get(":path"), self.fields[":method"]
        self.trailers = None


class Connection:
    """One connection of an edge, as its origin's `serve` sees it."""

    def __init__(self, origin, sock, number):
        self.origin, self.socket, self.number = origin, sock, number
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8"))
        self.requests, self.waiting = {}, {}
        self.served = 0
        self.lock = threading.RLock()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def run(self):
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100, **self.origin.settings})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.flush()
        # h2 would break the connection off where others refuse a stream: that is for the test.
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            **self.origin.settings, h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000})
        while data := self.socket.recv(65536):
            if self.origin.deaf.is_set():
                continue
            with self.lock:
                for event in self.h2.receive_data(data):
                    self.take(event)
                self.pump()
                self.flush()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            r = Request(event.stream_id, event.headers)
            self.requests[event.stream_id] = r
            with self.origin.lock:
                self.origin.open += 1
                self.origin.most = max(self.origin.most, len(self.requests))
            self.origin.begun(self, r)
        elif isinstance(event, h2.events.DataReceived):
            r = self.requests.get(event.stream_id)
            if r is not None:
                r.body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.requests[event.stream_id].trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            r = self.requests.get(event.stream_id)
            if r is not None:
                self.origin.asked(self, r)
        elif isinstance(event, h2.events.StreamReset):
            self.requests.pop(event.stream_id, None)
            self.waiting.pop(event.stream_id, None)
            self.origin.resets.append(event.error_code)

    def respond(self, r, status=200, body=b"", fields=(), trailers=None):
        """Content goes out as far as the windows let it."""
        self.h2.send_headers(r.stream, [(":status", str(status)), *fields],
                             end_stream=not body and trailers is None)
        if body or trailers is not None:
            self.waiting[r.stream] = (memoryview(body), trailers)
        else:
            self.requests.pop(r.stream, None)
        self.served += 1
        with self.origin.lock:
            self.origin.served += 1

    def refuse(self, r, code=h2.errors.ErrorCodes.REFUSED_STREAM):
        self.h2.reset_stream(r.stream, code)
        self.requests.pop(r.stream, None)

    def goaway(self, last):
        """h2 itself would let no stream end after it."""
        self.flush()
        self.socket.sendall(b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4, "big") + bytes(4))

    def pump(self):
        for stream, (body, trailers) in list(self.waiting.items()):
            try:
                while body:
                    n = min(len(body), self.h2.local_flow_control_window(stream),
                            self.h2.max_outbound_frame_size)
                    if n == 0:
                        break
                    self.h2.send_data(stream, body[:n],
                                      end_stream=n == len(body) and trailers is None)
                    body = body[n:]
            except h2.exceptions.StreamClosedError:
                body, trailers = b"", None
                del self.waiting[stream]
                self.requests.pop(stream, None)
                continue
            self.waiting[stream] = (body, trailers)
            if not body:
                if trailers is not None:
                    self.h2.send_headers(stream, trailers, end_stream=True)
                del self.waiting[stream]
                self.requests.pop(stream, None)


class H2Origin:
    """asked(connection, request) answers a request that is whole; by default with 200 and what
    connection it came by."""

    def __init__(self, asked=None, tls=None, alpn=("h2", "http/1.1"), settings=None,
                 connection=Connection, port=0):
        self.connection = connection
        self.asked = asked or (lambda c, r: c.respond(r, body=b"%d" % c.number))
        self.begun = lambda c, r: None
        self.settings = settings or {}
        self.lock = threading.Lock()
        self.open = self.served = self.most = 0
        self.resets, self.connections, self.threads = [], [], []
        self.http1 = 0
        self.faults = []  # what a test has asserted in vain
        self.deaf = threading.Event()  # takes bytes, and does nothing with them
        self.context = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*map(str, tls))
            if alpn:
                self.context.set_alpn_protocols(list(alpn))
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                t = threading.Thread(target=self.serve, args=(sock,), daemon=True)
                t.start()

    def serve(self, sock):
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
                if sock.selected_alpn_protocol() != "h2":
                    self.serve_http1(sock)
                    return
            with self.lock:
                c = self.connection(self, sock, len(self.connections))
                self.connections.append(c)
            try:
                c.run()
            except AssertionError as e:
                self.faults.append(repr(e))
        with contextlib.suppress(OSError):
            sock.close()

    def serve_http1(self, sock):
        self.http1 += 1
        buffer = b""
        while data := sock.recv(65536):
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                if b"upgrade: websocket" in head.lower():
                    sock.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
                else:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh1")

    def origin(self, more=""):
        protocol = "" if self.context is not None else ", protocol: h2"
        return (f'servers: ["127.0.0.1:{self.port}"], health: {{enabled: false}}{protocol}'
                + (f", {more}" if more else ""))

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in self.connections:
            with contextlib.suppress(OSError):
                c.socket.close()
        self.thread.join(perigee.PATIENCE)
        assert not self.faults
