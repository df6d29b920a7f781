# SPDX-License-Identifier: GPL-3.0-or-later
"""Our HTTP/1.1 parser and h11 over the same messages.

They must agree, in the verdict and in what was read, or differ in the way that the case states:
STRICTER (we refuse what h11 takes), LAXER (the reverse) or OTHERWISE (both take it, and read it
differently), each with the reason. A difference that is gone fails too.
"""

import json
import os
import subprocess
from pathlib import Path

import h11
import pytest

if "PERIGEE_BUILD" not in os.environ:
    pytest.skip("PERIGEE_BUILD is not set", allow_module_level=True)

PROGRAM = Path(os.environ["PERIGEE_BUILD"]).resolve() / "tests" / "support" / "h1_cases"

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
TE = b"Transfer-Encoding: chunked\r\n\r\n"


class Difference:
    def __init__(self, kind, why):
        self.kind, self.why = kind, why


def stricter(why):
    return Difference("stricter", why)


def laxer(why):
    return Difference("laxer", why)


def otherwise(why):
    return Difference("otherwise", why)


BARE_LF = "h11 takes a bare LF for a line end; a proxy in front may not"
BARE_CR = "a bare CR is a line end to some"
FOLD = "obs-fold: RFC 9112 section 5.2 lets a server refuse it"
TARGET = "h11 leaves the form of the target to its user"
HOST = "h11 counts Host but does not look into it"
CTL = "RFC 9110 section 5.5 forbids control characters; h11 refuses NUL and white space only"
VERSION = "h11 takes every version of one digit and one digit"
LENGTHS = "RFC 9112 section 6.3 item 5 lets equal lengths pass; nobody honest sends them"
BOTH = "h11 lets Transfer-Encoding win (RFC 9112 section 6.3 item 3); that is smuggling's classic"
TE_10 = "RFC 9112 section 6.1: to be treated as faulty framing"
EXTENSION = "nothing in a line may be a control character"

