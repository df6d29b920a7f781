# SPDX-License-Identifier: GPL-3.0-or-later
"""What RFC 9113 and RFC 7541 rule, section by section: the list of h2spec, as data.

Each rule is (section, name, do, outcome). do(c) sends frames on a connection (h2_frames.RawH2) that
has just been opened; stream 1 is where requests go. Outcomes:

("goaway", codes)  the edge ends the connection with one of these
("reset", codes)   it resets stream 1 with one of these, and goes on
("serves",)        nothing is wrong: what is left of stream 1 was done by do(c), and the next is served
"""

import struct

from h2_frames import (ACK, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM,
                       FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                       MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PADDED, PING, PRIORITIZED, PRIORITY,
                       PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED,
                       WINDOW_UPDATE, frame, ping, priority, request, rst_stream, settings, window_update)

FAULT = ("goaway", {PROTOCOL_ERROR})
SIZE = ("goaway", {FRAME_SIZE_ERROR})
CLOSED = ("goaway", {STREAM_CLOSED})
BAD_HPACK = ("goaway", {COMPRESSION_ERROR})
MALFORMED = ("reset", {PROTOCOL_ERROR})
SERVES = ("serves",)

POST = request("POST", "/echo")


def sends(*frames):
    """Of frames, or of functions of the connection that make one."""
    def do(c):
        c.send(*(f(c) if callable(f) else f for f in frames))

    return do


def get(stream=1, flags=END_STREAM | END_HEADERS, **more):
    return lambda c: c.headers(stream, request(**more), flags)


def post(stream=1, more=(), flags=END_HEADERS):
    """Its content is to follow."""
    return lambda c: c.headers(stream, [*POST, *more], flags)


def fields(*pairs, flags=END_STREAM | END_HEADERS):
    return lambda c: c.headers(1, list(pairs), flags)


def more(*pairs):
    return get(more=pairs)


def data(content=b"abc", stream=1, flags=END_STREAM, **how):
    return frame(DATA, flags, stream, content, **how)


def half(c):
    """A header block without its end."""
    return frame(HEADERS, END_STREAM, 1, c.block(request()))


def answered(*frames, status=200, content=None):
    """The same, and stream 1 is answered."""
    def do(c):
        sends(*frames)(c)
        got = c.response(1)
        assert got[0] == status and content in (None, got[2]), got

    return do


def once_answered(*frames):
    """Stream 1 is over before they are sent."""
    def do(c):
        answered(get())(c)
        sends(*frames)(c)

    return do


def split(*sizes):
    """A request in HEADERS and CONTINUATIONs of such sizes; the last takes the rest."""
    def do(c):
        block = c.block(request())
        frames, at = [], 0
        for i, size in enumerate(sizes):
            last = i == len(sizes) - 1
            piece = block[at:] if last else block[at:at + size]
            at += len(piece)
            flags = (END_HEADERS if last else 0) | (END_STREAM if i == 0 else 0)
            frames.append(frame(CONTINUATION if i else HEADERS, flags, 1, piece))
        answered(*frames)(c)

    return do


def raw_block(block, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, 1, block)


def literal(name, value):
    """Never indexed, a name that is spelt out, without Huffman."""
    return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value


def whole(c):
    """A header block that is right."""
    return c.block(request())


def window_of_one(c):
    """RFC 9113 section 6.9.2: frames of one byte, as the window is."""
    c.send(settings((INITIAL_WINDOW_SIZE, 1)), c.get(1, path="/bytes/3"))
    first = c.wait(lambda f: f.kind == DATA, "DATA")
    assert len(first.payload) == 1
    c.barrier()
    assert c.content[1] == first.payload
    c.send(window_update(1, 2))
    assert len(c.response(1)[2]) == 3
    c.send(settings((INITIAL_WINDOW_SIZE, 65535)))


def window_that_changes(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 0)), c.get(1, path="/bytes/3"))
    c.wait(lambda f: f.kind == HEADERS, "HEADERS")
    c.barrier()
    assert 1 not in c.content
    c.send(settings((INITIAL_WINDOW_SIZE, 2)))
    c.wait(lambda f: f.kind == DATA, "DATA")
    assert len(c.content[1]) == 2
    c.send(settings((INITIAL_WINDOW_SIZE, 65535)))
    assert len(c.response(1)[2]) == 3


