# SPDX-License-Identifier: GPL-3.0-or-later
"""MaxMind databases, made here: of any size, where every IPv4 network of one length has a record;
and of a few networks."""

import array
import ipaddress
import itertools
import struct
import sys


UINT16, UINT32, UINT64 = 5, 6, 9


def _head(kind, size):
    """The control bytes of a value (https://maxmind.github.io/MaxMind-DB/, "Data Field Format")."""
    extended = bytes([kind - 7]) if kind > 7 else b""
    first = kind << 5 if kind <= 7 else 0
    if size < 29:
        return bytes([first | size]) + extended
    return bytes([first | 29]) + extended + bytes([size - 29])


def _encode(value):
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(_encode(k) + _encode(v) for k, v in value.items())
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encode, value))
    if isinstance(value, str):
        return _head(2, len(value)) + value.encode()
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    kind, number = value
    raw = number.to_bytes(8, "big").lstrip(b"\0")
    return _head(kind, len(raw)) + raw


def build(depth, places):
    """The bytes of a database whose networks, all of length `depth`, take turns at `places`, which
    are (latitude, longitude)."""
    nodes = 2**depth - 1
    data, records = b"", []
    for latitude, longitude in places:
        records.append(nodes + 16 + len(data))
        data += _encode({"location": {"latitude": float(latitude), "longitude": float(longitude)}})
    # The children of node n are 2n + 1 and 2n + 2; below the last row are the records.
    tree = array.array("I", range(1, nodes))
    tree.extend(itertools.islice(itertools.cycle(records), nodes + 1))
    if sys.byteorder == "little":
        tree.byteswap()
    return _whole(tree.tobytes(), nodes, data)


def build_networks(networks):
    """The bytes of a database of IPv4 networks that do not overlap: {"127.0.0.2/32": record}, where
    a record is of maps, texts, floats and (UINT32, number)."""
    nodes, data = [[None, None]], b""
    for network, record in networks.items():
        network = ipaddress.ip_network(network)
        bits = f"{int(network.network_address):032b}"[:network.prefixlen]
        node = nodes[0]
        for bit in bits[:-1]:
            if node[int(bit)] is None:
                nodes.append([None, None])
                node[int(bit)] = len(nodes) - 1
            node = nodes[node[int(bit)]]
        node[int(bits[-1])] = ("data", len(data))
        data += _encode(record)

    def value(child):
        if child is None:
            return len(nodes)
        return child if isinstance(child, int) else len(nodes) + 16 + child[1]

    tree = b"".join(struct.pack(">II", *map(value, node)) for node in nodes)
    return _whole(tree, len(nodes), data)


def _whole(tree, nodes, data):
    metadata = {
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1), "database_type": "Test-City",
        "description": {"en": "made by a test"}, "ip_version": (UINT16, 4), "languages": ["en"],
        "node_count": (UINT32, nodes), "record_size": (UINT16, 32),
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encode(metadata)
