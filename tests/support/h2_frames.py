# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/2 client that sends whatever frames a test makes, right or wrong, and tells what comes back
frame by frame. It knows no rules but those of HPACK, by python3-hpack."""

import ssl
import struct

import hpack

from edge_fleet import HOST

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
PRIORITY_UPDATE = 16

END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
PRIORITIZED = 32

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM,
 INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)

(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """length: what its header says, if not the truth."""
    n = len(payload) if length is None else length
    return struct.pack("!I", n)[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack("!HI", *pair) for pair in pairs))


def window_update(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", n))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def ping(payload=b"12345678", flags=0):
    return frame(PING, flags, 0, payload)


def priority(stream, on=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack("!IB", on, weight))


def request(method="GET", path="/bytes/1", scheme="https", authority=HOST, more=()):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack_from("!I", self.payload, 0 if self.kind == RST_STREAM else 4)[0]

    def last_stream(self):
        """Of GOAWAY."""
        return struct.unpack_from("!I", self.payload)[0]

    def __repr__(self):
        return f"<frame {self.kind} flags {self.flags:#x} stream {self.stream} {self.payload[:32]!r}>"


class Ended(Exception):
    """The edge has closed the connection; .seen: all frames."""


class RawH2:
    def __init__(self, edge, host=HOST, first=PREFACE + settings(), source="127.0.0.1",
                 tcp=None):
        context = edge.client_context()
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(tcp or edge.connect_tcp(source), server_hostname=host,
                                          suppress_ragged_eofs=False)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 24
        self.buffer = b""
        self.seen = []
        self.heads = {}  # of streams: the header sections that came
        self.content = {}
        self.section = b""
        if first:
            self.send(first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *frames):
        """True, or False when the edge takes no more."""
        try:
            self.socket.sendall(b"".join(frames))
        except (OSError, ssl.SSLError):
            return False
        return True

    def block(self, fields):
        return self.encoder.encode(fields, huffman=True)

    def headers(self, stream, fields, flags=END_STREAM | END_HEADERS, **more):
        return frame(HEADERS, flags, stream, self.block(fields), **more)

    def get(self, stream, **more):
        return self.headers(stream, request(**more))

    def read(self):
        """The next frame; raises Ended."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                chunk = self.socket.recv(65536)
            except TimeoutError:
                raise
            except (OSError, ssl.SSLError):
                chunk = b""
            if not chunk:
                raise Ended
            self.buffer += chunk
        n = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack_from("!BBI", self.buffer, 3)
        got = Frame(kind, flags, stream & 0x7FFFFFFF, self.buffer[9:9 + n])
        self.buffer = self.buffer[9 + n:]
        self.seen.append(got)
        self.note(got)
        return got

    def note(self, got):
        if got.kind == DATA:
            self.content[got.stream] = self.content.get(got.stream, b"") + got.payload
        if got.kind in (HEADERS, CONTINUATION):
            self.section += got.payload
            if got.flags & END_HEADERS:
                section, self.section = self.section, b""
                self.heads.setdefault(got.stream, []).append(self.decoder.decode(section))

    def wait(self, condition, what="a frame"):
        """Reads until condition(frame); that frame."""
        while True:
            try:
                got = self.read()
            except Ended:
                raise AssertionError(f"closed instead of {what}: {self.seen}") from None
            if condition(got):
                return got

    def barrier(self):
        """All that was sent before has been dealt with; what came meanwhile is noted."""
        self.send(ping(b"barrier!"))
        self.wait(lambda f: f.kind == PING and f.flags & ACK and f.payload == b"barrier!",
                  "the answer to a PING")

    def to_end(self):
        """All frames until the edge closes."""
        try:
            while True:
                self.read()
        except Ended:
            return self.seen

    def goaway(self):
        """The code of the GOAWAY with which the edge ends the connection."""
        self.to_end()
        codes = [f.code() for f in self.seen if f.kind == GOAWAY]
        assert codes, f"no GOAWAY: {self.seen}"
        return codes[-1]

    def reset(self, stream):
        """The code with which the edge resets it."""
        return self.wait(lambda f: f.kind == RST_STREAM and f.stream == stream, "RST_STREAM").code()

    def response(self, stream):
        """(status, fields, content), once it is whole."""
        for f in self.seen:
            if f.stream == stream and f.kind in (DATA, HEADERS) and f.flags & END_STREAM:
                break
        else:
            self.wait(lambda f: f.stream == stream and (
                f.kind == RST_STREAM or (f.kind in (DATA, HEADERS) and f.flags & END_STREAM)),
                "the end of a response")
        resets = [f for f in self.seen if f.kind == RST_STREAM and f.stream == stream]
        assert not resets or resets[0].code() == NO_ERROR, f"reset: {resets[0].code()}"
        final = next(h for h in self.heads[stream] if not dict(h)[":status"].startswith("1"))
        return int(dict(final)[":status"]), final, self.content.get(stream, b"")

    def serves(self, stream, path="/bytes/1"):
        """The connection is as good as new."""
        self.send(self.get(stream, path=path))
        assert self.response(stream)[0] == 200