REQUESTS = [
    (b"", None),
    (b"GET / HTT", None),
    (GET, None),
    (GET + b"\r\n", None),
    (GET + b"\r\nGET /next", None),
    (GET + b"A:b\r\nC:  d\te \t\r\nE:\r\n\r\n", None),
    (GET + b"A: \xc3\xa9\xff\r\n\r\n", None),
    (GET + b"!#$%&'*+-.^_`|~09AZaz: b\r\n\r\n", None),
    (b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /a?b=%20{|}\"<>[]^`\\ HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", None),
    (b"GET / HTTP/1.0\r\n\r\n", None),
    (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", None),
    (b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", None),
    (GET + b"Connection: close\r\n\r\n", None),
    (GET + b"Connection: x, CLOSE\r\n\r\n", None),
    (GET + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", None),
    # the start line
    (b"\r\n" + GET + b"\r\n", laxer("RFC 9112 section 2.2: one empty line is skipped")),
    (b"\r\n\r\n" + GET + b"\r\n", None),
    (b"GET\r\n\r\n", None),
    (b"GET /\r\n\r\n", None),
    (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", None),
    (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", stricter(TARGET)),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", stricter(TARGET)),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", stricter(TARGET)),
    (b"GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", stricter(TARGET)),
    (b"GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n", stricter(TARGET)),
    (b"CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", stricter(TARGET)),
    (b"GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", otherwise("we split an absolute target")),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", stricter(VERSION)),
    (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", None),
    (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", stricter(VERSION)),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", None),
    (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", None),
    (b"GET / HTTP/11\r\nHost: a\r\n\r\n", None),
    # line ends
    (b"GET / HTTP/1.1\nHost: a\n\n", stricter(BARE_LF)),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n", stricter(BARE_LF)),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", stricter(BARE_LF)),
    (GET + b"A: b\rC: d\r\n\r\n", None),
    (GET + b"A: b\r\r\n\r\n", None),
    (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", None),
    # Host
    (b"GET / HTTP/1.1\r\n\r\n", None),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", None),
    (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", None),
    (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", stricter(HOST)),
    (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", stricter(HOST)),
    (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", stricter(HOST)),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", stricter(HOST)),
    (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", stricter(HOST)),
    # fields
    (GET + b"A : b\r\n\r\n", None),
    (GET + b"A\r\n\r\n", None),
    (GET + b": b\r\n\r\n", None),
    (GET + b"A b: c\r\n\r\n", None),
    (GET + b"A(b): c\r\n\r\n", None),
    (GET + b"\xc3\xa9: c\r\n\r\n", None),
    (GET + b"A: b\x00c\r\n\r\n", None),
    (GET + b"A: b\x01c\r\n\r\n", stricter(CTL)),
    (GET + b"A: b\x7fc\r\n\r\n", stricter(CTL)),
    (GET + b"A: b\x0bc\r\n\r\n", None),
    (GET + b"A: b\x0cc\r\n\r\n", None),
    (GET + b"A: b\r\n c\r\n\r\n", stricter(FOLD)),
    (GET + b"A: b\r\n\tc\r\n\r\n", stricter(FOLD)),
    (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", None),
    (GET + b"Expect: miracles\r\n\r\n", stricter("RFC 9110 section 10.1.1: 417")),
    # framing
    (GET + b"Content-Length: 3\r\n\r\nabc", None),
    (GET + b"Content-Length: 0\r\n\r\nnext", None),
    (GET + b"content-length:\t007 \r\n\r\nabcdefgh", None),
    (GET + b"Content-Length: 4\r\n\r\nabc", None),
    (GET + b"Content-Length:\r\n\r\n", None),
    (GET + b"Content-Length: +3\r\n\r\nabc", None),
    (GET + b"Content-Length: -3\r\n\r\nabc", None),
    (GET + b"Content-Length: 0x3\r\n\r\nabc", None),
    (GET + b"Content-Length: 3 3\r\n\r\nabc", None),
    (GET + b"Content-Length: 3, 4\r\n\r\nabc", None),
    (GET + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", None),
    (GET + b"Content-Length: 3, 3\r\n\r\nabc", stricter(LENGTHS)),
    (GET + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", stricter(LENGTHS)),
    (GET + b"Content-Length: 99999999999999999999\r\n\r\n",
     stricter("Python's numbers have no end, ours do")),
    (GET + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", stricter(BOTH)),
    (GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stricter(BOTH)),
    (b"POST / HTTP/1.0\r\n" + TE + b"0\r\n\r\n", stricter(TE_10)),
    (GET + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", None),
    (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding: chunked, gzip\r\n\r\n", None),
    (GET + b"Transfer-Encoding: chunked, chunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", None),
    (GET + b"Transfer-Encoding: gzip\r\n\r\n", None),
    (GET + b"Transfer-Encoding: identity\r\n\r\n", None),
    (GET + b"Transfer-Encoding: xchunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding: ,chunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding: \"chunked\"\r\n\r\n", None),
    (GET + b"Transfer-Encoding:\r\n\r\n", None),
    (GET + b"Transfer-Encoding: \x0bchunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding : chunked\r\n\r\n", None),
    (GET + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", stricter(FOLD)),
    # chunks
    (GET + TE + b"3\r\nabc\r\n0\r\n\r\nnext", None),
    (GET + TE + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", None),
    (GET + TE + b"3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", None),
    (GET + TE + b"0\r\nA: b\r\nC:\r\n\r\n", None),
    (GET + TE + b"0\r\nA: b", None),
    (GET + TE + b"3\r\nab", None),
    (GET + TE + b"\r\n", None),
    (GET + TE + b"0x3\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"-3\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"+3\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"3g\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b" 3\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"3 3\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"3\r\nabcd\r\n0\r\n\r\n", None),
    (GET + TE + b"3\r\nabcXX0\r\n\r\n", None),
    (GET + TE + b"3\r\nabc\n0\r\n\r\n", None),
    (GET + TE + b"3 \r\nabc\r\n0\r\n\r\n", stricter("white space there is no extension")),
    (GET + TE + b"3\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"3;a\nb\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"3;a\rb\r\nabc\r\n0\r\n\r\n", stricter(BARE_CR)),
    (GET + TE + b"3;a\x00\r\nabc\r\n0\r\n\r\n", stricter(EXTENSION)),
    (GET + TE + b"00000000000000003\r\nabc\r\n0\r\n\r\n", stricter("16 digits are 64 bits")),
    (GET + TE + b"000000000000000000003\r\nabc\r\n0\r\n\r\n", None),
    (GET + TE + b"0\r\nA : b\r\n\r\n", None),
    (GET + TE + b"0\r\nA: b\r\n c\r\n\r\n", stricter(FOLD)),
    (GET + TE + b"0\r\nA: b\n\r\n", stricter(BARE_LF)),
    (GET + TE + b"0\r\n\n", stricter(BARE_LF)),
    (GET + TE + b"0\r\nContent-Length: 3\r\n\r\n",
     stricter("RFC 9110 section 6.5.1: no framing in trailers")),
    (GET + TE + b"0\r\nHost: b\r\nA: b\r\n\r\n",
     otherwise("RFC 9110 section 6.5.1: we drop routing from trailers")),
    (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     otherwise("h11 closes every HTTP/1.0 connection")),
]

RESPONSES = [
    (OK, None),
    (OK + b"Content-Length: 3\r\n\r\nabc", None),
    (OK + b"Content-Length: 3\r\n\r\nab", None),
    (OK + b"\r\nabc", None),
    (OK + TE + b"3\r\nabc\r\n0\r\nA: b\r\n\r\n", None),
    (OK + TE + b"3\r\nabc\r\n", None),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", None),
    (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", None),
    (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", None),
    (b"HTTP/1.1 999 Very\tod\xe9\r\nContent-Length: 0\r\n\r\n", None),
    (b"HTTP/1.1 100 Continue\r\n\r\n", None),
    (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", None),
    (b"HTTP/1.1 204 No Content\r\n\r\n", None),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", None),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", None),
    (b"\r\n" + OK + b"\r\n", None),
    (b"HTTP/1.1  200 OK\r\n\r\n", None),
    (b"HTTP/1.1 200OK\r\n\r\n", None),
    (b"HTTP/1.1 20\r\n\r\n", None),
    (b"HTTP/1.1 2000 OK\r\n\r\n", None),
    (b"HTTP/1.1 099 OK\r\n\r\n", None),
    (b"ICY 200 OK\r\n\r\n", None),
    (b"HTTP/2.0 200 OK\r\n\r\n", stricter(VERSION)),
    (b"HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\nx", None),
    (b"HTTP/1.1 200 O\x01K\r\n\r\n", stricter(CTL)),
    (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", stricter(BARE_LF)),
    (OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", stricter(FOLD)),
    (OK + b"A : b\r\n\r\n", laxer("RFC 9112 section 5.1: a proxy must remove the white space")),
    (OK + b"Content-Length: 3, 4\r\n\r\nabc", None),
    (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", stricter(LENGTHS)),
    (OK + b"Content-Length: 3\r\n" + TE + b"0\r\n\r\n", stricter(BOTH)),
    (OK + b"Transfer-Encoding: gzip\r\n\r\n", None),
    (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", None),
    (b"HTTP/1.0 200 OK\r\n" + TE + b"0\r\n\r\n", stricter(TE_10)),
]

RESPONSES_TO_HEAD = [
    (OK + b"Content-Length: 3\r\n\r\n", None),
    (OK + TE, None),
    (OK + b"\r\n", None),
]

CASES = (
    [("request", wire, difference) for wire, difference in REQUESTS]
    + [("response", wire, difference) for wire, difference in RESPONSES]
    + [("response-to-head", wire, difference) for wire, difference in RESPONSES_TO_HEAD]
)


@pytest.fixture(scope="module")
def ours():
    lines = "".join(f"{kind} {wire.hex()}\n" for kind, wire, _ in CASES)
    run = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == len(CASES)
    return answers


def without_framing(pairs):
    framing = (b"content-length", b"transfer-encoding")
    return [(name, value) for name, value in pairs if name.lower() not in framing]


def message_of_ours(kind, wire, answer):
    def pairs(fields):
        return [(bytes.fromhex(name), bytes.fromhex(value)) for name, value in fields]

    if kind == "request":
        start = (bytes.fromhex(answer["method"]), bytes.fromhex(answer["target"]))
    else:
        start = (answer["code"], bytes.fromhex(answer["reason"]))
    return {
        "start": start,
        "fields": pairs(answer["fields"]),
        "content": bytes.fromhex(answer["content"]),
        "trailers": pairs(answer["trailers"]),
        "rest": wire[answer["consumed"]:],
        "keep_alive": answer["keep_alive"],
    }


def h11_connection(kind):
    if kind == "request":
        return h11.Connection(h11.SERVER)
    connection = h11.Connection(h11.CLIENT)
    method = "HEAD" if kind == "response-to-head" else "GET"
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    return connection


def read_by_h11(kind, wire):
    """(verdict, message or reason)"""
    connection = h11_connection(kind)
    message = {"content": b"", "trailers": [], "keep_alive": True}
    closed = False
    try:
        if wire:
            connection.receive_data(wire)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                # The end of the connection is the end of some responses.
                if closed or connection.their_state is not h11.SEND_BODY or kind == "request":
                    return "more", None
                closed = True
                try:
                    connection.receive_data(b"")
                    event = connection.next_event()
                except h11.RemoteProtocolError:
                    return "more", None
            if isinstance(event, h11.Request):
                message["start"] = (event.method, event.target)
            elif isinstance(event, (h11.Response, h11.InformationalResponse)):
                message["start"] = (event.status_code, event.reason)
            if hasattr(event, "status_code") or isinstance(event, h11.Request):
                message["fields"] = without_framing(event.headers.raw_items())
            if isinstance(event, h11.Data):
                message["content"] += bytes(event.data)
            if isinstance(event, (h11.EndOfMessage, h11.InformationalResponse)):
                if isinstance(event, h11.EndOfMessage):
                    message["trailers"] = event.headers.raw_items()
                message["rest"] = bytes(connection.trailing_data[0])
                message["keep_alive"] = connection.their_state is not h11.MUST_CLOSE and not closed
                return "ok", message
            assert event is not h11.PAUSED
    except h11.RemoteProtocolError as error:
        return "bad", str(error)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_case(ours, number):
    kind, wire, difference = CASES[number]
    answer = ours[number]
    verdict, message = read_by_h11(kind, wire)
    told = f"{kind} {wire!r}\nwe: {answer}\nh11: {verdict} {message}"

    if difference is None:
        assert answer["verdict"] == verdict, told
        if verdict == "ok":
            assert message_of_ours(kind, wire, answer) == message, told
    elif difference.kind == "stricter":
        assert answer["verdict"] == "bad" and verdict != "bad", told
    elif difference.kind == "laxer":
        assert answer["verdict"] == "ok" and verdict == "bad", told
    else:
        assert answer["verdict"] == verdict == "ok", told
        assert message_of_ours(kind, wire, answer) != message, told
