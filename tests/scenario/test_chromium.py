# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser in front of perigee-edge: headless Chromium loads a page over HTTP/2 and opens a
WebSocket on the same connection (RFC 8441), as its own log of the network tells; over HTTP/1.1 it
needs several, and resumes the session of the first."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.parse

import pytest

import perigee
import rfc6455
from edge_fleet import HOST, read_head

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="apt-get install chromium")
MESSAGE = "a message, and back"
# It has loaded when the picture has come, which comes once the message is back.
PAGE = """<!DOCTYPE html><title>page</title><img src="/picture"><script>
function tell(what) { fetch("/told?" + encodeURIComponent(what)); }
const socket = new WebSocket("wss://" + location.host + "/chat");
socket.onopen = () => socket.send("%s");
socket.onmessage = (event) => tell(event.data);
socket.onerror = () => tell("the socket failed");
</script>""" % MESSAGE


def load(directory, url, port):
    """Runs until the page has loaded. (its text then, the log of the network)"""
    log = directory / "net-log.json"
    argv = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--ignore-certificate-errors", f"--user-data-dir={directory}/profile",
            f"--host-resolver-rules=MAP {HOST}:{port} 127.0.0.1:{port}, MAP * ~NOTFOUND",
            f"--log-net-log={log}", "--net-log-capture-mode=Everything", "--dump-dom", url]
    # A session of its own, with all the processes that it starts.
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL, text=True, start_new_session=True,
                               env={**os.environ, "HOME": str(directory)})
    try:
        return process.communicate(timeout=3 * perigee.PATIENCE)[0], log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def events(log):
    """[(connection, name, parameters)] of HTTP/2 connections in Chromium's log."""
    told = json.loads(log.read_text())
    names = {number: name for name, number in told["constants"]["logEventTypes"].items()}
    return [(e["source"]["id"], names[e["type"]], e.get("params", {})) for e in told["events"]
            if names[e["type"]].startswith("HTTP2_SESSION_")]


def test_a_page_and_a_websocket_over_one_connection(make_edge, scripted_origin, tmp_path):
    told = []
    is_told = threading.Event()

    def page(conn):
        while head := read_head(conn).decode():
            path = head.split(" ")[1]
            if path.startswith("/told?"):
                told.append(urllib.parse.unquote(path.removeprefix("/told?")))
                is_told.set()
            elif path == "/picture":
                assert is_told.wait(3 * perigee.PATIENCE)
            body = PAGE if path == "/" else ""
            conn.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    edge = make_edge(
        {"app": scripted_origin(page).origin(), "chat": scripted_origin(rfc6455.echo).origin()},
        routes={"/": ("app", "compression: {enabled: true, min_size: 1}"), "/chat": "chat"})
    text, log = load(tmp_path, edge.url("/"), edge.port)
    assert told == [MESSAGE]
    assert "<title>page</title>" in text
    assert edge.counters()["edge_compressed_total"] == 1
    seen = events(log)
    sent = [(connection, more["headers"]) for connection, name, more in seen
            if name == "HTTP2_SESSION_SEND_HEADERS"]
    page_on = {c for c, fields in sent if ":path: /" in fields}
    socket_on = {c for c, fields in sent
                 if ":method: CONNECT" in fields and ":protocol: websocket" in fields}
    assert len(page_on) == 1 and socket_on == page_on, sent
    answers = [more["headers"] for connection, name, more in seen
               if name == "HTTP2_SESSION_RECV_HEADERS" and {connection} == socket_on]
    assert answers and all(":status: 200" in fields for fields in answers)
    assert any(f.startswith("content-encoding: ") for fields in answers for f in fields)
    perigee.wait_for(lambda: edge.counters()["edge_connections_active"] == 0, "it to be gone")


def test_further_connections_resume_the_session(make_edge, scripted_origin, tmp_path):
    """Four pictures that come only when all are asked for take four connections, of which Chromium may
    have had two before it had a ticket."""
    together = threading.Barrier(4)

    def page(conn):
        while head := read_head(conn).decode():
            body = ""
            if head.startswith("GET / "):
                body = "<!DOCTYPE html><title>page</title>" + "".join(
                    f'<img src="/picture{i}">' for i in range(4))
            elif "/picture" in head:
                together.wait(3 * perigee.PATIENCE)
            conn.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                         f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    edge = make_edge({"app": scripted_origin(page).origin()}, http="protocols: [http/1.1]")
    text, _ = load(tmp_path, edge.url("/"), edge.port)
    assert "<title>page</title>" in text
    lines = edge.access_log(5)
    assert {line["status"] for line in lines} == {200}
    assert any(line["tls_resumed"] for line in lines)
    counters = edge.settled()
    assert counters["edge_handshakes_resumed_total"] >= 1
    assert counters["edge_handshake_failures_total"] == 0
