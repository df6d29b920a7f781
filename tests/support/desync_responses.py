# SPDX-License-Identifier: GPL-3.0-or-later
"""Responses of an origin that two implementations may read differently, with what must become of
each. Each case is (group, name, request, pieces, outcome): what the client asks, and what the origin
sends, the pieces after the first once the client has its response; CLOSE at the end: it closes then.
A request for /next follows each: it must get its own response. Outcomes:

relayed(...)      the client gets it whole; keeps: the origin's connection is used again
bad()             502, and the connection to the origin is closed
cut()             it cannot be completed, and the client can tell
tunnelled(...)    the client gets 101 and all that follows
"""

from collections import namedtuple

from desync_requests import END, HOST

CLOSE = object()
OK = "HTTP/1.1 200 OK\r\n"
L3 = "Content-Length: 3\r\n\r\nabc"
TE = "Transfer-Encoding: chunked\r\n\r\n"
EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"

Outcome = namedtuple("Outcome", "kind status content keeps has lacks")
Case = namedtuple("Case", "group name request pieces outcome")


def relayed(content="abc", status=200, keeps=True, has=(), lacks=()):
    """has, lacks: fields ("Name: value") and names of fields."""
    return Outcome("relayed", status, content, keeps, has, lacks)


def bad():
    return Outcome("bad", 502, None, False, (), ())


def cut():
    return Outcome("cut", 200, None, False, (), ())


def tunnelled(content):
    return Outcome("tunnelled", 101, content, False, (), ())


def ask(fields="", method="GET", version="HTTP/1.1", content=""):
    return f"{method} /case {version}\r\nHost: {HOST}\r\n{fields}\r\n{content}"


GET, HEAD = ask(), ask(method="HEAD")
UPGRADE = ask("Connection: Upgrade\r\nUpgrade: websocket\r\n")


def grouped(groups):
    """Of cases (name, [request,] pieces, outcome)."""
    for group, cases in groups.items():
        for name, *request, pieces, outcome in cases:
            pieces = [pieces] if isinstance(pieces, str) else pieces
            yield Case(group, name, request[0] if request else GET, pieces, outcome)


def line(text):
    return f"{text}\r\n{L3}"


def fields(text):
    return f"{OK}{text}{L3}"


