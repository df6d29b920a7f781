# SPDX-License-Identifier: GPL-3.0-or-later
"""The link between an edge and its relay: how wide it is before the first request, that it is kept
in a pause, and how the kernel sends over it."""

import socket
import subprocess

import pytest

import perigee
from edge_fleet import HOST, read_head
from h2_client import Client
from relays import let_in

VIA = "via: fra1"
FILLING = 2 * 1024 * 1024


@pytest.fixture
def origin(scripted_origin):
    """It answers whatever it is asked."""
    def script(conn):
        while read_head(conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return scripted_origin(script)


def ask(edge, path="/"):
    assert edge.curl("-f", edge.url(path)).stdout == "ok"


def test_a_link_is_wide_before_the_first_request(relay_edge, origin):
    """As soon as there is one, the relay sends so much over it that its window has grown."""
    origins = {"app": origin.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    nyc1 = relay_edge("nyc1", origins)

    def all_are_widened():
        counters = nyc1.counters()
        return counters["olink_widened_total"] == counters["olink_h2_sessions_total"] > 0

    perigee.wait_for(all_are_widened, "links to be wide")
    assert fra1.settled()["edge_client_bytes_sent_total"] >= FILLING
    sessions = nyc1.counters()["olink_h2_sessions_total"]
    ask(nyc1)
    after = nyc1.settled()
    assert (after["olink_h2_sessions_total"], after["olink_leases_fresh_total"]) == (sessions, 0)
    assert fra1.settled()["edge_relayed_total"] == 1


def test_links_that_come_later_are_widened_too(relay_edge, origin):
    """The relay was down when the edge started."""
    origins = {"app": origin.origin(VIA)}
    fra1 = relay_edge("fra1", origins, relay=True)
    fra1.stop()
    nyc1 = relay_edge("nyc1", origins)
    ask(nyc1)
    assert nyc1.counters()["olink_widened_total"] == 0
    relay_edge("fra1", origins, relay=True)
    perigee.wait_for(lambda: nyc1.counters()["olink_widened_total"] > 0, "the link to be widened")


def test_a_relay_that_ends_while_a_link_is_widened(relay_edge, origin, relay_fleet):
    """What it was asked for is no request: nothing is retried, and nobody waits for it."""
    origins = {"app": origin.origin(VIA)}
    relay = relay_edge("fra1", origins, relay=True)
    port = relay.relay_port
    relay.stop()
    with socket.create_server(("127.0.0.1", port)):
        nyc1 = relay_edge("nyc1", origins)
        ask(nyc1)
        assert nyc1.settled()["olink_widened_total"] == 0
    nyc1.stop()


def wait_for_idle_end(edge):
    """Until the edge has closed a client's connection because it was idle."""
    with edge.connect() as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        while client.recv(65536):
            pass


def test_a_quiet_link_is_kept(relay_edge, origin):
    """Others are closed after a second by both edges; who comes then finds the link as it was."""
    origins = {"app": origin.origin(f"{VIA}, pool: {{idle_timeout: 1s}}"),
               "near": origin.origin("pool: {idle_timeout: 1s, warm: 0}")}
    http = "timeout: {keep_alive: 1s}"
    fra1 = relay_edge("fra1", origins, relay=True, http=http)
    nyc1 = relay_edge("nyc1", origins, http=http)
    perigee.wait_for(lambda: nyc1.counters()["olink_widened_total"]
                     == nyc1.counters()["olink_h2_sessions_total"] > 0, "links to be wide")
    sessions = nyc1.counters()["olink_h2_sessions_total"]
    ask(nyc1, "/near")
    nyc1.wait_counter("olink_expired_total", 1)
    wait_for_idle_end(fra1)
    ask(nyc1)
    after = nyc1.settled()
    assert (after["olink_h2_sessions_total"], after["olink_expired_total"],
            after["olink_closed_idle_total"]) == (sessions, 1, 0)


def congestion_controls(port):
    """Of what was accepted at that port of 127.0.0.1."""
    told = subprocess.run(["ss", "-Htni", "state", "established", "sport", "=", f":{port}"],
                          capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in told.splitlines() if line.startswith(("\t", " "))}


def test_congestion_control_of_a_relay(relay_edge, origin, relay_fleet):
    """What the relay sends to other edges has the congestion control that its options say; one that
    the kernel has not is warned of, and the kernel's own is used."""
    origins = {"app": origin.origin(VIA)}
    relay = relay_fleet.options("fra1", 0)
    fra1 = relay_edge("fra1", origins, relay=True, own=relay[:-1] + ", congestion_control: reno}")
    nyc1 = relay_edge("nyc1", origins)
    ask(nyc1)
    assert congestion_controls(fra1.relay_port) == {"reno"}
    lon1 = relay_edge("lon1", origins, relay=True,
                own=relay_fleet.options("lon1", 0)[:-1] + ", congestion_control: none-such}")
    assert "edges.lon1.relay: congestion control none-such cannot be used" in lon1.log()


# Uploads


SIZE = 1 << 20


def upload(client, origin):
    length = ("content-length", str(SIZE))
    return client.ask(method="POST", end=False, fields=[("perigee-relay", origin), length])


def send(client, stream, n):
    """Content, as soon as there is room for it."""
    while n > 0:
        room = min(client.h2.local_flow_control_window(stream), 16384, n)
        if room > 0:
            client.h2.send_data(stream, b"x" * room)
            n -= room
            client.flush()
        else:
            assert client.read()


def test_uploads_that_no_server_took_stopped_those_of_others(relay_edge, relay_fleet, scripted_origin):
    """A connection between edges is many clients': what is kept of some leaves its window to the
    others. Of 20 that wait for a connection 1.25 MiB are kept, beside what their requests hold."""
    def read(conn):
        left = SIZE - len(read_head(conn).partition(b"\r\n\r\n")[2])
        while left > 0:
            left -= len(conn.recv(65536))
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def stay_busy(conn):
        while conn.recv(65536):
            pass

    busy = scripted_origin(stay_busy).origin(f"{VIA}, limit: {{connections: 1}}, timeout: {{queue: 1h}}")
    origins = {"app": scripted_origin(read).origin(VIA), "busy": busy}
    fra1 = relay_edge("fra1", origins, relay=True)
    with Client(fra1, on=let_in(fra1.relay_port, relay_fleet.credentials("nyc1"), "h2")) as c:
        c.ask(fields=[("perigee-relay", "busy;response=3600000")])
        for _ in range(20):
            send(c, upload(c, "busy"), 2 * 65535)
        stream = upload(c, "app")
        send(c, stream, SIZE)
        c.h2.end_stream(stream)
        c.flush()
        assert c.finish(stream).body == b"ok"


def test_windows_of_uploads_are_bounded_together(relay_edge, relay_fleet, scripted_origin):
    """What would be kept if all servers ceased to read is 64 KiB of each stream, and 32 MiB of all:
    where many are wide the next ones are not."""
    n = 100

    def script(conn):
        while conn.recv(65536):
            pass

    fra1 = relay_edge("fra1", {"app": scripted_origin(script).origin(VIA)}, relay=True)
    with Client(fra1, on=let_in(fra1.relay_port, relay_fleet.credentials("nyc1"), "h2")) as c:
        streams = [upload(c, "app") for _ in range(n)]
        for stream in streams:
            send(c, stream, SIZE // 2)
        c.h2.ping(b"windows.")
        c.flush()
        c.until(lambda: c.pings)
        c.h2.outbound_flow_control_window = 1 << 30
        windows = [c.h2.local_flow_control_window(stream) for stream in streams]
        assert max(windows) == 512 << 10 and 0 < min(windows) <= 65535
        assert sum(windows) <= (32 << 20) + n * 65535