def window_that_becomes_negative(c):
    c.send(settings((INITIAL_WINDOW_SIZE, 3)), c.get(1, path="/bytes/6"))
    c.wait(lambda f: f.kind == DATA, "DATA")
    c.send(settings((INITIAL_WINDOW_SIZE, 2)), window_update(1, 1))
    c.barrier()
    assert len(c.content[1]) == 3
    c.send(window_update(1, 1))
    c.wait(lambda f: f.kind == DATA, "DATA")
    assert len(c.content[1]) == 4
    c.send(settings((INITIAL_WINDOW_SIZE, 65535)))
    assert len(c.response(1)[2]) == 6


def window_of_all_streams(c):
    """The connection's holds for all together."""
    c.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)), c.get(1, path="/bytes/100000"))
    while sum(map(len, c.content.values())) < 65535:
        c.wait(lambda f: f.kind == DATA, "DATA")
    c.barrier()
    assert len(c.content[1]) == 65535
    c.send(window_update(0, 100000))
    assert len(c.response(1)[2]) == 100000


def acknowledges(c):
    c.send(settings((MAX_CONCURRENT_STREAMS, 100)))
    c.wait(lambda f: f.kind == SETTINGS and f.flags & ACK, "the acknowledgement")


def settings_in_order(c):
    """The last value of one frame counts."""
    c.send(settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), c.get(1, path="/bytes/3"))
    assert len(c.wait(lambda f: f.kind == DATA, "DATA").payload) == 1
    c.send(window_update(1, 100), settings((INITIAL_WINDOW_SIZE, 65535)))
    assert len(c.response(1)[2]) == 3


def answers_ping(c):
    c.send(ping(b"\x00\xff345678"))
    assert c.wait(lambda f: f.kind == PING, "PING").payload == b"\x00\xff345678"


def ignores_acknowledged_ping(c):
    c.send(ping(b"not-sent", ACK), ping(b"question"))
    got = c.wait(lambda f: f.kind == PING, "PING")
    assert (got.payload, got.flags) == (b"question", ACK)


def open_too_many(c):
    """One stream more than the edge's settings say, while none ends; its number."""
    first = c.wait(lambda f: f.kind == SETTINGS and not f.flags & ACK, "SETTINGS")
    pairs = dict(struct.iter_unpack("!HI", first.payload))
    last = 2 * pairs[MAX_CONCURRENT_STREAMS] + 1
    c.send(*(c.headers(stream, POST, END_HEADERS) for stream in range(1, last, 2)), c.get(last))
    return last


def too_many_streams_at_first(c):
    """The client may not have seen the settings yet."""
    last = open_too_many(c)
    got = c.wait(lambda f: f.kind == RST_STREAM, "RST_STREAM")
    assert (got.stream, got.code()) == (last, REFUSED_STREAM)
    c.send(*(rst_stream(stream) for stream in range(1, last, 2)))
    c.barrier()


def too_many_streams(c):
    """It has, and so it is no accident."""
    c.send(settings(flags=ACK))
    open_too_many(c)


def goaway_names_the_last(c):
    answered(get())(c)
    c.send(frame(PING, 0, 0, b"1234567"))
    c.to_end()
    assert [f.last_stream() for f in c.seen if f.kind == GOAWAY][-1] == 1


def trailers_pass(c):
    c.send(c.headers(1, POST, END_HEADERS), data(b"abc", flags=0),
           c.headers(1, [("x-sum", "7")], END_STREAM | END_HEADERS))
    assert c.response(1)[2] == b"abc"


def table_is_resized(c):
    """RFC 7541 section 4.2: at the beginning of a block, and not over what we allow."""
    c.send(raw_block(b"\x20" + b"\x3f\xe1\x1f" + whole(c)))
    assert c.response(1)[0] == 200


def table_is_used(c):
    for stream in (1, 3, 5):
        c.send(c.headers(stream, request(more=[("x-same", "value" * 20)])))
        assert c.response(stream)[0] == 200
    c.encoder.header_table_size = 0
    c.send(c.get(7))
    assert c.response(7)[0] == 200


def padded(kind, content, pad, flags):
    return frame(kind, flags | PADDED, 1, bytes([pad]) + content + bytes(pad))


def depends_on_itself(c):
    """RFC 7540 section 5.3.1."""
    c.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, struct.pack("!IB", 1, 15) + whole(c)))


BIG = bytes(16384)
MAX = (1 << 31) - 1