STATUS_LINES = [
    ("plain", line("HTTP/1.1 200 OK"), relayed()),
    ("no reason phrase", line("HTTP/1.1 200 "), relayed()),
    ("nothing behind the status", line("HTTP/1.1 200"), relayed()),
    ("a reason phrase over ASCII", line("HTTP/1.1 200 \xe9t\xe9"), relayed()),
    ("a tab in the reason phrase", line("HTTP/1.1 200 O\tK"), relayed()),
    ("a status that nobody knows", line("HTTP/1.1 299 X"), relayed(status=299)),
    ("a class that nobody knows", line("HTTP/1.1 799 X"), relayed(status=799)),
    ("the version 1.2", line("HTTP/1.2 200 OK"), relayed()),
    ("the version 1.0", line("HTTP/1.0 200 OK"), relayed(keeps=False)),
    ("the version 1.0, kept alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + L3, relayed()),
    ("the version 0.9", line("HTTP/0.9 200 OK"), bad()),
    ("the version 2", line("HTTP/2 200 OK"), bad()),
    ("the version 2.0", line("HTTP/2.0 200 OK"), bad()),
    ("the version in lower case", line("http/1.1 200 OK"), bad()),
    ("another protocol", line("ICY 200 OK"), bad()),
    ("a banner of SSH", "SSH-2.0-OpenSSH_9.2\r\n", bad()),
    ("HTTP/0.9", ["<html>smuggled</html>", CLOSE], bad()),
    ("nothing", ["", CLOSE], bad()),
    ("an empty line", line("\r\nHTTP/1.1 200 OK"), bad()),
    ("a blank before it", line(" HTTP/1.1 200 OK"), bad()),
    ("two spaces before the status", line("HTTP/1.1  200 OK"), bad()),
    ("a tab before the status", line("HTTP/1.1\t200 OK"), bad()),
    ("no space behind the status", line("HTTP/1.1 200OK"), bad()),
    ("a tab behind the status", line("HTTP/1.1 200\tOK"), bad()),
    ("two digits", line("HTTP/1.1 20 OK"), bad()),
    ("four digits", line("HTTP/1.1 2000 OK"), bad()),
    ("letters", line("HTTP/1.1 2OO OK"), bad()),
    ("a sign", line("HTTP/1.1 +20 OK"), bad()),
    ("a status below 100", line("HTTP/1.1 099 X"), bad()),
    ("LF at its end", f"HTTP/1.1 200 OK\n{L3}", bad()),
    ("CR in the reason phrase", line("HTTP/1.1 200 O\rK"), bad()),
    ("NUL in the reason phrase", line("HTTP/1.1 200 O\0K"), bad()),
    ("a request", line(f"GET / HTTP/1.1\r\nHost: {HOST}"), bad()),
]

FIELDS = [
    ("an unknown one", fields("X-A: b\r\n"), relayed(has=("X-A: b",))),
    ("two cookies", fields("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
     relayed(has=("Set-Cookie: b=2",))),
    ("a blank before the colon is removed", fields("X-A : b\r\n"), relayed(has=("X-A: b",))),
    ("a blank before the length's colon", OK + "Content-Length : 3\r\n\r\nabc", relayed()),
    ("a blank before the coding's colon", OK + "Transfer-Encoding : chunked\r\n\r\n3\r\nabc\r\n" + END,
     relayed()),
    ("a length, and a coding with a blank",
     OK + "Content-Length: 3\r\nTransfer-Encoding : chunked\r\n\r\nabc",
     bad()),
    ("a folded line", fields("X-A: b\r\n c\r\n"), bad()),
    ("a folded length", OK + "Content-Length:\r\n 3\r\n\r\nabc", bad()),
    ("a folded first line", fields(" X: y\r\n"), bad()),
    ("LF at a line's end", fields("X-A: b\nX-B: c\r\n"), bad()),
    ("CR in a value", fields("X-A: b\rX-B: c\r\n"), bad()),
    ("LF for the empty line", f"{OK}Content-Length: 3\r\n\nabc", bad()),
    ("NUL in a value", fields("X-A: b\0\r\n"), bad()),
    ("NUL in a name", fields("X\0A: b\r\n"), bad()),
    ("an escape in a value", fields("X-A: \x1b[2J\r\n"), bad()),
    ("bytes over ASCII in a name", fields("X-\xe9: b\r\n"), bad()),
    ("no colon", fields("X-A\r\n"), bad()),
    ("no name", fields(": b\r\n"), bad()),
    ("a blank in a name", fields("X A: b\r\n"), bad()),
    ("too many", fields("a: b\r\n" * 300), bad()),
    ("too much", fields(f"X-A: {'a' * 100000}\r\n"), bad()),
    ("hop-by-hop ones", fields("Keep-Alive: timeout=5\r\nConnection: X-A\r\nX-A: 1\r\nX-B: 2\r\n"
                               "Proxy-Connection: close\r\nUpgrade: h2c\r\n"),
     relayed(has=("X-B: 2",), lacks=("Keep-Alive", "X-A", "Connection", "Upgrade", "Proxy-Connection"))),
    ("Connection names the length", OK + "Connection: Content-Length\r\n" + L3, relayed()),
    ("Connection names the coding", OK + "Connection: Transfer-Encoding\r\n" + TE + "3\r\nabc\r\n" + END,
     relayed()),
    ("a range", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\n" + L3,
     relayed(status=206, has=("Content-Range: bytes 0-2/9",))),
    ("ranges that end by themselves",
     ["HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x--\r\n",
      CLOSE],
     relayed("--x--\r\n", status=206, keeps=False)),
]


def length(value, content="abc", more=""):
    return f"{OK}Content-Length: {value}\r\n{more}\r\n{content}"


LENGTHS = [
    ("plain", length("3"), relayed()),
    ("zero", length("0", ""), relayed("")),
    ("leading zeros", length("0003"), relayed()),
    ("a sign", length("+3"), bad()),
    ("a negative one", length("-3"), bad()),
    ("hexadecimal", length("0x3"), bad()),
    ("letters after it", length("3abc"), bad()),
    ("two numbers", length("3 4"), bad()),
    ("empty", length(""), bad()),
    ("a list of the same", length("3, 3"), bad()),
    ("a list of others", length("3, 4"), bad()),
    ("twice the same", length("3", more="Content-Length: 3\r\n"), bad()),
    ("twice, and they differ", length("3", more="Content-Length: 0\r\n"), bad()),
    ("over 64 bits", length("18446744073709551619"), bad()),
    ("over 63 bits", length("9223372036854775811"), bad()),
    ("less content than it says", [length("4"), CLOSE], cut()),
    ("none, and an end", [OK + "\r\nabc", CLOSE], relayed(keeps=False)),
    ("none, and an end at once", [OK + "\r\n", CLOSE], relayed("", keeps=False)),
    ("none of HTTP/1.0",
     ["HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", CLOSE], relayed(keeps=False)),
    ("none, for a client of HTTP/1.0", ask(version="HTTP/1.0"),
     [OK + "\r\nabc", CLOSE], relayed(keeps=False)),
    ("with close", [OK + "Connection: close\r\n" + L3], relayed(keeps=False)),
]


def coded(value, more=""):
    return f"{OK}Transfer-Encoding: {value}\r\n{more}\r\n3\r\nabc\r\n{END}"


CODINGS = [
    ("chunked", coded("chunked"), relayed()),
    ("in another case", coded("CHUNKED"), relayed()),
    ("for a client of HTTP/1.0", ask(version="HTTP/1.0"), coded("chunked"), relayed()),
    ("with a length", coded("chunked", "Content-Length: 3\r\n"), bad()),
    ("with a length of zero", coded("chunked", "Content-Length: 0\r\n"), bad()),
    ("twice", coded("chunked, chunked"), bad()),
    ("twice in two lines", coded("chunked", "Transfer-Encoding: chunked\r\n"), bad()),
    ("identity", coded("identity"), bad()),
    ("gzip, chunked", coded("gzip, chunked"), bad()),
    ("gzip alone", [coded("gzip"), CLOSE], bad()),
    ("an unknown one", coded("xchunked"), bad()),
    ("with a parameter", coded("chunked;q=1"), bad()),
    ("in quotes", coded('"chunked"'), bad()),
    ("empty", coded(""), bad()),
    ("a vertical tab before it", coded("\x0bchunked"), bad()),
    ("of HTTP/1.0", coded("chunked").replace("1.1", "1.0", 1), bad()),
    ("of HTTP/1.0, kept alive",
     coded("chunked", "Connection: keep-alive\r\n").replace("1.1", "1.0", 1), bad()),
]


def chunks(content):
    return OK + TE + content


CHUNKS = [
    ("two", chunks("3\r\nabc\r\n2\r\nde\r\n" + END), relayed("abcde")),
    ("none", chunks(END), relayed("")),
    ("an extension", chunks("3;a=b\r\nabc\r\n" + END), relayed()),
    ("a response in one", chunks(f"{len(EVIL):x}\r\n{EVIL}\r\n{END}"), relayed(EVIL)),
    ("no end", [chunks("3\r\nabc\r\n"), CLOSE], cut()),
    ("no empty line at the end", [chunks("3\r\nabc\r\n0\r\n"), CLOSE], cut()),
    ("LF after a size", chunks("3\nabc\r\n" + END), cut()),
    ("LF in an extension", chunks("3;a\nabc\r\n" + END), cut()),
    ("data longer than its size", chunks("3\r\nabcX\r\n" + END), cut()),
    ("a negative size", chunks("-3\r\nabc\r\n" + END), cut()),
    ("a prefix before a size", chunks("0x3\r\nabc\r\n" + END), cut()),
    ("a blank before a size", chunks(" 3\r\nabc\r\n" + END), cut()),
    ("a size over 64 bits", chunks("10000000000000003\r\nabc\r\n" + END), cut()),
    ("extensions without end", chunks(f"3;{'a' * 4200}\r\nabc\r\n" + END), cut()),
    ("a response for a size", chunks("3\r\nabc\r\n" + EVIL), cut()),
    ("a trailer", chunks("3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"), relayed(has=("X-Sum: 7",))),
    ("a trailer with a blank", chunks("3\r\nabc\r\n0\r\nX-Sum : 7\r\n\r\n"), relayed(has=("X-Sum: 7",))),
    ("a length in a trailer", chunks("3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"), cut()),
    ("a cookie in a trailer",
     chunks("3\r\nabc\r\n0\r\nSet-Cookie: a=b\r\n\r\n"), relayed(lacks=("Set-Cookie",))),
    ("a response for a trailer", chunks("3\r\nabc\r\n0\r\n" + EVIL), cut()),
    ("a folded trailer", chunks("3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"), cut()),
    ("too many trailers", chunks("3\r\nabc\r\n0\r\n" + "X: y\r\n" * 300 + "\r\n"), cut()),
]

WITHOUT_CONTENT = [
    ("204", "HTTP/1.1 204 No Content\r\n\r\n", relayed("", 204)),
    ("204 with a length of zero", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
     relayed("", 204, lacks=("Content-Length",))),
    ("204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\n", relayed("", 204)),
    ("204 with content", "HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\nsmuggled",
     relayed("", 204, keeps=False)),
    ("204 with chunks", "HTTP/1.1 204 No Content\r\n" + TE + END, relayed("", 204, keeps=False)),
    ("204 and a response", "HTTP/1.1 204 No Content\r\n\r\n" + EVIL, relayed("", 204, keeps=False)),
    ("304 with the length of what it has not",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n", relayed("", 304, has=("Content-Length: 8",))),
    ("304 with content", "HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\nsmuggled",
     relayed("", 304, keeps=False)),
    ("304 with a coding", "HTTP/1.1 304 Not Modified\r\n" + TE, relayed("", 304)),
    ("205", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", relayed("", 205)),
    ("HEAD with a length", HEAD, OK + "Content-Length: 8\r\n\r\n", relayed("", has=("Content-Length: 8",))),
    ("HEAD with a coding", HEAD, OK + TE, relayed("")),
    ("HEAD without either", HEAD, OK + "\r\n", relayed("")),
    ("HEAD with content", HEAD, OK + "Content-Length: 8\r\n\r\nsmuggled", relayed("", keeps=False)),
    ("HEAD with chunks", HEAD, OK + TE + "3\r\nabc\r\n" + END, relayed("", keeps=False)),
    ("HEAD with a length and a coding", HEAD, OK + "Content-Length: 3\r\n" + TE, bad()),
    ("HEAD with two lengths", HEAD, OK + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", bad()),
]

HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
EXPECTING = ask("Expect: 100-continue\r\nContent-Length: 100\r\n", method="POST")
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

INFORMATIONAL = [
    ("hints", HINTS + OK + L3, relayed()),
    ("an unasked 100", "HTTP/1.1 100 Continue\r\n\r\n" + OK + L3, relayed()),
    ("an unknown one", "HTTP/1.1 199 X\r\n\r\n" + OK + L3, relayed()),
    ("several", HINTS * 5 + OK + L3, relayed()),
    ("for a client of HTTP/1.0", ask(version="HTTP/1.0"), HINTS + OK + L3, relayed()),
    ("for HEAD", HEAD, HINTS + OK + "Content-Length: 3\r\n\r\n", relayed("")),
    ("with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n" + OK + L3, relayed()),
    ("with content", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc" + OK + L3, bad()),
    ("with a coding", "HTTP/1.1 103 Early Hints\r\n" + TE + OK + L3, relayed()),
    ("with chunks", "HTTP/1.1 103 Early Hints\r\n" + TE + END + OK + L3, bad()),
    ("without end", HINTS * 40 + OK + L3, bad()),
    ("and nothing more", [HINTS, CLOSE], bad()),
    ("101 unasked", SWITCH + EVIL, bad()),
    ("101 unasked, of another protocol", "HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n" + EVIL, bad()),
    ("101 of HEAD", HEAD, SWITCH, bad()),
    ("101 without a protocol", UPGRADE, "HTTP/1.1 101 Switching Protocols\r\n\r\n", bad()),
    ("101 that was asked for", UPGRADE, [SWITCH + "hello", CLOSE], tunnelled("hello")),
    ("101 with a length", UPGRADE, [SWITCH[:-2] + "Content-Length: 2\r\n\r\nhello", CLOSE],
     tunnelled("hello")),
    ("no 101, but 200", UPGRADE, OK + L3, relayed()),
    ("no 101, but 426", UPGRADE, "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n" + L3,
     relayed(status=426)),
]

SURPLUS = [
    ("a response", OK + L3 + EVIL, relayed(keeps=False)),
    ("a response after chunks", chunks("3\r\nabc\r\n" + END + EVIL), relayed(keeps=False)),
    ("an empty line", OK + L3 + "\r\n", relayed(keeps=False)),
    ("a byte", OK + L3 + "x", relayed(keeps=False)),
    ("content over the length", length("3", "abcdef"), relayed(keeps=False)),
    ("an informational one", OK + L3 + HINTS, relayed(keeps=False)),
    ("a response that comes late", [OK + L3, EVIL], relayed(keeps=False)),
    ("a byte that comes late", [OK + L3, "x"], relayed(keeps=False)),
    ("an informational one that comes late", [OK + L3, HINTS], relayed(keeps=False)),
    ("a 408 that comes late", [OK + L3, "HTTP/1.1 408 Request Timeout\r\n\r\n"], relayed(keeps=False)),
    ("an end that comes late", [OK + L3, CLOSE], relayed(keeps=False)),
    ("content of 204 that comes late", ["HTTP/1.1 204 No Content\r\n\r\n", EVIL],
     relayed("", 204, keeps=False)),
    ("content of HEAD that comes late", HEAD, [OK + "Content-Length: 8\r\n\r\n", "smuggled"],
     relayed("", keeps=False)),
    ("an answer before the content", EXPECTING, OK + L3, relayed(keeps=False)),
    ("a refusal before the content", EXPECTING, "HTTP/1.1 413 Content Too Large\r\n" + L3,
     relayed(status=413, keeps=False)),
]

CASES = list(grouped({
    "status_lines": STATUS_LINES, "fields": FIELDS, "lengths": LENGTHS, "codings": CODINGS,
    "chunks": CHUNKS, "without_content": WITHOUT_CONTENT, "informational": INFORMATIONAL,
    "surplus": SURPLUS,
}))
