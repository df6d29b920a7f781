# SPDX-License-Identifier: GPL-3.0-or-later
"""An origin with moods. It stands on one port for all of its life, and dies and comes back on it."""

import hashlib
import re
import socket
import struct
import threading
import time

import perigee
from record import Trouble

# Each is the way in which a response is written. After these the client must be right ...
HARMLESS = ("well", "slow", "early_hints", "until_close", "chunked")
# ... after these there may be a response of the edge's own, or one that is visibly broken off.
SICK = ("refusing", "hanging", "resetting", "lying_long", "lying_short", "garbage", "closing", "unwell")


def body_of(salt, n):
    """What a path promises: a client can tell whose body it got."""
    seed = hashlib.sha256(salt.encode()).hexdigest().encode()
    return (seed * (n // len(seed) + 1))[:n]


def end_by_reset(conn):
    """What its close will be."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Origin:
    def __init__(self, port, host="127.0.0.1"):
        self.address = (host, port)
        self.trouble = Trouble()
        self.mood = "well"
        self.lock = threading.Lock()
        self.connections = set()
        self.listener = None
        self.listen()

    def listen(self):
        self.listener = socket.create_server(self.address, backlog=512)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def be(self, mood):
        """Called by one thread only."""
        before, self.mood = self.mood, mood
        if mood in SICK and before not in SICK:
            self.trouble.begin()
        if mood == "refusing":
            self.stop()
        elif self.listener is None:
            self.listen()
        if mood not in SICK and before in SICK:
            self.trouble.end()

    def stop(self):
        if self.listener is None:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        with self.lock:
            for conn in self.connections:
                try:
                    conn.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve(self, conn):
        conn.settimeout(perigee.PATIENCE)
        reader = conn.makefile("rb")
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self.serve_one(conn, reader):
                pass
        except (OSError, ValueError, IndexError):
            pass  # the edge may break off, and shut down may come in the middle of a line
        finally:
            with self.lock:
                self.connections.discard(conn)
            reader.close()
            conn.close()

    def serve_one(self, conn, reader):
        """Whether another request may come."""
        lines = []
        while (line := reader.readline(65536)) not in (b"\r\n", b""):
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        if line == b"":
            return False
        path = lines[0].split(" ")[1]
        fields = {n.lower(): v.strip() for n, _, v in (field.partition(":") for field in lines[1:])}
        if "upgrade" in fields:
            return self.tunnel(conn, reader, fields["upgrade"])
        body = read_body(reader, fields)
        if path == "/health":
            return self.answer_health(conn, lines[0].startswith("HEAD"))
        if match := re.match(r"/\w+/bytes/(\d+)\?(\S+)$", path):
            content = body_of(match.group(2), int(match.group(1)))
        else:
            content = hashlib.sha256(body).hexdigest().encode()
        return getattr(self, f"answer_{self.mood}", self.answer_well)(conn, content)

    def answer_health(self, conn, is_head):
        if self.mood in ("hanging", "refusing"):
            time.sleep(1)
            return False
        status = "503 Unwell" if self.mood == "unwell" else "200 OK"
        conn.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\n{'' if is_head else 'ok.'}"
                     .encode())
        return True

    def tunnel(self, conn, reader, protocol):
        conn.sendall(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                     f"Upgrade: {protocol}\r\n\r\n".encode())
        while data := reader.read1(65536):
            conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        return False

    def answer_well(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content))
        return True

    def answer_slow(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
        step = len(content) // 8 + 1
        for i in range(0, len(content), step):
            time.sleep(0.02)
            conn.sendall(content[i:i + step])
        return True

    def answer_early_hints(self, conn, content):
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        return self.answer_well(conn, content)

    def answer_until_close(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content)
        return False

    def answer_chunked(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(content), 10000):
            chunk = content[i:i + 10000]
            conn.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        conn.sendall(b"0\r\nTrailer-Field: t\r\n\r\n")
        return True

    def answer_refusing(self, conn, content):
        end_by_reset(conn)
        return False

    def answer_hanging(self, conn, content):
        while self.mood == "hanging":
            time.sleep(0.05)
        return False

    def answer_resetting(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                     % (len(content), content[:len(content) // 2]))
        end_by_reset(conn)
        return False

    def answer_lying_long(self, conn, content):
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content) + 99, content))
        return False

    def answer_lying_short(self, conn, content):
        """What follows a body must not be taken for the next response."""
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                     b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen" % (len(content), content))
        return True

    def answer_garbage(self, conn, content):
        conn.sendall(b"\x00\xff" + content[:2000] + b"\r\n\r\n")
        return False

    def answer_closing(self, conn, content):
        return False


def read_body(reader, fields):
    if "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while size := int(reader.readline(100), 16):
            body += exactly(reader, size)
            reader.readline(10)
        while reader.readline(1000) not in (b"\r\n", b""):
            pass
        return body
    return exactly(reader, int(fields.get("content-length", 0)))


def exactly(reader, n):
    data = reader.read(n)
    if len(data) < n:
        raise ConnectionError("the edge ended in the middle of a body")
    return data