RULES = [
    # 3.4: the preface
    ("3.4", "settings come first", lambda c: c.wait(lambda f: True).kind == SETTINGS or 1 / 0, SERVES),
    ("3.4", "settings are acknowledged", acknowledges, SERVES),
    # 4.1: frames
    ("4.1", "an unknown type is ignored", sends(frame(0xbe, 0xff, 0, b"x" * 8)), SERVES),
    ("4.1", "unknown flags are ignored", sends(frame(PING, 0x16, 0, b"12345678")), SERVES),
    ("4.1", "the reserved bit is ignored", sends(frame(PING, 0, 1 << 31, b"12345678")), SERVES),
    # 4.2: sizes
    ("4.2", "DATA of 16,384 bytes", answered(post(), data(BIG), content=BIG), SERVES),
    ("4.2", "DATA of more", sends(post(), data(BIG + b"x")), ("goaway", {FRAME_SIZE_ERROR})),
    ("4.2", "HEADERS of more", sends(frame(HEADERS, END_STREAM | END_HEADERS, 1, BIG + b"x")), SIZE),
    ("4.2", "SETTINGS of more", sends(frame(SETTINGS, 0, 0, bytes(6 * 2731))), SIZE),
    ("4.2", "an unknown type of more", sends(frame(0xbe, 0, 0, BIG + b"x")), SIZE),
    # 4.3: header blocks
    ("4.3", "a block that cannot be decoded", sends(raw_block(b"\xff\xff\xff\xff\xff")), BAD_HPACK),
    ("4.3", "PRIORITY within a block", sends(half, priority(1)), FAULT),
    ("4.3", "HEADERS of another stream within a block", sends(half, get(3)), FAULT),
    ("4.3", "DATA within a block", sends(half, data()), FAULT),
    ("4.3", "PING within a block", sends(half, ping()), FAULT),
    # 5.1: states
    ("5.1", "idle: DATA", sends(data()), FAULT),
    ("5.1", "idle: RST_STREAM", sends(rst_stream(1)), FAULT),
    ("5.1", "idle: WINDOW_UPDATE", sends(window_update(1, 100)), FAULT),
    ("5.1", "idle: CONTINUATION", sends(frame(CONTINUATION, END_HEADERS, 1)), FAULT),
    ("5.1", "idle: PRIORITY", answered(priority(1), get()), SERVES),
    ("5.1", "half closed: DATA", sends(get(path="/delay/300"), data()),
     ("either", {STREAM_CLOSED})),
    ("5.1", "half closed: HEADERS", sends(get(path="/delay/300"), get()), ("either", {STREAM_CLOSED})),
    ("5.1", "half closed: CONTINUATION",
     sends(get(path="/delay/300"), frame(CONTINUATION, END_HEADERS, 1)),
     ("goaway", {STREAM_CLOSED, PROTOCOL_ERROR})),
    ("5.1", "half closed: WINDOW_UPDATE", answered(get(), window_update(1, 1)), SERVES),
    ("5.1", "half closed: PRIORITY", answered(get(), priority(1)), SERVES),
    ("5.1", "half closed: RST_STREAM", sends(get(path="/delay/300"), rst_stream(1)), SERVES),
    ("5.1", "closed by RST_STREAM: DATA", sends(post(), rst_stream(1), data()), ("ignored", {STREAM_CLOSED})),
    ("5.1", "closed by RST_STREAM: HEADERS",
     sends(post(), rst_stream(1), get()), ("ignored", {STREAM_CLOSED})),
    ("5.1", "closed by RST_STREAM: CONTINUATION",
     sends(post(), rst_stream(1), frame(CONTINUATION, END_HEADERS, 1)),
     ("goaway", {STREAM_CLOSED, PROTOCOL_ERROR})),
    ("5.1", "closed: DATA", once_answered(data()), ("ignored", {STREAM_CLOSED})),
    ("5.1", "closed: HEADERS", once_answered(get()), ("ignored", {STREAM_CLOSED})),
    ("5.1", "closed: CONTINUATION", once_answered(frame(CONTINUATION, END_HEADERS, 1)),
     ("goaway", {STREAM_CLOSED, PROTOCOL_ERROR})),
    ("5.1", "closed: WINDOW_UPDATE", once_answered(window_update(1, 1)), SERVES),
    ("5.1", "closed: RST_STREAM", once_answered(rst_stream(1)), SERVES),
    ("5.1", "closed: PRIORITY", once_answered(priority(1)), SERVES),
    # 5.1.1: identifiers
    ("5.1.1", "an even one", sends(get(2)), FAULT),
    ("5.1.1", "a smaller one", sends(get(5), get(3)), ("goaway", {PROTOCOL_ERROR, STREAM_CLOSED})),
    ("5.1.1", "the largest", sends(get(MAX)), ("last",)),
    # 5.1.2: concurrency
    ("5.1.2", "one stream too many is refused", too_many_streams_at_first, SERVES),
    ("5.1.2", "one stream too many, of who knows it", too_many_streams,
     ("goaway", {PROTOCOL_ERROR, REFUSED_STREAM})),
    # 5.3: priorities
    ("5.3", "a stream that depends on itself", depends_on_itself, FAULT),
    ("5.3", "PRIORITY that says so is not looked at", sends(priority(1, on=1)), SERVES),
    # 5.4
    ("5.4.1", "GOAWAY names the last stream", goaway_names_the_last, ("ended",)),
    # 5.5: extensions
    ("5.5", "an unknown frame", sends(frame(0x16, 0, 0, b"12345678")), SERVES),
    ("5.5", "an unknown frame of a stream", answered(get(), frame(0x16, 0, 1, b"12345678")), SERVES),
    ("5.5", "an unknown frame within a block", sends(half, frame(0x16, 0, 1, b"12345678")), FAULT),
    # 6.1: DATA
    ("6.1", "plain", answered(post(), data(), content=b"abc"), SERVES),
    ("6.1", "several", answered(post(), data(b"a", flags=0), data(b"bc"), content=b"abc"), SERVES),
    ("6.1", "padded", answered(post(), padded(DATA, b"abc", 5, END_STREAM), content=b"abc"), SERVES),
    ("6.1", "padding alone", answered(post(), padded(DATA, b"", 255, END_STREAM), content=b""), SERVES),
    ("6.1", "empty, with the end",
     answered(post(), data(b"abc", flags=0), data(b""), content=b"abc"), SERVES),
    ("6.1", "of stream 0", sends(data(stream=0)), FAULT),
    ("6.1", "padding over its length", sends(post(), frame(DATA, END_STREAM | PADDED, 1, b"\x04abc")), FAULT),
    ("6.1", "padding of all its length",
     sends(post(), frame(DATA, END_STREAM | PADDED, 1, b"\x05abcd")), FAULT),
    ("6.1", "padded without a length of that", sends(post(), frame(DATA, END_STREAM | PADDED, 1, b"")),
     ("goaway", {FRAME_SIZE_ERROR, PROTOCOL_ERROR})),
    # 6.2: HEADERS
    ("6.2", "plain", answered(get()), SERVES),
    ("6.2", "padded", lambda c: answered(padded(HEADERS, whole(c), 9, END_STREAM | END_HEADERS))(c), SERVES),
    ("6.2", "with a priority", lambda c: answered(
        frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, struct.pack("!IB", 0, 9) + whole(c)))(c),
     SERVES),
    ("6.2", "padded, with a priority", lambda c: answered(
        padded(HEADERS, struct.pack("!IB", 0, 9) + whole(c), 9, END_STREAM | END_HEADERS | PRIORITIZED))(c),
     SERVES),
    ("6.2", "of stream 0", lambda c: c.send(frame(HEADERS, END_STREAM | END_HEADERS, 0, whole(c))), FAULT),
    ("6.2", "padding over its length",
     lambda c: c.send(frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\xff" + whole(c))), FAULT),
    ("6.2", "too short for its priority",
     sends(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, b"\0\0\0")), SIZE),
    # 6.3: PRIORITY
    ("6.3", "plain", answered(priority(1), get(), priority(1, weight=255)), SERVES),
    ("6.3", "of stream 0", sends(priority(0)), FAULT),
    ("6.3", "of another length",
     sends(post(), frame(PRIORITY, 0, 1, b"\0\0\0\0")), ("either", {FRAME_SIZE_ERROR})),
    # 6.4: RST_STREAM
    ("6.4", "plain", sends(post(), rst_stream(1)), SERVES),
    ("6.4", "with an unknown code", sends(post(), rst_stream(1, 0xff)), SERVES),
    ("6.4", "of stream 0", sends(rst_stream(0)), FAULT),
    ("6.4", "of another length", sends(post(), frame(RST_STREAM, 0, 1, b"\0\0\0")), SIZE),
    # 6.5: SETTINGS
    ("6.5", "plain", sends(settings((MAX_CONCURRENT_STREAMS, 100))), SERVES),
    ("6.5", "of a stream", sends(settings(stream=1)), FAULT),
    ("6.5", "of another length", sends(frame(SETTINGS, 0, 0, b"\0\3\0")), SIZE),
    ("6.5", "an acknowledgement with content", sends(settings((MAX_CONCURRENT_STREAMS, 1), flags=ACK)), SIZE),
    ("6.5.2", "ENABLE_PUSH of 2", sends(settings((ENABLE_PUSH, 2))), FAULT),
    ("6.5.2", "ENABLE_PUSH of 0 and 1",
     sends(settings((ENABLE_PUSH, 1)), settings((ENABLE_PUSH, 0))), SERVES),
    ("6.5.2", "INITIAL_WINDOW_SIZE over its maximum", sends(settings((INITIAL_WINDOW_SIZE, 1 << 31))),
     ("goaway", {FLOW_CONTROL_ERROR})),
    ("6.5.2", "MAX_FRAME_SIZE below its minimum", sends(settings((MAX_FRAME_SIZE, 16383))), FAULT),
    ("6.5.2", "MAX_FRAME_SIZE over its maximum", sends(settings((MAX_FRAME_SIZE, 1 << 24))), FAULT),
    ("6.5.2", "an unknown one", sends(settings((0xff, 1))), SERVES),
    ("6.5.3", "in their order", settings_in_order, SERVES),
    ("6.5.3", "acknowledged", acknowledges, SERVES),
    # 6.6: PUSH_PROMISE
    ("6.6", "from a client", lambda c: c.send(c.get(1), frame(PUSH_PROMISE, END_HEADERS, 1,
                                                            struct.pack("!I", 2) + whole(c))), FAULT),
    # 6.7: PING
    ("6.7", "is answered", answers_ping, SERVES),
    ("6.7", "an answer is none", ignores_acknowledged_ping, SERVES),
    ("6.7", "of a stream", sends(frame(PING, 0, 1, b"12345678")), FAULT),
    ("6.7", "of another length", sends(frame(PING, 0, 0, b"123456")), SIZE),
    # 6.8: GOAWAY
    ("6.8", "of a stream", sends(frame(GOAWAY, 0, 1, bytes(8))), FAULT),
    ("6.8", "too short", sends(frame(GOAWAY, 0, 0, bytes(7))), SIZE),
    ("6.8", "what is under way is served",
     answered(get(path="/delay/50"), frame(GOAWAY, 0, 0, bytes(8))), ("ends",)),
    # 6.9: WINDOW_UPDATE
    ("6.9", "plain", answered(get(), window_update(0, 1), window_update(1, 1)), SERVES),
    ("6.9", "of 0, of the connection", sends(window_update(0, 0)), FAULT),
    ("6.9", "of 0, of a stream", sends(post(), window_update(1, 0)), ("either", {PROTOCOL_ERROR})),
    ("6.9", "of another length", sends(frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")), SIZE),
    ("6.9.1", "no more than the window", window_of_one, SERVES),
    ("6.9.1", "nor than the connection's", window_of_all_streams, SERVES),
    ("6.9.1", "over 2^31-1, of the connection", sends(window_update(0, MAX), window_update(0, MAX)),
     ("goaway", {FLOW_CONTROL_ERROR})),
    ("6.9.1", "over 2^31-1, of a stream",
     sends(post(), window_update(1, MAX)), ("reset", {FLOW_CONTROL_ERROR})),
    ("6.9.2", "a window that changes", window_that_changes, SERVES),
    ("6.9.2", "a window that becomes negative", window_that_becomes_negative, SERVES),
    ("6.9.2", "a window over 2^31-1 by settings",
     sends(post(), window_update(1, MAX - 65535), settings((INITIAL_WINDOW_SIZE, 65536))),
     ("either", {FLOW_CONTROL_ERROR})),
    # 6.10: CONTINUATION
    ("6.10", "one", split(5, 0), SERVES),
    ("6.10", "many", split(1, 1, 1, 0), SERVES),
    ("6.10", "empty", split(0, 0, 1, 0), SERVES),
    ("6.10", "another frame between", sends(half, frame(CONTINUATION, 0, 1, b""), data()), FAULT),
    ("6.10", "of stream 0", sends(half, frame(CONTINUATION, END_HEADERS, 0, b"")), FAULT),
    ("6.10", "of another stream", sends(half, frame(CONTINUATION, END_HEADERS, 3, b"")), FAULT),
    ("6.10", "after HEADERS that ended", sends(post(), frame(CONTINUATION, END_HEADERS, 1, b"")), FAULT),
    ("6.10", "after CONTINUATION that ended",
     sends(half, frame(CONTINUATION, END_HEADERS, 1), frame(CONTINUATION, END_HEADERS, 1)),
     ("goaway", {PROTOCOL_ERROR, STREAM_CLOSED})),
    ("6.10", "after DATA", sends(post(), data(flags=0), frame(CONTINUATION, END_HEADERS, 1)), FAULT),
    # 7: error codes
    ("7", "GOAWAY with an unknown code", sends(frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\0\xff")), ("ends",)),
    ("7", "RST_STREAM with an unknown code", sends(get(path="/delay/300"), rst_stream(1, 0xff)), SERVES),
    # 8.1: messages
    ("8.1", "HEAD", answered(get(method="HEAD"), content=b""), SERVES),
    ("8.1", "content", answered(post(), data(), content=b"abc"), SERVES),
    ("8.1", "trailers", trailers_pass, SERVES),
    ("8.1", "trailers that are not the end",
     sends(post(), data(flags=0), fields(("x", "y"), flags=END_HEADERS)),
     ("either", {PROTOCOL_ERROR})),
    ("8.1.1", "content over its length", sends(post(more=[("content-length", "2")]), data()), MALFORMED),
    ("8.1.1", "content under its length", sends(post(more=[("content-length", "4")]), data()), MALFORMED),
    ("8.1.1", "content over its length in pieces",
     sends(post(more=[("content-length", "3")]), data(b"ab", flags=0), data(b"cd")), MALFORMED),
    ("8.1.1", "no content, and a length", sends(get(more=[("content-length", "3")])), MALFORMED),
    ("8.1.1", "two lengths",
     sends(post(more=[("content-length", "3"), ("content-length", "3")]), data()), MALFORMED),
    ("8.1.1", "a length that is none", sends(post(more=[("content-length", "+3")]), data()), MALFORMED),
    # 8.2: fields
    ("8.2.1", "a name in upper case", sends(more(("X-A", "b"))), MALFORMED),
    ("8.2.1", "a blank in a name", sends(more(("x a", "b"))), MALFORMED),
    ("8.2.1", "a colon in a name", sends(more(("x:a", "b"))), MALFORMED),
    ("8.2.1", "an empty name", lambda c: c.send(raw_block(whole(c) + literal(b"", b"x"))), MALFORMED),
    ("8.2.1", "a control character in a name", sends(more(("x\x01", "b"))), MALFORMED),
    ("8.2.1", "bytes over ASCII in a name", lambda c: c.send(raw_block(whole(c) + literal(b"x\xe9", b"y"))),
     MALFORMED),
    ("8.2.1", "NUL in a value", lambda c: c.send(raw_block(whole(c) + literal(b"x", b"a\0b"))), MALFORMED),
    ("8.2.1", "CR in a value", lambda c: c.send(raw_block(whole(c) + literal(b"x", b"a\rb"))), MALFORMED),
    ("8.2.1", "LF in a value", lambda c: c.send(raw_block(whole(c) + literal(b"x", b"a\nb: c"))), MALFORMED),
    ("8.2.1", "a blank before a value",
     lambda c: c.send(raw_block(whole(c) + literal(b"x", b" a"))), MALFORMED),
    ("8.2.1", "a blank after a value",
     lambda c: c.send(raw_block(whole(c) + literal(b"x", b"a\t"))), MALFORMED),
    ("8.2.2", "Connection", sends(more(("connection", "close"))), MALFORMED),
    ("8.2.2", "Keep-Alive", sends(more(("keep-alive", "5"))), MALFORMED),
    ("8.2.2", "Proxy-Connection", sends(more(("proxy-connection", "close"))), MALFORMED),
    ("8.2.2", "Transfer-Encoding", sends(more(("transfer-encoding", "chunked"))), MALFORMED),
    ("8.2.2", "Upgrade", sends(more(("upgrade", "h2c"))), MALFORMED),
    ("8.2.2", "TE that is more than trailers", sends(more(("te", "trailers, deflate;q=0.5"))), MALFORMED),
    ("8.2.2", "TE: trailers", answered(more(("te", "trailers"))), SERVES),
    ("8.2.3", "cookies in crumbs", answered(get(path="/fields", more=[("cookie", "a=1"), ("cookie", "b=2")])),
     SERVES),
    # 8.3: pseudo-header fields
    ("8.3", "an unknown one", sends(fields(*request(), (":test", "x"))), MALFORMED),
    ("8.3", "one of responses", sends(fields(*request(), (":status", "200"))), MALFORMED),
    ("8.3", "one after a field", sends(fields(*request()[:3], ("x-a", "b"), request()[3])), MALFORMED),
    ("8.3", "one among trailers", sends(post(), data(flags=0), fields((":path", "/"))), MALFORMED),
    ("8.3.1", "no method", sends(fields(*request()[1:])), MALFORMED),
    ("8.3.1", "no scheme", sends(fields(request()[0], *request()[2:])), MALFORMED),
    ("8.3.1", "no path", sends(fields(*request()[:3])), MALFORMED),
    ("8.3.1", "an empty path", sends(get(path="")), MALFORMED),
    ("8.3.1", "a path that does not begin with a slash", sends(get(path="x")), MALFORMED),
    ("8.3.1", "a path with a fragment", sends(get(path="/x#y")), MALFORMED),
    ("8.3.1", "a path with a blank", sends(get(path="/x HTTP/1.1")), MALFORMED),
    ("8.3.1", "the asterisk of GET", sends(get(path="*")), MALFORMED),
    ("8.3.1", "the asterisk of OPTIONS", sends(get(path="*", method="OPTIONS")), ("whatever",)),
    ("8.3.1", "two methods", sends(fields((":method", "GET"), *request())), MALFORMED),
    ("8.3.1", "two schemes", sends(fields((":scheme", "https"), *request())), MALFORMED),
    ("8.3.1", "two paths", sends(fields((":path", "/"), *request())), MALFORMED),
    ("8.3.1", "two authorities", sends(fields((":authority", "x"), *request())), MALFORMED),
    ("8.3.1", "no authority", sends(fields(*request()[:2], request()[3])), MALFORMED),
    ("8.3.1", "Host in its place", answered(
        lambda c: c.headers(1, [*request()[:2], request()[3], ("host", request()[2][1])])), SERVES),
    ("8.3.1", "Host that differs", sends(more(("host", "other.test"))), MALFORMED),
    ("8.3.1", "user information", sends(get(authority="u@www.example.com")), MALFORMED),
    ("8.3.1", "a method that is none", sends(get(method="GE T")), MALFORMED),
    ("8.5", "CONNECT with a path", sends(get(method="CONNECT")), MALFORMED),
    ("8.5", "CONNECT without a port",
     sends(fields((":method", "CONNECT"), (":authority", "www.example.com"))),
     MALFORMED),
    # RFC 7541
    ("hpack 2.3.3", "an index that there is not", sends(raw_block(b"\xfe")), BAD_HPACK),
    ("hpack 2.3.3", "a name of an index that there is not", sends(raw_block(b"\x7e\x01x")), BAD_HPACK),
    ("hpack 4.2", "the table is resized at the beginning", table_is_resized, SERVES),
    ("hpack 4.2", "the table is resized at the end",
     lambda c: c.send(raw_block(whole(c) + b"\x20")), BAD_HPACK),
    ("hpack 4.2", "the table is used, and emptied", table_is_used, SERVES),
    ("hpack 5.1", "an integer without end", sends(raw_block(b"\x7f" + b"\xff" * 20)), BAD_HPACK),
    ("hpack 5.2", "a string beyond its block", sends(raw_block(b"\x00\x7fabc")), BAD_HPACK),
    ("hpack 5.2", "padding of more than seven bits", sends(raw_block(b"\x00\x01x\x85\xf1\xe3\xc2\xff\xff")),
     BAD_HPACK),
    ("hpack 5.2", "padding of zeros", sends(raw_block(b"\x00\x01x\x81\x00")), BAD_HPACK),
    ("hpack 5.2", "the symbol of the end", sends(raw_block(b"\x00\x01x\x84\xff\xff\xff\xff")), BAD_HPACK),
    ("hpack 6.1", "index 0", sends(raw_block(b"\x80")), BAD_HPACK),
    ("hpack 6.3", "a table larger than allowed", sends(raw_block(b"\x3f\xe2\x1f" + b"\x82")), BAD_HPACK),
]
