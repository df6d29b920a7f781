# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-dns as resolvers and operators meet it: real queries by kdig and dnspython, edges that
come and go, reloads, broken input."""

import re
import socket
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import perigee
from dns_fleet import (FRANKFURT, LONDON, NEW_YORK, SINGAPORE, ZONE, World, answer_data, scope,
                       split_prefix)
from perigee import wait_for


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


@pytest.fixture
def serving(world, processes):
    world.start(processes)
    return world


def test_static_answers(serving):
    response = serving.ask("static.example.com")
    assert answer_data(response) == ["192.0.2.80"]
    assert response.flags & dns.flags.AA and not response.flags & dns.flags.RA
    assert serving.ask("nothing.example.com").rcode() == dns.rcode.NXDOMAIN
    nothing = serving.ask("static.example.com", "AAAA")
    assert nothing.rcode() == dns.rcode.NOERROR and not nothing.answer
    assert [(r.rdtype, r.ttl) for r in nothing.authority] == [(dns.rdatatype.SOA, 60)]
    assert answer_data(serving.ask("any.thing.wild.example.com")) == ["192.0.2.99"]
    assert answer_data(serving.ask("alias.example.com")) == ["192.0.2.80"]
    assert serving.ask("www.example.net").rcode() == dns.rcode.REFUSED
    referral = serving.ask("host.sub.example.com")
    assert not referral.flags & dns.flags.AA
    assert referral.additional[0][0].to_text() == "192.0.2.54"

    counters = serving.daemon.counters()
    assert counters["dns_queries_udp_total"] == 7
    assert counters["dns_queries_tcp_total"] == 0
    assert counters["dns_responses_noerror_total"] == 5
    assert counters["dns_responses_nxdomain_total"] == 1
    assert counters["dns_responses_refused_total"] == 1
    assert counters["dns_steered_total"] == 0
    status = serving.daemon.status()
    assert status["zones"] == {"example.com": {"serial": 1, "records": 17}}
    assert status["workers"] == 2 and status["node"] == "ns1"


def test_the_questions_spelling_is_kept(serving):
    """Resolvers hide entropy in it (0x20)."""
    query = dns.message.make_query("StaTic.exAmple.com", "A", id=7).to_wire()
    response = serving.raw_udp(query)
    assert response[12 : len(query)] == query[12:]
    assert response[len(query) : len(query) + 2] == b"\xc0\x0c"
    assert b"exAmple" in response and b"example" not in response
    text = serving.kdig("static.example.com", "A")
    assert re.search(r"^static\.example\.com\.\s+300\s+IN\s+A\s+192\.0\.2\.80$", text, re.M)


def test_truncation_leads_to_tcp(serving):
    host, port = serving.address
    query = dns.message.make_query("big.example.com", "TXT")
    short = dns.query.udp(query, host, port=port, timeout=perigee.PATIENCE)
    assert short.flags & dns.flags.TC
    whole, over_tcp = dns.query.udp_with_fallback(query, host, port=port, timeout=perigee.PATIENCE)
    assert over_tcp and len(answer_data(whole, "TXT")) == 6
    # kdig does the same on its own
    assert serving.kdig("big.example.com", "TXT").count('"xxx') == 6
    counters = serving.daemon.counters()
    assert counters["dns_truncated_total"] == 3
    assert counters["dns_queries_tcp_total"] == 2
    assert counters["dns_tcp_connections_total"] == 2


def test_tcp_pipeline_in_pieces(serving):
    """Many queries on one connection, cut wherever it hurts; answered in order."""
    names = ["static", "nothing", "big", "alias"] * 50
    data = b""
    for i, name in enumerate(names):
        query = dns.message.make_query(f"{name}.example.com", "TXT" if name == "big" else "A", id=i)
        wire = query.to_wire()
        data += struct.pack("!H", len(wire)) + wire
    with socket.create_connection(serving.address, perigee.PATIENCE) as s:
        sender = threading.Thread(
            target=lambda: [s.sendall(data[i : i + 37]) for i in range(0, len(data), 37)]
        )
        sender.start()
        stream = s.makefile("rb")
        for i, name in enumerate(names):
            (length,) = struct.unpack("!H", stream.read(2))
            response = dns.message.from_wire(stream.read(length))
            assert response.id == i
            expected = dns.rcode.NXDOMAIN if name == "nothing" else dns.rcode.NOERROR
            assert response.rcode() == expected
        sender.join()
        s.shutdown(socket.SHUT_WR)
        assert stream.read() == b""
    wait_for(
        lambda: serving.daemon.counters()["dns_tcp_open_connections"] == 0, "the connection to end"
    )
    assert serving.daemon.counters()["dns_queries_tcp_total"] == len(names)


def test_tcp_client_that_does_not_read(serving):
    """Back-pressure: it may ask as much as it wants, the server stops listening to it."""
    query = dns.message.make_query("big.example.com", "TXT").to_wire()
    framed = (struct.pack("!H", len(query)) + query) * 1000
    with socket.create_connection(serving.address, perigee.PATIENCE) as s:
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                s.send(framed)
        # the others are served
        assert answer_data(serving.ask("static.example.com", tcp=True)) == ["192.0.2.80"]
        # and it, too, when it reads
        s.settimeout(perigee.PATIENCE)
        stream = s.makefile("rb")
        for _ in range(100):
            (length,) = struct.unpack("!H", stream.read(2))
            assert len(dns.message.from_wire(stream.read(length)).answer[0]) == 6


def test_nearest_edge_and_scope(serving):
    for subnet, edge in ((FRANKFURT, "127.0.0.11"), (LONDON, "127.0.0.11"),
                         (NEW_YORK, "127.0.0.12"), (SINGAPORE, "127.0.0.13")):
        response = serving.ask("www.example.com", subnet=subnet)
        assert answer_data(response) == [edge], subnet
        assert response.answer[0].ttl == 30
        # not more than the network that it is true for, and never beyond what was said of it
        assert scope(response) != [0] and scope(response)[0] <= split_prefix(subnet)[1]
    assert answer_data(serving.ask("www.example.com", "AAAA", subnet=NEW_YORK), "AAAA") == ["2001:db8::2"]
    assert answer_data(serving.ask("toedge.example.com", subnet=SINGAPORE)) == ["127.0.0.13"]
    # static answers are for everybody
    assert scope(serving.ask("static.example.com", subnet=NEW_YORK)) == [0]
    # and who did not ask is not told
    assert scope(serving.ask("www.example.com", use_edns=0)) == []

    text = serving.kdig("www.example.com", "A", "+subnet=" + NEW_YORK)
    assert re.search(r"CLIENT-SUBNET: 198\.51\.100\.0/26/\d+", text), text
    assert "127.0.0.12" in text

    counters = serving.daemon.counters()
    assert counters["dns_ecs_queries_total"] == 8
    assert counters["dns_steered_total"] == 8


def test_explain(serving):
    def explain(*words):
        return perigee.control(serving.daemon.control_path, "explain " + " ".join(words))

    report = explain("www.example.com", "A", NEW_YORK)
    assert report["chosen"] == "nyc1" and report["reason"] == "healthy"
    assert report["policy"] == "nearest" and report["edges"] == ["nyc1"] and report["front"]
    assert 6000 < report["margin_km"] < 6400
    assert report["answer"] == ["www.example.com. 30 IN A 127.0.0.12"]
    assert report["ttl"] == 30 and report["rcode"] == "NOERROR" and report["scope"] > 0
    assert report["place"]["known"] and report["place"]["country"] == "US"
    assert [c["edge"] for c in report["candidates"]] == ["nyc1", "fra1", "sin1"]
    assert all(c["state"] == "up" and c["admin"] == "active" for c in report["candidates"])
    distances = [c["distance_km"] for c in report["candidates"]]
    assert distances == sorted(distances) and distances[0] < 10 and 6000 < distances[1] < 6400
    # exactly what the wire says
    assert scope(serving.ask("www.example.com", subnet=NEW_YORK)) == [report["scope"]]

    static = explain("static.example.com", "A", "192.0.2.1")
    assert static["answer"] == ["static.example.com. 300 IN A 192.0.2.80"] and static["scope"] == 0
    assert "chosen" not in static
    assert explain("nothing.example.com", "A", "192.0.2.1")["rcode"] == "NXDOMAIN"
    for bad in (("www.example.com", "A"), ("a" * 64 + ".com", "A", "192.0.2.1"),
                ("www.example.com", "NOTATYPE", "192.0.2.1"), ("www.example.com", "A", "nobody")):
        assert set(explain(*bad)) == {"error"}


def test_malformed_messages(serving):
    good = dns.message.make_query("static.example.com", "A", id=7).to_wire()
    formerr = {
        "header only": good[:12],
        "question cut": good[:-1],
        "two questions": good[:5] + b"\x02" + good[6:] + good[12:],
        "trailing octets": good + b"\0",
        "compressed question": good[:12] + b"\xc0\x0c\0\x01\0\x01",
    }
    for what, data in formerr.items():
        response = serving.raw_udp(data)
        assert response[:2] == good[:2] and response[3] & 15 == dns.rcode.FORMERR, what
    notify = bytearray(good)
    notify[2] = 4 << 3
    assert serving.raw_udp(bytes(notify))[3] & 15 == dns.rcode.NOTIMP
    for what, data in {
        "response": good[:2] + b"\x80" + good[3:],
        "too short": good[:11],
        "empty": b"",
        "larger than any query": good + b"\0" * 3000,
    }.items():
        # silence: what is heard is the answer to the next
        assert dns.message.from_wire(serving.raw_udp(data, then=good)).id == 7, what
    counters = serving.daemon.counters()
    assert counters["dns_responses_formerr_total"] == len(formerr)
    assert counters["dns_responses_notimp_total"] == 1
    assert counters["dns_dropped_total"] == 4
    assert counters["dns_responses_noerror_total"] == 4


def test_status_tells_of_steered_names_and_how_old_verdicts_are(world, processes):
    world.servers["nyc1"].stop()
    world.start(processes)

    def steered():
        name = world.daemon.status()["steered"]["www.example.com"]
        return [name[key] for key in ("usable_ipv4", "reason_ipv4", "usable_ipv6", "reason_ipv6")]

    # Nobody is at the IPv6 addresses.
    wait_for(lambda: steered() == [2, "healthy", 0, "none is up"], "the verdicts")
    name = world.daemon.status()["steered"]["www.example.com"]
    assert (name["site"], name["policy"], name["edges"]) == ("www", "nearest", 3)
    ages = [address["age_seconds"] for edge in world.daemon.status()["edges"].values()
            for address in edge["addresses"].values()]
    assert len(ages) == 6 and all(0 <= age < perigee.PATIENCE for age in ages)
    shown = subprocess.run([perigee.CTL, "status", world.daemon.control_path], check=True,
                           capture_output=True, text=True).stdout
    assert "age seconds" in shown.lower() and "\nSTEERED\n" in shown

    # The only ones that are up are drained.
    world.write_fleet(drained=("fra1", "sin1"))
    world.daemon.reload()
    wait_for(lambda: steered()[:2] == [2, "drained, but no active one is up"], "the reload")


def test_health_moves_the_answer(world, processes):
    """http for fra1, tcp for the others: down, short TTL on the way, and back."""
    world.servers["nyc1"].stop()
    world.start(processes)
    # the very first answer already knows
    assert world.addresses_of("www.example.com", NEW_YORK) == ["127.0.0.11"]
    assert world.daemon.status()["edges"]["nyc1"]["state"] == "down"

    world.servers["nyc1"].start()
    wait_for(lambda: world.addresses_of("www.example.com", NEW_YORK) == ["127.0.0.12"], "nyc1 back")

    world.servers["fra1"].stop()
    wait_for(lambda: world.addresses_of("www.example.com", FRANKFURT) == ["127.0.0.12"], "fra1 gone")
    edge = world.daemon.status()["edges"]["fra1"]
    assert edge["state"] == "down" and edge["cause"] == "refused"
    report = perigee.control(world.daemon.control_path, f"explain www.example.com A {FRANKFURT}")
    assert report["chosen"] == "nyc1"
    assert [(c["edge"], c["state"]) for c in report["candidates"]][0] == ("fra1", "down")

    world.servers["fra1"].start()
    wait_for(lambda: world.addresses_of("www.example.com", FRANKFURT) == ["127.0.0.11"], "fra1 back")

    for server in world.servers.values():
        server.stop()
    wait_for(
        lambda: all(e["state"] == "down" for e in world.daemon.status()["edges"].values()),
        "all to be down",
    )
    response = world.ask("www.example.com", subnet=SINGAPORE)
    assert answer_data(response) == ["127.0.0.13"] and response.answer[0].ttl == 5
    for server in world.servers.values():
        server.start()


def test_reload(serving):
    up_before = serving.daemon.status()
    serving.write_zone(2, "new A 192.0.2.81\n")
    serving.write_fleet(ttl="20s", drained=["nyc1"])
    serving.daemon.reload()
    wait_for(
        lambda: serving.daemon.status()["zones"]["example.com"]["serial"] == 2, "the new zone"
    )
    assert answer_data(serving.ask("new.example.com")) == ["192.0.2.81"]
    response = serving.ask("www.example.com", subnet=NEW_YORK)
    assert answer_data(response) == ["127.0.0.11"] and response.answer[0].ttl == 20
    # health was kept: nothing waits for new probes
    assert serving.daemon.status()["edges"]["fra1"]["state"] == "up"
    assert serving.daemon.status()["listeners"] == up_before["listeners"]

    # all that is broken is named, and nothing of it is taken
    serving.write_zone(3, "bad A 300.0.0.1\nwww A 192.0.2.1\n")
    serving.write_fleet(geo=serving.zone)
    serving.daemon.reload()
    wait_for(lambda: "the running configuration stays" in serving.daemon.log(), "the refusal")
    lines = len(ZONE.splitlines())
    assert f"{serving.zone}:{lines + 1}: invalid IPv4 address" in serving.daemon.log()
    assert re.search(r"error .*example\.zone.*[Mm]ax[Mm]ind", serving.daemon.log())
    assert serving.daemon.status()["zones"]["example.com"]["serial"] == 2
    assert answer_data(serving.ask("new.example.com")) == ["192.0.2.81"]

    serving.write_zone(4)
    serving.write_fleet()
    serving.daemon.reload()
    wait_for(
        lambda: serving.daemon.status()["zones"]["example.com"]["serial"] == 4, "the mended zone"
    )
    assert answer_data(serving.ask("www.example.com", subnet=NEW_YORK)) == ["127.0.0.12"]


def run_check(world, *args, node="ns1"):
    return subprocess.run(
        [perigee.DNS, "--config", world.fleet, "--node", node, *args],
        capture_output=True, text=True, timeout=perigee.PATIENCE,
    )


def test_check_and_broken_input(world):
    good = run_check(world, "--check")
    assert (good.returncode, good.stdout) == (0, "ok\n"), good.stderr

    world.zone.write_text("@ SOA a b 1 2 3 4 5\n@ NS ns1\nx A 1.2.3\ny A\nwww A 192.0.2.1\n")
    for args in (("--check",), ()):
        result = run_check(world, *args)
        assert result.returncode == 1 and result.stdout == ""
        assert f"{world.zone}:3: " in result.stderr and f"{world.zone}:4: " in result.stderr

    # a steered name with an address of its own
    world.write_zone(1, "www A 192.0.2.1\n")
    result = run_check(world)
    assert result.returncode == 1
    assert f"{world.zone}:{len(ZONE.splitlines()) + 1}: A at www.example.com." in result.stderr

    world.zone.unlink()
    result = run_check(world)
    assert result.returncode == 1
    assert re.search(rf"fleet\.yaml:\d+:\d+: zone file {world.zone} cannot be read: No such file",
                     result.stderr)
    world.write_zone(1)

    broken = world.directory / "broken.mmdb"
    broken.write_bytes(perigee.SAMPLE_MMDB.read_bytes()[:-200])
    world.write_fleet(geo=broken)
    result = run_check(world)
    assert result.returncode == 1 and str(broken) in result.stderr

    # everything at once
    world.write_zone(1, "bad A x\n")
    result = run_check(world)
    assert str(broken) in result.stderr and f"{world.zone}:" in result.stderr

    world.write_zone(1)
    world.write_fleet(ttl="soon")
    result = run_check(world)
    assert result.returncode == 1 and re.search(r"fleet\.yaml:\d+:\d+: ", result.stderr)

    world.write_fleet()
    result = run_check(world, node="nobody")
    assert result.returncode == 1 and "nobody" in result.stderr


def test_port_that_is_taken(world, processes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        world.write_fleet(listen=f"127.0.0.1:{taken.getsockname()[1]}")
        daemon = world.start(processes, wait=False)
        daemon.wait()
        daemon.stop(expect=1)
        assert "cannot listen on 127.0.0.1:" in daemon.log()


def test_wildcard_listener_answers_from_the_address_asked(world, processes):
    world.write_fleet(listen="*:0")
    world.start(processes)
    port = world.daemon.addresses()[0][1]
    query = dns.message.make_query("static.example.com", "A")
    # dnspython refuses a response that comes from elsewhere
    for host in ("127.0.0.1", "127.0.0.77", "::1"):
        response = dns.query.udp(query, host, port=port, timeout=perigee.PATIENCE)
        assert answer_data(response) == ["192.0.2.80"]
        response = dns.query.tcp(query, host, port=port, timeout=perigee.PATIENCE)
        assert answer_data(response) == ["192.0.2.80"]
        asked = f"[{host}]" if ":" in host else host
        for transport in ("UDP", "TCP"):
            world.daemon.wait_log(rf"asks {re.escape(asked)}:{port} for static\.example\.com\. "
                                  rf"over {transport}")


def test_nothing_is_answered_before_the_first_probes(world, processes):
    """An edge that accepts and says nothing keeps the server waiting, for the check's timeout."""
    world.servers["fra1"].kind = "silent"
    world.fleet.write_text(
        world.fleet.read_text().replace("interval: 200ms, timeout: 200ms", "interval: 2s, timeout: 2s", 1)
    )
    daemon = world.start(processes, wait=False)
    first = wait_for(lambda: daemon._status_or_none(), "the control socket")
    assert first["state"] == "starting" and first["listeners"] == []
    daemon.wait_serving()
    assert daemon.status()["edges"]["fra1"]["state"] == "down"
    assert world.addresses_of("www.example.com", FRANKFURT) == ["127.0.0.12"]


def test_stops_while_starting(world, processes):
    world.servers["fra1"].kind = "silent"
    daemon = world.start(processes, wait=False)
    wait_for(lambda: daemon._status_or_none(), "the control socket")
    daemon.stop()
