# SPDX-License-Identifier: GPL-3.0-or-later
"""The physical limit: the earliest that TCP and TLS 1.3 allow, by the round trips of the world alone.

Nobody computes, no packet is lost, and the link behind an edge is open, with a window that holds the
whole response. In round trips of the client's own path:

  TCP         1
  TLS         2
  first byte  3: the request leaves with the end of the handshake, and through an edge it goes one
              round trip further, to the origin. Sent as early data it leaves one round trip sooner.
  last byte   the client's connection is new: it may send 10 segments (RFC 6928), and twice as many
              each round after (slow start, RFC 5681); and each takes its time at the path's rate,
              also those of a flight that is longer than the round trip. 20 KB are two flights, then,
              1 MB are seven. What the link behind the edge adds to that is nothing.

The last byte is an estimate for its sender, not a law: a kernel that counts the segments of its own
handshake into the window may need a round less. What TLS adds to the bytes is not in it.

The first byte is the first that the client may read: nothing of a TLS record before all of it is there.
"""

from dataclasses import dataclass

SEGMENT = 1448  # bytes of a 1,500-byte packet that are TCP's payload, with timestamps
PACKET = 1500
INITIAL_WINDOW = 10  # segments


@dataclass(frozen=True)
class Limit:
    """All in ms from the start of the connection."""

    dns: float | None
    tcp: float
    tls: float
    first_byte: float
    last_byte: float


def flights(length, rtt, rate):
    """How long a new connection sends so much, in ms: a flight begins when the first acknowledgement
    of the one before is there, and when the path has taken that. rate None: at once."""
    segments, window = -(-length // SEGMENT), INITIAL_WINDOW
    each = PACKET * 8 / rate * 1000 if rate else 0
    begins, ends = -rtt, 0
    while segments > 0:
        begins = max(begins + rtt, ends)
        ends = begins + min(segments, window) * each
        segments -= window
        window *= 2
    return ends


def limit(world, client, server, origin, length, early=False, nameserver=None):
    """For a client that goes to `server`, which is an edge unless it is `origin`."""
    near = world.path(client, server)
    beyond = 0 if server == origin else world.path(server, origin).rtt
    first = (2 if early else 3) * near.rtt + beyond
    return Limit(dns=world.path(client, nameserver).rtt if nameserver else None, tcp=near.rtt,
                 tls=2 * near.rtt, first_byte=first, last_byte=first + flights(length, near.rtt, near.rate))
