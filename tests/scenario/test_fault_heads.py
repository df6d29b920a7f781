# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of heads: those of requests are http.limit's, those of responses the origin's. Each
test is named after what went wrong once."""

import pytest

from edge_fleet import HOST, Responses, read_head, read_to_end


def response(fields, size):
    """A response with so many fields of so many bytes each, line ends included."""
    lines = b"".join(b"X-%05d: %s\r\n" % (i, b"v" * (size - 11)) for i in range(fields))
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + b"\r\nok"


def answering(said):
    """The script of an origin that says this to every request."""
    def script(conn):
        while read_head(conn):
            conn.sendall(said)

    return script


def get(edge, more=""):
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{more}\r\n".encode())
        return Responses(s).response()


def passed(edge, fields, more=""):
    status, received, body = get(edge, more)
    assert status == 200 and body == b"ok"
    assert sum(name.startswith("x-0") for name in received) == fields


def refused(edge):
    """The origin's head was too much, which is said in a whole response of our own."""
    status, fields, body = get(edge)
    assert status == 502 and body.startswith(b"502 Bad Gateway")
    assert len(body) == int(fields["content-length"])
    # What it sent has been read by half only.
    assert edge.settled()["olink_idle_connections"] == 0


def assert_logged(edge, *statuses):
    """That it was so, and nothing else."""
    logged = edge.access_log(len(statuses))
    assert [line["status"] for line in logged] == list(statuses)
    assert all((line["end"] == "done") == (line["status"] == 200) for line in logged)
    c = edge.settled()
    assert c["edge_responses_2xx_total"] == statuses.count(200) == c["edge_end_done_total"]
    assert c["edge_responses_5xx_total"] == statuses.count(502)


def test_response_head_was_bounded_by_the_requests_limit(scripted):
    """32 KiB of fields were 502 where requests may have 8."""
    edge = scripted(answering(response(32, 1024)), http="limit: {head_bytes: 8KiB}")
    passed(edge, 32)
    assert_logged(edge, 200)


def test_large_cookie_left_no_room_for_the_response(scripted):
    """Both are within what is allowed by default, each by itself."""
    edge = scripted(answering(response(60, 1000)))
    passed(edge, 60, f"Cookie: {'c' * 16000}\r\n")
    assert_logged(edge, 200)


@pytest.mark.parametrize("http", ["", "limit: {head_bytes: 8KiB}"])
def test_many_fields_were_a_broken_connection(scripted, http):
    """Over the default limits, in bytes and number: the client was cut off, or the log said 200."""
    edge = scripted(answering(response(644, 102)), http=http)
    for _ in range(2):
        refused(edge)
    assert_logged(edge, 502, 502)


@pytest.mark.parametrize("limit, within, over", [
    # Content-Length is one.
    ("fields: 50", (49, 100), (50, 100)),
    # Some bytes for the rest of the head.
    ("head_bytes: 4KiB", (39, 100), (42, 100)),
    ("head_bytes: 200KiB, fields: 2000", (1900, 100), (2000, 100)),
])
def test_response_heads_have_no_limit_of_their_own(scripted, limit, within, over):
    """origins.*.limit says what an origin may send, whatever requests may have."""
    said = [response(*within)]

    def script(conn):
        while read_head(conn):
            conn.sendall(said[0])

    edge = scripted(script, f"limit: {{{limit}}}")
    passed(edge, within[0])
    said[0] = response(*over)
    refused(edge)
    assert_logged(edge, 200, 502)


def test_log_said_200_of_a_response_that_its_rules_had_no_room_for(make_edge, scripted_origin):
    """The client was cut off, and nothing of the response had been sent."""
    rules = ", ".join(f"{{name: X-{i}, action: add, value: v}}" for i in range(6000))
    small = "limit: {head_bytes: 1KiB, fields: 10}"
    edge = make_edge({"app": scripted_origin(answering(response(2, 20))).origin(small)},
                     {"/": ("app", f"response_fields: [{rules}]")},
                     http="limit: {head_bytes: 1KiB, target_bytes: 1KiB, fields: 10}")
    with edge.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert read_to_end(s) == (b"", False)
    line = edge.access_log(1)[0]
    assert (line["status"], line["bytes"], line["end"]) == (0, 0, "limit")
    assert "first_byte_us" not in line
    c = edge.settled()
    assert c["edge_responses_2xx_total"] == 0 and c["edge_end_limit_total"] == 1
