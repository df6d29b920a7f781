# SPDX-License-Identifier: GPL-3.0-or-later
"""The works of name servers: a static name, a steered name, clients all over the world, and what a
large database costs to load and to hold.
"""

import contextlib
import math
import random
import re
import socket
import time
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rcode
import maxminddb

import measure
import perigee as project
import responders
from demo import free_port
from measure import Wrong
from responders import RESPONDERS
from work import Figure, Sample, Work, costed, one


def ask(port, name, subnet=None):
    query = dns.message.make_query(name, "A")
    if subnet:
        query.use_edns(0, payload=1232, options=[dns.edns.ECSOption(subnet, 24)])
    try:
        answer = dns.query.udp(query, "127.0.0.1", timeout=1, port=port)
    except (OSError, dns.exception.DNSException) as e:
        raise Wrong(f"{name}: {e!r}") from None
    if answer.rcode() != dns.rcode.NOERROR or len(answer.answer) != 1:
        raise Wrong(f"{name} {subnet or ''}: {answer}")
    return str(answer.answer[0][0])


def distance(a, b):
    """Great-circle distance in km (haversine)."""
    lat1, lon1, lat2, lon2 = (math.radians(x) for x in (*a, *b))
    h = (math.sin((lat2 - lat1) / 2) ** 2
         + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2)
    return 2 * 6371 * math.asin(math.sqrt(h))


def expected_address(record, nearest):
    """Where a client with this record of the database belongs; None when it is a close call."""
    if not nearest:
        of_country = {c: n for n, (_, _, cs) in responders.PLACES.items() for c in cs}
        return responders.ADDRESSES[of_country.get(record["country"]["iso_code"], responders.DEFAULT)]
    place = (record["location"]["latitude"], record["location"]["longitude"])
    by_distance = sorted((distance(place, (lat, lon)), n)
                         for n, (lat, lon, _) in responders.PLACES.items())
    if by_distance[0][0] > 0.98 * by_distance[1][0]:
        return None
    return responders.ADDRESSES[by_distance[0][1]]


def sample_subnets(bench, nearest, count=30):
    """[(an address in the database, the answer that it should get)], from an independent reader."""
    chance, result = random.Random(7), []
    with maxminddb.open_database(bench.database) as db:
        while len(result) < count:
            address = f"{chance.randint(1, 223)}.{chance.randint(0, 255)}.{chance.randint(0, 255)}.0"
            record = db.get(address)
            expected = record and expected_address(record, nearest)
            if expected:
                result.append((address, expected))
        own = db.get("127.0.0.1")
        own = own and expected_address(own, nearest)
    if not own:
        raise Wrong(f"{bench.database} says nothing of 127.0.0.1: use one of city_database.pl")
    return result, own


def verify_responder(name, port, subnets, own):
    def expect(got, wanted, what):
        if got != wanted:
            raise Wrong(f"{name} answered {got}, not {wanted}, for {what}")

    expect(ask(port, responders.STATIC), responders.STATIC_ADDRESS, "a static name")
    expect(ask(port, responders.STEERED), own, "a client on loopback")
    for subnet, wanted in subnets:
        expect(ask(port, responders.STEERED, subnet), wanted, f"a client in {subnet}/24")


@contextlib.contextmanager
def edges_that_listen():
    """The steered addresses accept connections on one port, for health checks."""
    addresses = list(responders.ADDRESSES.values())
    port = free_port(addresses)
    with contextlib.ExitStack() as stack:
        for address in addresses:
            stack.enter_context(socket.create_server((address, port), backlog=128))
        yield port


def responder_command(bench, name, folder, edge_port):
    port = free_port(["127.0.0.1"])
    setup = responders.Setup(folder, f"127.0.0.1:{port}", bench.database, edge_port)
    return RESPONDERS[name].command(setup), port


def expect_answers(name, found):
    """No wrong answer, and little lost: what a full socket buffer drops costs the server nothing and is
    told, not hidden. The first burst, a window of 256, may meet a server that still warms up."""
    if found["wrong"] or not found["answers"] or found["lost"] > 256 + found["asked"] / 100:
        raise Wrong(f"{name}: {found}")


def dns_queries(question, *args):
    def run(bench, name):
        subnets, own = sample_subnets(bench, RESPONDERS[name].nearest)
        folder = measure.folder(bench.directory, name)
        with edges_that_listen() as edge_port:
            argv, port = responder_command(bench, name, folder, edge_port)
            with measure.running(name, argv, bench.server_core,
                                 lambda: verify_responder(name, port, subnets, own),
                                 folder / "log") as process:
                found = {}

                def go():
                    found.update(measure.load(bench.load_core, [
                        measure.DNSLOAD, "--seconds", bench.seconds, *args, f"127.0.0.1:{port}",
                        question]))
                    return found["answers"]

                sample = costed(bench, process, go)
        expect_answers(name, found)
        sample.more["lost"] = found["lost"] / found["asked"]
        return sample

    return run


def first_answer(process, port, name, query, answer, began):
    """Seconds from `began` until `query` is answered with the address `answer`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", port))
        s.settimeout(0.002)
        while True:
            try:
                s.send(query)
                if s.recv(2048).endswith(answer):
                    return time.monotonic() - began
            except OSError:  # refused or silent: not there yet
                time.sleep(0.0005)
            if not process.running() or time.monotonic() - began > 30:
                raise Wrong(f"{name} did not come to answer:\n{process.log()[-2000:]}")


def database(bench, name):
    """From the start of the program to its first right answer, and what it holds once clients of all
    places have been answered."""
    responder = RESPONDERS[name]
    subnets, own = sample_subnets(bench, responder.nearest)
    folder = measure.folder(bench.directory, name)
    # Without EDNS the address is the end of the answer.
    query = dns.message.make_query(responders.STEERED, "A").to_wire()
    with edges_that_listen() as edge_port:
        argv, port = responder_command(bench, name, folder, edge_port)
        began = time.monotonic()
        process = project.Process(measure.pinned(bench.server_core, argv), folder / "log")
        try:
            start = first_answer(process, port, name, query, socket.inet_aton(own), began)
            verify_responder(name, port, subnets, own)
            found = measure.load(bench.load_core, [
                measure.DNSLOAD, "--seconds", bench.seconds / 4, "--subnets", f"127.0.0.1:{port}",
                responders.STEERED])
            expect_answers(name, found)
            memory = measure.memory_of(process.pid)
            peak = max_memory(process.pid)
        finally:
            process.stop(expect=None)
    return {"database-start": Sample(start * 1000),
            "database-memory": Sample(memory / 1e6, {"peak_mb": peak / 1e6})}


def max_memory(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1)) * 1024


SERVERS = ("perigee", "gdnsd", "knot", "powerdns")
BY_COUNTRY = {n: "steers by country, reading the database for each answer"
              for n in ("knot", "powerdns")}

WORKS = [
    one("dns-static", RESPONDERS, "DNS, static name", "us", SERVERS, dns_queries(responders.STATIC)),
    one("dns-steered", RESPONDERS, "DNS, steered name", "us", SERVERS, dns_queries(responders.STEERED),
        lesser=BY_COUNTRY),
    one("dns-subnets", RESPONDERS, "DNS, steered, random client subnets", "us", SERVERS,
        dns_queries(responders.STEERED, "--subnets"), lesser=BY_COUNTRY),
    Work("dns-database", RESPONDERS, SERVERS,
         (Figure("database-memory", "memory with 300,000 networks", "MB"),
          Figure("database-start", "start to first answer with them", "ms")), database,
         lesser=BY_COUNTRY),
]
