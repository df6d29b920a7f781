# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients who were sent where they should not be, or told that for the wrong networks. Each test is
named after what went wrong once."""

import csv
import ipaddress

import pytest

import perigee
from dns_fleet import FRANKFURT, NEW_YORK, SINGAPORE, HealthServer, World, answer_data, scope
from perigee import wait_for

ZONE = """\
$TTL 300
@        3600 SOA ns1 hostmaster 1 7200 900 1209600 60
@        NS    ns1
ns1      A     127.0.0.1
"""
PLACES = {"fra1": "50.11, 8.68", "nyc1": "40.71, -74.01", "sin1": "1.35, 103.82"}


class Fleet(World):
    """Edges by name, each with addresses of which some are dead, and steered names by YAML."""

    def __init__(self, directory, edges, steered="{www: {site: www}}", site="", dead=(),
                 drained=()):
        """edges: {name: (location, [addresses])}, in the order of the file. site: more of its
        options."""
        self.directory = directory
        self.fleet = directory / "fleet.yaml"
        self.edges, self.steered, self.site, self.drained = edges, steered, site, drained
        self.servers, self.ports, self.daemon = {}, {}, None
        (directory / "example.zone").write_text(ZONE)
        for name, (_, addresses) in edges.items():
            for address in addresses:
                if address not in dead:
                    self.servers[address] = HealthServer("tcp", address, self.ports.get(name, 0))
                    self.ports[name] = self.servers[address].port
            self.ports.setdefault(name, 9)  # nobody is there
        self.write()

    def write(self, interval="200ms"):
        edges = "".join(
            f"  {name}: {{location: '{location}', addresses: [{', '.join(map(repr, addresses))}],"
            f" admin: {'drained' if name in self.drained else 'active'},"
            f" check: {{kind: tcp, port: {self.ports[name]}, interval: {interval},"
            " timeout: 200ms, rise: 1, fall: 2}}\n"
            for name, (location, addresses) in self.edges.items()
        )
        self.fleet.write_text(
            f"edges:\n{edges}"
            "nameservers: {ns1: {listen: '127.0.0.1:0', workers: 1, state: ''}}\n"
            "origins: {app: {servers: '127.0.0.1:80'}}\n"
            "sites:\n"
            "  www:\n"
            "    hosts: ['*.example.com']\n"
            "    certificates: [{certificate: c.pem, key: k.pem}]\n"
            "    routes: [{origin: app}]\n"
            f"{self.site}"
            f"zones: {{example.com: {{file: example.zone, steered: {self.steered}}}}}\n"
            f"geo: {{database: {perigee.SAMPLE_MMDB}}}\n"
        )

    def told(self, subnet, rdtype="A", name="www.example.com"):
        """Records, their TTL (of a negative answer the SOA's), the scope."""
        response = self.ask(name, rdtype, subnet=subnet)
        ttl = (response.answer or response.authority)[0].ttl
        return answer_data(response, rdtype), ttl, scope(response)[0]

    def state(self, edge, address):
        return self.daemon.status()["edges"][edge]["addresses"][address]["state"]

    def fronts_current(self):
        return self.daemon.status()["steering"]["fronts_current"]


@pytest.fixture
def make_fleet(tmp_path, processes):
    made = []

    def make(edges, **options):
        fleet = Fleet(tmp_path, edges, **options)
        made.append(fleet)
        fleet.start(processes)
        return fleet

    yield make
    for fleet in made:
        fleet.close()


def of_three(*addresses):
    return {name: (at, [a]) for (name, at), a in zip(PLACES.items(), addresses)}


def test_verdicts_were_forgotten_when_an_edge_came_first(make_fleet):
    """Ids of edges moved, and their verdicts with them: for a while the one that was down was named
    again, and everybody else's TTL was short. With an interval of an hour nothing is found out
    anew."""
    edges = of_three("127.0.0.11", "127.0.0.12", "127.0.0.13")
    fleet = make_fleet(edges, dead=("127.0.0.12",))
    wait_for(lambda: fleet.state("nyc1", "127.0.0.12") == "down", "nyc1 to be down")
    assert fleet.told(NEW_YORK)[:2] == (["127.0.0.11"], 30)

    fleet.servers["127.0.0.14"] = HealthServer("tcp", "127.0.0.14")
    fleet.ports["aaa1"] = fleet.servers["127.0.0.14"].port
    fleet.edges = {"aaa1": ("-33.87, 151.21", ["127.0.0.14"]), **edges}
    fleet.write(interval="1h")
    fleet.daemon.reload()
    for subnet, address in ((NEW_YORK, "127.0.0.11"), (FRANKFURT, "127.0.0.11"),
                            (SINGAPORE, "127.0.0.13")):
        assert fleet.told(subnet)[:2] == ([address], 30)
    wait_for(lambda: "aaa1" in fleet.daemon.status()["edges"], "the reload")
    for subnet, address in ((NEW_YORK, "127.0.0.11"), (FRANKFURT, "127.0.0.11"),
                            (SINGAPORE, "127.0.0.13")):
        assert fleet.told(subnet)[:2] == ([address], 30)
    assert fleet.state("nyc1", "127.0.0.12") == "down"


def test_nearest_edge_without_the_family_hid_the_next(make_fleet):
    """An edge that has IPv6 only was nearest, so there was no A at all."""
    fleet = make_fleet({"fra1": (PLACES["fra1"], ["::1"]),
                        "nyc1": (PLACES["nyc1"], ["127.0.0.12"]),
                        "sin1": (PLACES["sin1"], ["127.0.0.13"])})
    assert fleet.told(FRANKFURT, "AAAA")[0] == ["::1"]
    assert fleet.told(FRANKFURT)[:2] == (["127.0.0.12"], 30)
    assert fleet.told(SINGAPORE)[0] == ["127.0.0.13"]


def test_dead_edge_was_named_before_a_drained_one(make_fleet):
    fleet = make_fleet(of_three("127.0.0.11", "127.0.0.12", "127.0.0.13"),
                       site="    edges: [fra1, nyc1]\n", dead=("127.0.0.11",), drained=("nyc1",))
    wait_for(lambda: fleet.state("fra1", "127.0.0.11") == "down" and
             fleet.state("nyc1", "127.0.0.12") == "up", "the verdicts")
    # A short time: as soon as the active one is back it is better.
    assert fleet.told(FRANKFURT) == (["127.0.0.12"], 5, 0)
    report = perigee.control(fleet.daemon.control_path, f"explain www.example.com A {FRANKFURT}")
    assert report["reason"].startswith("drained")
    states = {c["edge"]: (c["state"], c["admin"]) for c in report["candidates"]}
    assert states == {"fra1": ("down", "active"), "nyc1": ("up", "drained")}


def test_explain_kept_what_a_policy_goes_by_to_itself(make_fleet):
    """Neither weights nor that an edge has no address of the family were told; the difference of two
    numbers that were drawn was called kilometres, and who is nowhere stood at 0,0."""
    fleet = make_fleet(of_three("127.0.0.11", "127.0.0.12", "127.0.0.13"),
                       steered="{www: {site: www, policy: weighted, weights: {nyc1: 7}}}")

    def explain(what):
        return perigee.control(fleet.daemon.control_path, f"explain www.example.com {what}")

    report = explain("A 9.9.9.0/24")
    assert {c["edge"]: c["weight"] for c in report["candidates"]} == {"fra1": 1, "nyc1": 7, "sin1": 1}
    assert report["candidates"][0]["edge"] == report["chosen"]
    assert report["margin_km"] is None
    assert (report["place"]["known"], report["place"]["latitude"]) == (False, None)
    report = explain(f"AAAA {FRANKFURT}")
    assert {c["cause"] for c in report["candidates"]} == {"no-address"}
    assert int(report["place"]["latitude"]) == 50


def sample_networks():
    with open(perigee.SOURCE / "geo" / "sample" / "sample-city.csv", newline="") as f:
        networks = [ipaddress.ip_network(row["network"]) for row in csv.DictReader(f)]
    return sorted(n for n in networks if n.version == 4)


def test_scope_was_finer_than_the_choice(make_fleet):
    """Of a site with two of forty edges: neighbours whose order of all forty differs are told the
    same, but it was said to hold for one of them only."""
    edges = {f"e{i}": (f"{i * 4 - 80}, {i * 9 - 180}", [f"127.0.1.{i}"]) for i in range(1, 39)}
    edges |= of_three("127.0.0.11", "127.0.0.12")
    fleet = make_fleet(edges, site="    edges: [fra1, nyc1]\n")
    wait_for(fleet.fronts_current, "fronts")
    borders = sorted({int(n[0]) for n in sample_networks()} |
                     {int(n[-1]) + 1 for n in sample_networks()} | {0})
    told = {at: fleet.told(f"{ipaddress.ip_address(at)}/32") for at in borders}

    def choices(network):
        """Who is named in it: borders inside, and what holds at its first address."""
        inside = [at for at in borders if int(network[0]) <= at <= int(network[-1])]
        before = max(at for at in borders if at <= int(network[0]))
        return {tuple(told[at][0]) for at in [before, *inside]}

    assert len({tuple(t[0]) for t in told.values()}) == 2
    for at, (addresses, _, length) in told.items():
        network = ipaddress.ip_network((at, length), strict=False)
        assert choices(network) == {tuple(addresses)}
        assert length == 0 or len(choices(network.supernet())) == 2, network


def test_negative_answer_was_for_one_network(make_fleet):
    """NODATA for AAAA where the nearest edge had no IPv6, with a narrow scope: resolvers that keep
    negative answers for everybody hid IPv6 from all their clients."""
    fleet = make_fleet({"fra1": (PLACES["fra1"], ["127.0.0.11", "::1"]),
                        "nyc1": (PLACES["nyc1"], ["127.0.0.12"]),
                        "sin1": (PLACES["sin1"], ["127.0.0.13"])},
                       steered="{www: {site: www}, "
                               "far: {site: www, policy: failover, order: [nyc1, sin1]}}")
    # As long as anybody has it, nobody is told that there is none.
    for subnet in NEW_YORK, FRANKFURT, SINGAPORE:
        assert fleet.told(subnet, "AAAA") == (["::1"], 30, 0)
    # And where nobody has it, that is true for all.
    for subnet in NEW_YORK, FRANKFURT, SINGAPORE:
        assert fleet.told(subnet, "AAAA", "far.example.com") == ([], 60, 0)


def test_one_verdict_for_all_addresses_of_an_edge(make_fleet):
    """Only the first was checked: a dead second one was answered all the same, and a dead first one
    took the edge away with all others."""
    fleet = make_fleet({"fra1": (PLACES["fra1"], ["127.0.0.11", "127.0.0.21"]),
                        "nyc1": (PLACES["nyc1"], ["127.0.0.12", "127.0.0.22"]),
                        "sin1": (PLACES["sin1"], ["127.0.0.13", "127.0.0.23"])},
                       dead=("127.0.0.21", "127.0.0.12"))
    wait_for(lambda: fleet.state("fra1", "127.0.0.21") == "down" and
             fleet.state("nyc1", "127.0.0.12") == "down", "the verdicts")
    assert fleet.told(FRANKFURT)[0] == ["127.0.0.11"]
    assert fleet.told(NEW_YORK)[0] == ["127.0.0.22"]
    assert sorted(fleet.told(SINGAPORE)[0]) == ["127.0.0.13", "127.0.0.23"]
    fleet.servers["127.0.0.11"].stop()
    wait_for(lambda: fleet.told(FRANKFURT)[0] == ["127.0.0.22"], "the next edge")
    fleet.servers["127.0.0.11"].start()
    wait_for(lambda: fleet.told(FRANKFURT)[0] == ["127.0.0.11"], "the nearest to be back")
