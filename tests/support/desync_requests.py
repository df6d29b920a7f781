# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that two implementations may read differently, with what must become of each.

Each case is (group, name, bytes, outcome). A request for /next follows each on its connection, and
/smuggled is never to reach an origin as a request. Outcomes:

refused(status)   answered with it, the connection closed, and nothing reaches the origin
answered(status)  answered by the edge itself; the next request is served
broken(status)    its head went to the origin, its content is no good: answered with the status, both
                  connections closed
passes(...)       reaches the origin as this one request, whatever its framing was; the next request
                  is served, or, with closes=True, is not
surplus(content)  passes, with this content; the rest is refused as a request
short()           its content never ends: what follows is content too
"""

from collections import namedtuple

HOST = "www.example.com"
H = f"Host: {HOST}\r\n"
SMUGGLED = f"GET /smuggled HTTP/1.1\r\n{H}\r\n"
TE = "Transfer-Encoding: chunked\r\n"
END = "0\r\n\r\n"

Outcome = namedtuple("Outcome", "kind status start host content has lacks closes")
Case = namedtuple("Case", "group name wire outcome")


def refused(status=400):
    return Outcome("refused", status, None, None, None, (), (), True)


def answered(status, closes=False):
    return Outcome("answered", status, None, None, None, (), (), closes)


def broken(status=400):
    return Outcome("broken", status, None, None, None, (), (), True)


def passes(start="GET /case", content="", host=HOST, has=(), lacks=(), closes=False):
    """has, lacks: fields ("Name: value") and names of fields; "~text" is found nowhere."""
    return Outcome("passes", 200, start, host, content, has, lacks, closes)


def surplus(content):
    return passes("POST /case", content)._replace(kind="surplus", closes=True)


def short():
    return Outcome("short", 0, "POST /case", HOST, None, (), (), True)


def get(fields="", target="/case", version="HTTP/1.1", method="GET"):
    return f"{method} {target} {version}\r\n{H}{fields}\r\n"


def post(fields, content="", version="HTTP/1.1", method="POST"):
    return f"{method} /case {version}\r\n{H}{fields}\r\n{content}"


def posted(content, **more):
    return passes("POST /case", content, **more)


def chunks(content, fields=""):
    return post(TE + fields, content)


START_LINES = [
    ("plain", get(), passes()),
    ("one empty line before it", "\r\n" + get(), passes()),
    ("two empty lines before it", "\r\n\r\n" + get(), refused()),
    ("an empty line that ends with LF", "\n" + get(), refused()),
    ("a blank before it", " " + get(), refused()),
    ("two spaces after the method", get(target=" /case"), refused()),
    ("two spaces before the version", get(version=" HTTP/1.1"), refused()),
    ("a space at its end", get(version="HTTP/1.1 "), refused()),
    ("a tab after the method", f"GET\t/case HTTP/1.1\r\n{H}\r\n", refused()),
    ("a tab before the version", f"GET /case\tHTTP/1.1\r\n{H}\r\n", refused()),
    ("a form feed after the method", f"GET\x0c/case HTTP/1.1\r\n{H}\r\n", refused()),
    ("a space in the target", get(target="/case /smuggled"), refused()),
    ("a version in the target", get(target="/case HTTP/1.1"), refused()),
    ("CR in the target", get(target="/ca\rse"), refused()),
    ("NUL in the target", get(target="/ca\0se"), refused()),
    ("DEL in the target", get(target="/ca\x7fse"), refused()),
    ("Latin-1 in the target", get(target="/ca\xe9se"), refused()),
    ("UTF-8 in the target", get(target="/ca\xc3\xa9se"), refused()),
    ("a fragment", get(target="/case#x"), refused()),
    ("no target", f"GET HTTP/1.1\r\n{H}\r\n", refused()),
    ("no version", f"GET /case\r\n{H}\r\n", refused()),
    ("no method", f" /case HTTP/1.1\r\n{H}\r\n", refused()),
    ("a method that is none", get(method="GE(T"), refused()),
    ("a quoted method", get(method='"GET"'), refused()),
    ("a method with a colon", get(method="GET:"), refused()),
    ("an unknown method", get(method="FROB"), passes("FROB /case")),
    ("a method in lower case is another", get(method="get"), passes("get /case")),
    ("a method that looks like a version", get(method="HTTP/1.1"), refused()),
    ("HTTP/0.9", "GET /case\r\n\r\n", refused()),
    ("the version 0.9", get(version="HTTP/0.9"), refused(505)),
    ("the version 2.0", get(version="HTTP/2.0"), refused(505)),
    ("the version 3", get(version="HTTP/3"), refused()),
    ("the version 1.2 is 1.1", get(version="HTTP/1.2"), passes()),
    ("the version 1.10", get(version="HTTP/1.10"), refused()),
    ("the version 1.", get(version="HTTP/1."), refused()),
    ("the version 01.1", get(version="HTTP/01.1"), refused()),
    ("the version +1.1", get(version="HTTP/+1.1"), refused()),
    ("the version in lower case", get(version="http/1.1"), refused()),
    ("the version of others", get(version="HTTPS/1.1"), refused()),
    ("the version with a comma", get(version="HTTP/1,1"), refused()),
    ("a CR before its end", get(version="HTTP/1.1\r"), refused()),
    ("LF at its end", f"GET /case HTTP/1.1\n{H}\r\n", refused()),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refused(505)),
    ("a ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n", refused()),
    ("a response", f"HTTP/1.1 200 OK\r\n{H}\r\n", refused()),
    ("too long a target", get(target="/" + "a" * 9000), refused(414)),
]

TARGETS = [
    ("absolute form", get(target=f"https://{HOST}/case"), passes()),
    ("absolute form of http over TLS", get(target=f"http://{HOST}/case"), passes()),
    ("its scheme in upper case", get(target=f"HTTPS://{HOST}/case"), passes()),
    ("its authority wins over Host", f"GET https://{HOST}/case HTTP/1.1\r\nHost: other.test\r\n\r\n",
     passes(lacks=("~other.test",))),
    ("its authority, and no Host", f"GET https://{HOST}/case HTTP/1.1\r\n\r\n", refused()),
    ("its authority, and a bad Host", f"GET https://{HOST}/case HTTP/1.1\r\nHost: a b\r\n\r\n", refused()),
    ("its authority, and two Hosts", f"GET https://{HOST}/case HTTP/1.1\r\n{H}{H}\r\n", refused()),
    ("its authority is another's", f"GET https://other.test/case HTTP/1.1\r\n{H}\r\n", answered(421)),
    ("its authority with a port", get(target=f"https://{HOST}:443/case"), passes(host=f"{HOST}:443")),
    ("its authority with an empty port", get(target=f"https://{HOST}:/case"), passes()),
    ("its authority with a port that is none", get(target=f"https://{HOST}:x/case"), refused()),
    ("its authority with too high a port", get(target=f"https://{HOST}:65536/case"), refused()),
    ("its authority with a negative port", get(target=f"https://{HOST}:-1/case"), refused()),
    ("user information", get(target=f"https://u@{HOST}/case"), refused()),
    ("a host in the user information", get(target=f"https://other.test@{HOST}/case"), refused()),
    ("user and password", get(target=f"https://u:p@{HOST}/case"), refused()),
    ("an empty authority", get(target="https:///case"), refused()),
    ("no authority", get(target="https:/case"), refused()),
    ("a scheme alone", get(target="https://"), refused()),
    ("a backslash after the authority", get(target=f"https://{HOST}\\@other.test/case"), refused()),
    ("another scheme", get(target=f"ftp://{HOST}/case"), refused()),
    ("a scheme that runs code", get(target="javascript:alert(1)"), refused()),
    ("absolute form without a path", get(target=f"https://{HOST}"), passes("GET /")),
    ("absolute form with a query alone", get(target=f"https://{HOST}?a=/b"), passes("GET /?a=/b")),
    ("a slash in the query is no path", get(target=f"https://{HOST}?x@other.test/case"),
     passes("GET /?x@other.test/case")),
    ("OPTIONS of a whole server", get(target="*", method="OPTIONS"), passes("OPTIONS *")),
    ("OPTIONS in absolute form without a path", get(target=f"https://{HOST}", method="OPTIONS"),
     passes("OPTIONS *")),
    ("OPTIONS in absolute form with a path", get(target=f"https://{HOST}/", method="OPTIONS"),
     passes("OPTIONS /")),
    ("OPTIONS that has come to its end", get("Max-Forwards: 0\r\n", target="*", method="OPTIONS"),
     answered(200)),
    ("OPTIONS that is counted down", get("Max-Forwards: 10\r\n", method="OPTIONS"),
     passes("OPTIONS /case", has=("Max-Forwards: 9",))),
    ("the asterisk is for OPTIONS only", get(target="*"), refused()),
    ("the asterisk with more", get(target="*/case", method="OPTIONS"), refused()),
    ("authority form is for CONNECT only", get(target=f"{HOST}:443"), refused()),
    ("a path without a slash", get(target="case"), refused()),
    ("a path that begins with a question mark", get(target="?case"), refused()),
    ("a path that begins with two slashes", get(target="//other.test/case"),
     passes("GET //other.test/case")),
    ("CONNECT", f"CONNECT {HOST}:443 HTTP/1.1\r\n{H}\r\n", answered(501, closes=True)),
    ("CONNECT, and what is not to be sent", f"CONNECT {HOST}:443 HTTP/1.1\r\n{H}\r\n{SMUGGLED}",
     answered(501, closes=True)),
    ("CONNECT without a port", f"CONNECT {HOST} HTTP/1.1\r\n{H}\r\n", refused()),
    ("CONNECT of a path", f"CONNECT /case HTTP/1.1\r\n{H}\r\n", refused()),
    ("CONNECT of a URI", f"CONNECT https://{HOST}/ HTTP/1.1\r\n{H}\r\n", refused()),
    ("CONNECT with a length", f"CONNECT {HOST}:443 HTTP/1.1\r\n{H}Content-Length: 9\r\n\r\nGET /smug",
     answered(501, closes=True)),
    ("TRACE", get(method="TRACE"), answered(405)),
    ("TRACE with fields that are secret", get("Cookie: a=b\r\n", method="TRACE"), answered(405)),
    ("TRACE with content", get(method="TRACE")[:-2] + f"Content-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
     answered(405)),
    ("TRACE with chunks", get(TE, method="TRACE") + END, answered(405, closes=True)),
    ("TRACK is like others", get(method="TRACK"), passes("TRACK /case")),
]

HOSTS = [
    ("none", "GET /case HTTP/1.1\r\n\r\n", refused()),
    ("none in HTTP/1.0", "GET /case HTTP/1.0\r\n\r\n", answered(421, closes=True)),
    ("two that are the same", f"GET /case HTTP/1.1\r\n{H}{H}\r\n", refused()),
    ("two that differ", f"GET /case HTTP/1.1\r\n{H}Host: other.test\r\n\r\n", refused()),
    ("two in HTTP/1.0", f"GET /case HTTP/1.0\r\n{H}Host: other.test\r\n\r\n", refused()),
    ("two of different case", f"GET /case HTTP/1.1\r\n{H}hOST: other.test\r\n\r\n", refused()),
    ("empty", "GET /case HTTP/1.1\r\nHost:\r\n\r\n", refused()),
    ("blank", "GET /case HTTP/1.1\r\nHost: \t \r\n\r\n", refused()),
    ("a list", f"GET /case HTTP/1.1\r\nHost: {HOST}, other.test\r\n\r\n", refused()),
    ("two words", f"GET /case HTTP/1.1\r\nHost: {HOST} other.test\r\n\r\n", refused()),
    ("a tab in it", f"GET /case HTTP/1.1\r\nHost: {HOST}\tother.test\r\n\r\n", refused()),
    ("with a path", f"GET /case HTTP/1.1\r\nHost: {HOST}/x\r\n\r\n", refused()),
    ("with a query", f"GET /case HTTP/1.1\r\nHost: {HOST}?x\r\n\r\n", refused()),
    ("with a fragment", f"GET /case HTTP/1.1\r\nHost: {HOST}#x\r\n\r\n", refused()),
    ("with a scheme", f"GET /case HTTP/1.1\r\nHost: https://{HOST}\r\n\r\n", refused()),
    ("with a user", f"GET /case HTTP/1.1\r\nHost: u@{HOST}\r\n\r\n", refused()),
    ("another's, as a user", f"GET /case HTTP/1.1\r\nHost: {HOST}:80@other.test\r\n\r\n", refused()),
    ("with a backslash", f"GET /case HTTP/1.1\r\nHost: {HOST}\\other.test\r\n\r\n", refused()),
    ("with a colon alone", f"GET /case HTTP/1.1\r\nHost: {HOST}:\r\n\r\n", passes()),
    ("with a port", f"GET /case HTTP/1.1\r\nHost: {HOST}:8443\r\n\r\n", passes(host=f"{HOST}:8443")),
    ("with a port in letters", f"GET /case HTTP/1.1\r\nHost: {HOST}:https\r\n\r\n", refused()),
    ("with too high a port", f"GET /case HTTP/1.1\r\nHost: {HOST}:65536\r\n\r\n", refused()),
    ("with two ports", f"GET /case HTTP/1.1\r\nHost: {HOST}:443:80\r\n\r\n", refused()),
    ("with a port and a path", f"GET /case HTTP/1.1\r\nHost: {HOST}:443/x\r\n\r\n", refused()),
    ("in upper case", f"GET /case HTTP/1.1\r\nHost: {HOST.upper()}\r\n\r\n", passes(host=HOST.upper())),
    ("with a final dot", f"GET /case HTTP/1.1\r\nHost: {HOST}.\r\n\r\n", passes(host=HOST + ".")),
    ("percent-encoded", "GET /case HTTP/1.1\r\nHost: %77ww.example.com\r\n\r\n", answered(421)),
    ("what is no name, but a host to RFC 3986", "GET /case HTTP/1.1\r\nHost: a,b.example.com\r\n\r\n",
     answered(421)),
    ("badly percent-encoded", "GET /case HTTP/1.1\r\nHost: %7ww.example.com\r\n\r\n", refused()),
    ("an address", "GET /case HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", answered(421)),
    ("an IPv6 address", "GET /case HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", answered(421)),
    ("an IPv6 address without its end", "GET /case HTTP/1.1\r\nHost: [::1\r\n\r\n", refused()),
    ("an IPv6 address and more", "GET /case HTTP/1.1\r\nHost: [::1]www.example.com\r\n\r\n", refused()),
    ("with NUL", f"GET /case HTTP/1.1\r\nHost: {HOST}\0other.test\r\n\r\n", refused()),
    ("in UTF-8", "GET /case HTTP/1.1\r\nHost: w\xc3\xbcw.example.com\r\n\r\n", refused()),
    ("a blank before its colon", f"GET /case HTTP/1.1\r\nHost : {HOST}\r\n\r\n", refused()),
    ("a blank line's blank before it", f"GET /case HTTP/1.1\r\n {H}\r\n", refused()),
    ("what frameworks take for it", get("X-Forwarded-Host: other.test\r\nForwarded: host=other.test\r\n"
                                        "X-Forwarded-Port: 1\r\nX-Forwarded_Host: other.test\r\n"),
     passes(lacks=("~other.test", "X-Forwarded-Port"))),
    ("named as hop-by-hop", get("Connection: Host\r\n"), passes()),
]

FIELDS = [
    ("an unknown one", get("X-A: b\r\n"), passes(has=("X-A: b",))),
    ("blanks round a value", get("X-A:\t  b c \t\r\n"), passes(has=("X-A: b c",))),
    ("an empty value", get("X-A:\r\n"), passes(has=("X-A:",))),
    ("bytes over ASCII in a value", get("X-A: \xe9\xff\r\n"), passes(has=("X-A: \xe9\xff",))),
    ("every byte that a name may have", get("!#$%&'*+-.^`|~09AZaz: b\r\n"),
     passes(has=("!#$%&'*+-.^`|~09AZaz: b",))),
    ("a blank before the colon", get("X-A : b\r\n"), refused()),
    ("a tab before the colon", get("X-A\t: b\r\n"), refused()),
    ("no colon", get("X-A\r\n"), refused()),
    ("no name", get(": b\r\n"), refused()),
    ("a blank in a name", get("X A: b\r\n"), refused()),
    ("a folded line", get("X-A: b\r\n c\r\n"), refused()),
    ("a folded line by tab", get("X-A: b\r\n\tTransfer-Encoding: chunked\r\n"), refused()),
    ("a blank line that folds", get("X-A: b\r\n \r\n"), refused()),
    ("a folded first line", f"GET /case HTTP/1.1\r\n X: y\r\n{H}\r\n", refused()),
    ("LF at a line's end", get("X-A: b\nTransfer-Encoding: chunked\r\n"), refused()),
    ("LF for the empty line", f"GET /case HTTP/1.1\r\n{H}\n{SMUGGLED}", refused()),
    ("CR at a line's end", get("X-A: b\rX-B: c\r\n"), refused()),
    ("CR CR LF", get("X-A: b\r\r\n"), refused()),
    ("LF CR", get("X-A: b\n\rX-B: c\r\n"), refused()),
    ("CR for the empty line", f"GET /case HTTP/1.1\r\n{H}\r{SMUGGLED}", refused()),
    ("NUL in a value", get("X-A: b\0c\r\n"), refused()),
    ("NUL in a name", get("X\0A: b\r\n"), refused()),
    ("a vertical tab in a value", get("X-A: b\x0bc\r\n"), refused()),
    ("an escape in a value", get("X-A: \x1b[2J\r\n"), refused()),
    ("DEL in a value", get("X-A: b\x7fc\r\n"), refused()),
    ("bytes over ASCII in a name", get("X-\xe9: b\r\n"), refused()),
    ("a quote in a name", get('X"A: b\r\n'), refused()),
    ("a comma in a name", get("X,A: b\r\n"), refused()),
    ("a slash in a name", get("X/A: b\r\n"), refused()),
    ("brackets in a name", get("X[A]: b\r\n"), refused()),
    ("a semicolon in a name", get("X;A: b\r\n"), refused()),
    ("a request for a field", get("GET /smuggled HTTP/1.1\r\n"), refused()),
    ("too many", get("a: b\r\n" * 101), refused(431)),
    ("too long a one", get(f"X-A: {'a' * 40000}\r\n"), refused(431)),
    ("too much in sum", get("".join(f"X-{i}: {'a' * 8000}\r\n" for i in range(6))), refused(431)),
    ("an underscore for a hyphen", get("Content_Length: 9\r\nTransfer_Encoding: chunked\r\n"),
     passes(lacks=("Content_Length", "Transfer_Encoding"))),
    ("a dot for a hyphen", get("Content.Length: 9\r\nTransfer.Encoding: chunked\r\n"),
     passes(lacks=("Content.Length", "Transfer.Encoding"))),
    ("hop-by-hop ones", get("Keep-Alive: 5\r\nProxy-Connection: close\r\nTE: gzip\r\n"),
     passes(lacks=("Keep-Alive", "Proxy-Connection", "TE"))),
    ("what Connection names", get("Connection: X-A, X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\n"),
     passes(has=("X-C: 3",), lacks=("X-A", "X-B", "Connection"))),
    ("what a second Connection names", get("Connection: X-A\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\n"),
     passes(lacks=("X-A", "X-B"))),
    ("Connection names what we add", get("Connection: X-Forwarded-For, Via, Forwarded\r\n"),
     passes(has=("X-Forwarded-For: 127.0.0.1",))),
    ("Connection names the framing",
     post("Connection: Content-Length\r\nContent-Length: 3\r\n", "abc"), posted("abc")),
    ("Connection names the coding", post("Connection: Transfer-Encoding\r\n" + TE, "3\r\nabc\r\n" + END),
     posted("abc")),
    ("a quoted option of Connection", get('Connection: "close\r\n'), passes()),
    ("too many options of Connection", get("Connection: " + "a," * 200 + "\r\n"), refused(431)),
    ("TE: trailers goes on", get("TE: trailers\r\nConnection: TE\r\n"),
     passes(has=("TE: trailers", "Connection: TE"))),
    ("of TE nothing but trailers", get("TE: gzip;q=0.5, Trailers\r\nTE: deflate\r\nConnection: TE\r\n"),
     passes(has=("TE: trailers",), lacks=("~gzip", "~deflate"))),
    ("trailers that are not wanted", get("TE: trailers;q=0\r\nConnection: TE\r\n"), passes(lacks=("TE",))),
    ("a range", get("Range: bytes=0-4,8-\r\nIf-Range: \"x\"\r\n"),
     passes(has=("Range: bytes=0-4,8-", 'If-Range: "x"'))),
    ("two ranges", get("Range: bytes=0-4\r\nRange: bytes=5-9\r\n"),
     passes(has=("Range: bytes=0-4", "Range: bytes=5-9"))),
    ("a range of units unknown", get("Range: pages=1-2\r\n"), passes(has=("Range: pages=1-2",))),
    ("conditions", get('If-None-Match: "a", W/"b"\r\nIf-Modified-Since: x\r\n'),
     passes(has=('If-None-Match: "a", W/"b"', "If-Modified-Since: x"))),
    ("Content-Encoding is the origin's matter",
     post("Content-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"),
     posted("abc", has=("Content-Encoding: gzip",))),
]


def grouped(**groups):
    return [Case(group, *case) for group, cases in groups.items() for case in cases]


CASES = grouped(start_lines=START_LINES, targets=TARGETS, hosts=HOSTS, fields=FIELDS)
