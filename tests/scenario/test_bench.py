# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks' own parts: generators count what really happened, figures are what they say, and
the whole runs. Nothing here asserts how fast anything is."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

import perigee
from edge_fleet import HOST, Edge, ScriptedOrigin, read_head

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))
pytest.importorskip("maxminddb", reason="apt-get install python3-maxminddb")

import bench  # noqa: E402
import dns_scale_works  # noqa: E402
import dns_works  # noqa: E402
import edge_works  # noqa: E402
import edges  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
import responders  # noqa: E402
import work  # noqa: E402

pytestmark = pytest.mark.skipif(not measure.TLSLOAD.exists(),
                                reason="built without libssl-dev, so without benchmarks")


def run_load(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=True,
                          timeout=perigee.PATIENCE)
    return json.loads(done.stdout)


@pytest.fixture
def edge(processes, tmp_path, authority, certificate, origin):
    """Its responses to /bytes/1024 are what bench-tlsload expects."""
    e = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})},
             {"app": f'servers: ["127.0.0.1:{origin.port}"], health: {{enabled: false}}'})
    processes.append(e)
    return e


def tlsload(edge, *args, path="/bytes/1024"):
    return run_load(measure.TLSLOAD, "--connections", 8, "--seconds", 0.3, "--path", path, *args,
                    f"127.0.0.1:{edge.port}")


# ---- bench-tlsload

def test_each_operation_is_one_connection_and_one_request(edge):
    found = tlsload(edge)
    assert found["operations"] > 8 and found["errors"] == 0 and found["resumed"] == 0
    edge.wait_counter("edge_connections_active", 0)
    c = edge.settled()
    assert (c["edge_connections_total"] == c["edge_handshakes_total"] == c["edge_requests_total"]
            == c["edge_responses_2xx_total"] == found["operations"])
    assert c["edge_handshakes_resumed_total"] == 0
    latency = found["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]


def test_every_connection_is_resumed_but_the_one_that_brings_the_ticket(edge):
    found = tlsload(edge, "--resume")
    assert found["errors"] == 0 and found["resumed"] == found["operations"] > 8
    edge.wait_counter("edge_connections_active", 0)
    c = edge.settled()
    assert c["edge_handshakes_resumed_total"] == found["operations"]
    assert c["edge_requests_total"] == found["operations"] + 1


@pytest.mark.parametrize("path", ["/bytes/1023", "/bytes/1025", "/chunked/1024", "/status/204"])
def test_a_wrong_response_is_an_error_and_no_operation(edge, path):
    found = tlsload(edge, path=path)
    assert found["operations"] == 0 and found["errors"] > 0
    assert found["first_error"].startswith("response:")


def test_a_response_that_breaks_off_is_an_error(processes, tmp_path, authority, certificate):
    def script(conn):
        assert read_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1000)

    broken = ScriptedOrigin(script)
    e = Edge(tmp_path, authority, {"www": ([HOST], [certificate], {"/": "app"})},
             {"app": broken.origin()})
    processes.append(e)
    found = tlsload(e)
    broken.close()
    assert found["operations"] == 0 and found["errors"] > 0
    assert found["first_error"].startswith("body:")


def test_a_server_that_refuses_gives_errors(hold_port):
    found = run_load(measure.TLSLOAD, "--seconds", 0.1, hold_port().address)
    assert found["operations"] == 0 and found["errors"] >= 32
    assert found["first_error"] == "connect: Connection refused"


def test_held_connections_are_held_and_lost_ones_are_missed(edge):
    for stop in (False, True):
        child = subprocess.Popen(
            [measure.TLSLOAD, "--hold", "20", "--path", "/bytes/1024", f"127.0.0.1:{edge.port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = json.loads(child.stdout.readline())
        assert first == {"held": 20, "errors": 0, "first_error": ""}
        edge.wait_counter("edge_connections_active", 20)
        if stop:
            edge.stop()
        last, _ = child.communicate(timeout=perigee.PATIENCE)
        assert json.loads(last) == {"still_open": 0 if stop else 20}
        if not stop:
            edge.wait_counter("edge_connections_active", 0)


@pytest.mark.parametrize("argv", [
    ["tlsload"], ["tlsload", "--hold", "x", "127.0.0.1:1"], ["tlsload", "nonsense"],
    ["tlsload", "--junk"], ["dnsload", "127.0.0.1:1"], ["dnsload", "--window", "0", "127.0.0.1:1", "a"],
    ["dnsload", "127.0.0.1:1", "a..b"],
])
def test_generators_refuse_what_makes_no_sense(argv):
    program = {"tlsload": measure.TLSLOAD, "dnsload": measure.DNSLOAD}[argv[0]]
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and (done.stderr or done.stdout.startswith("usage:"))


# ---- bench-dnsload

class NameServer:
    """Answers by UDP what reply(number of the query, query) says: a list of datagrams."""

    def __init__(self, reply):
        self.queries = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.reply = reply
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            data, client = self.socket.recvfrom(2048)
            if not data:
                return
            self.queries.append(data)
            for answer in self.reply(len(self.queries), data):
                self.socket.sendto(answer, client)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


def right_answer(data):
    query = dns.message.from_wire(data)
    response = dns.message.make_response(query)
    response.answer = [dns.rrset.from_text(query.question[0].name, 30, "IN", "A", "192.0.2.1")]
    return response


def dnsload(server, *args):
    found = run_load(measure.DNSLOAD, "--seconds", 0.3, "--window", 16, *args, server.address,
                     "www.example.com")
    assert found["asked"] == found["answers"] + found["wrong"] + found["lost"]
    server.close()
    assert found["asked"] == len(server.queries)
    return found


def test_answers_are_counted():
    server = NameServer(lambda n, q: [right_answer(q).to_wire()])
    found = dnsload(server)
    assert found["answers"] == found["asked"] > 16


def test_what_the_server_swallows_is_lost():
    server = NameServer(lambda n, q: [right_answer(q).to_wire()] if n % 4 else [])
    found = dnsload(server)
    assert found["lost"] == len(server.queries) // 4 > 0 and found["wrong"] == 0


def spoil(how):
    def reply(n, data):
        response = right_answer(data)
        if how == "rcode":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif how == "empty":
            response.answer = []
        elif how == "truncated":
            response.flags |= dns.flags.TC
        wire = bytearray(response.to_wire())
        if how == "no response":
            wire[2] &= 0x7F
        elif how == "other question":
            wire[13] ^= 1
        return [bytes(wire)]

    return reply


@pytest.mark.parametrize("how", ["rcode", "empty", "truncated", "no response", "other question"])
def test_a_wrong_answer_is_no_answer(how):
    found = dnsload(NameServer(spoil(how)))
    assert found["answers"] == 0 and found["wrong"] == found["asked"] > 0


def test_an_answer_that_comes_twice_counts_once():
    found = dnsload(NameServer(lambda n, q: [right_answer(q).to_wire()] * 2))
    assert found["answers"] == found["asked"] > 0


def subnet_of(data):
    """The client subnet, from a reader that is not ours."""
    (option,) = dns.message.from_wire(data).options
    assert isinstance(option, dns.edns.ECSOption) and option.family == 1
    assert option.srclen == 24 and option.scopelen == 0
    return option.address


def test_subnets_are_valid_differ_and_are_the_same_in_each_run():
    runs = []
    for _ in range(2):
        server = NameServer(lambda n, q: [right_answer(q).to_wire()])
        dnsload(server, "--subnets")
        runs.append([subnet_of(q) for q in server.queries])
    n = min(map(len, runs))
    assert runs[0][:n] == runs[1][:n]
    assert len(set(runs[0])) > 0.99 * len(runs[0])
    firsts = {int(a.split(".")[0]) for a in runs[0]}
    assert firsts <= set(range(1, 224)) and len(firsts) > min(100, n / 4)


def test_it_agrees_with_the_counters_of_the_responder(processes, tmp_path):
    with dns_works.edges_that_listen() as port:
        setup = responders.Setup(tmp_path, "127.0.0.1:0", perigee.SAMPLE_MMDB, port)
        responders.perigee(setup)
        daemon = perigee.Daemon(perigee.DNS, tmp_path / "perigee.yaml", "ns1", tmp_path)
        processes.append(daemon)
        address = "%s:%d" % daemon.addresses()[0]
        # A window that surely fits into the socket's buffer: nothing is lost.
        found = run_load(measure.DNSLOAD, "--seconds", 0.3, "--window", 32, "--subnets", address,
                         responders.STEERED)
        assert found["answers"] == found["asked"] > 32
        c = daemon.counters()
        assert (c["dns_queries_udp_total"] == c["dns_ecs_queries_total"] == c["dns_steered_total"]
                == found["answers"])


# ---- measuring

BURN = """
import os, sys
pid = os.fork()
for i in range(3_000_000): pass
if pid == 0:
    print("ready", flush=True); sys.stdin.readline(); os._exit(0)
os.waitpid(pid, 0)
"""


def test_cpu_and_memory_of_a_process_are_those_of_its_children_too():
    child = subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    # The parent may still burn: it sleeps in waitpid() when it is done.
    perigee.wait_for(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "S",
                     "the parent to wait")
    pids = measure.process_tree(child.pid)
    cpu = measure.cpu_of(child.pid)
    assert len(pids) == 2 and measure.memory_of(child.pid) > measure.memory_of(pids[1]) > 1_000_000
    child.stdin.close()
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0 and usage.ru_utime > 0
    # The kernel's own sum of both, at their end.
    assert cpu.total == pytest.approx(usage.ru_utime + usage.ru_stime, abs=0.05)


FIGURES = {"cost": work.Figure("cost", "a cost", "us"),
           "bounded": work.Figure("bounded", "a bounded cost", "ms"),
           "named": work.Figure("named", "a cost beside one peer", "ms"),
           "both": work.Figure("both", "a bounded cost beside the peers", "ms"),
           "share": work.Figure("share", "a share", "%", more_is_better=True),
           "share-more": work.Figure("share-more", "the same with more workers", "%", True)}
GOALS = {"ratio": {"cost": 0.8, "named": 1.1, "both": 1}, "ceiling": {"bounded": 5, "both": 5},
         "peer": {"named": "slow"}, "floor": {"share": 99.9, "share-more": 99.9},
         "no-lower": {"share-more": "share"}}


def judge(samples, not_yet=(), lesser=(), dropped=()):
    works = [work.Work(n, {}, (), (FIGURES[n],), None, lesser=dict(lesser)) for n in samples]
    return report.judge(works, samples, GOALS, dict(not_yet), dict(dropped))


def test_a_ratio_is_to_the_best_peer_round_by_round():
    row = judge({"cost": {"perigee": [8, 16, 9], "slow": [20, 40, 20], "fast": [10, 21, 10]}})["cost"]
    assert row["peer"] == "fast" and row["peer_figure"] == 10 and row["ours"] == 9
    assert row["ratio"] == pytest.approx(0.8) and row["verdict"] == "ok"
    assert (row["ratio_low"], row["ratio_high"]) == (pytest.approx(16 / 21), pytest.approx(0.9))


@pytest.mark.parametrize("ours, verdict", [([8.0], "ok"), ([8.1], "short"), ([20], "short")])
def test_a_goal_is_reached_or_not(ours, verdict):
    assert judge({"cost": {"perigee": ours, "fast": [10]}})["cost"]["verdict"] == verdict


@pytest.mark.parametrize("ours, peers, verdict", [([5], [5], "ok"), ([5], [4], "short"),
                                                  ([6], [9], "short")])
def test_a_bound_and_a_ratio_are_both_to_be_kept(ours, peers, verdict):
    row = judge({"both": {"perigee": ours, "fast": peers}})["both"]
    assert row["goal"] == 5 and row["verdict"] == verdict


def test_a_goal_may_name_its_peer():
    row = judge({"named": {"perigee": [8], "slow": [10], "fast": [4]}})["named"]
    assert row["peer"] == "slow" and row["ratio"] == 0.8 and row["verdict"] == "ok"


def test_a_goal_that_names_its_peer_says_nothing_beside_another():
    row = judge({"named": {"perigee": [8], "fast": [8]}})["named"]
    assert row["peer"] == "fast" and row["ratio"] == 1
    assert row["goal"] is None and "verdict" not in row


@pytest.mark.parametrize("ours, verdict", [([4, 5, 6], "ok"), ([5.1], "short")])
def test_a_bound_of_our_own_is_kept_or_not(ours, verdict):
    """With a peer beside us or without."""
    for peers in ({}, {"fast": [1]}):
        row = judge({"bounded": {"perigee": ours, **peers}})["bounded"]
        assert row["verdict"] == verdict and row["goal"] == 5
        assert "5 ms" in report.verdict_table({"bounded": row})


def test_the_best_peer_is_the_best_also_when_it_does_less():
    samples = {"cost": {"perigee": [8], "fast": [10], "less": [4]}}
    rows = judge(samples, lesser={"less": "skips it"})
    assert rows["cost"]["peer"] == "less" and rows["cost"]["verdict"] == "short"
    assert rows["cost"]["same"] == {"peer": "fast", "ratio": 0.8, "why": "less skips it"}
    (note,) = report.footnotes(rows)
    assert note.startswith("a cost: less skips it;")
    assert note.endswith("fast is the best, the ratio to it 0.80.")
    assert report.footnotes(judge(samples, lesser={"fast": "skips it"})) == []


def test_a_figure_without_a_server_that_was_wrong_is_not_judged():
    rows = judge({"cost": {"perigee": [8], "fast": [10]}}, dropped={"cost": ["faster"]})
    assert rows["cost"]["verdict"] == "wrong: faster"


def test_without_peers_or_without_us_nothing_is_judged():
    assert "verdict" not in judge({"cost": {"perigee": [8]}})["cost"]
    row = judge({"cost": {"fast": [10]}}, not_yet={"cost": "such a thing"})["cost"]
    assert row["verdict"] == "not yet" and row["peer_figure"] == 10 and "ratio" not in row


@pytest.mark.parametrize("one, more, verdict", [
    (99.95, 99.95, "ok"), (99.95, 99.99, "ok"), (99.95, 99.93, "short"), (99.95, 99.9, "short"),
    (99.89, 99.89, "short"),
])
def test_reuse_is_high_and_no_lower_with_more_workers(one, more, verdict):
    rows = judge({"share": {"perigee": [one]}, "share-more": {"perigee": [more]}})
    assert rows["share-more"]["verdict"] == verdict


def test_tables_keep_their_columns():
    rows = [["a|b", 1], ["c", 22]]
    assert report.table(["what", "n"], rows) == "what   n\n----  --\na|b    1\nc     22"
    lines = report.table(["what", "n"], rows, markdown=True).split("\n")
    assert lines[1] == "| ---- | -: |" and all(line.count(" | ") == 1 for line in lines)


@pytest.mark.parametrize("x, text", [(0.1234, "0.123"), (5.678, "5.68"), (56.78, "56.78"),
                                     (567.8, "567.8"), (5678, "5,678")])
def test_numbers_are_short(x, text):
    assert report.number(x) == text


def test_each_goal_is_of_a_work():
    names = {f.name for w in bench.WORKS for f in w.figures}
    goals = report.goals()
    assert set(goals["ratio"]) | set(goals["floor"]) | set(goals["ceiling"]) == names
    assert set(goals["peer"]) <= set(goals["ratio"])
    assert set(goals["no-lower"]) <= names and set(goals["no-lower"].values()) <= names


# ---- nobody wins by being wrong

@pytest.mark.parametrize("server, requests, connections, right", [
    ("nginx", 1000, 32, True), ("nginx", 1032, 32, True), ("nginx", 999, 32, False),
    ("nginx", 1033, 32, False), ("nginx", 1000, 43, False), ("hitch", 1000, 1000, True),
    ("hitch", 999, 999, False),
])
def test_counts_of_the_origin_must_agree(server, requests, connections, right):
    seen = {"requests": requests, "connections": connections}
    if right:
        edge_works.expect_counts(server, seen, 1000, at_once=32, unfinished=32)
        return
    with pytest.raises(measure.Wrong):
        edge_works.expect_counts(server, seen, 1000, at_once=32, unfinished=32)


@pytest.mark.parametrize("wrong, lost, right", [(0, 0, True), (1, 0, False), (0, 300, True),
                                                (0, 400, False)])
def test_name_servers_may_lose_little_and_err_never(wrong, lost, right):
    found = {"asked": 10000, "answers": 10000 - wrong - lost, "wrong": wrong, "lost": lost}
    if right:
        dns_works.expect_answers("x", found)
        return
    with pytest.raises(measure.Wrong):
        dns_works.expect_answers("x", found)


def test_a_responder_that_steers_wrongly_is_told():
    server = NameServer(lambda n, q: [right_answer(q).to_wire()])
    port = int(server.address.partition(":")[2])
    with pytest.raises(measure.Wrong, match="answered 192.0.2.1, not 127.0.1.6"):
        dns_works.verify_responder("x", port, [], "127.0.1.6")
    server.close()


def test_a_server_that_is_wrong_once_is_out_and_the_others_go_on():
    def run(_, server):
        ran.append(server)
        if server == "perigee":
            raise edges.NotYet("such a thing")
        if server == "bad" and ran.count("bad") == 2:
            raise measure.Wrong("no")
        if server == "worse":
            raise OSError("gone")
        return work.Sample(len(ran))

    ran, said = [], []
    w = work.one("cost", {}, "a cost", "us", ("perigee", "good", "bad", "worse"), run)
    results = bench.Results([w])
    bench.run_work(None, w, w.servers, 3, results, said.append)
    assert ran.count("good") == 3 and ran.count("bad") == 2
    assert ran.count("worse") == ran.count("perigee") == 1
    assert set(results.samples["cost"]) == {"good"} and len(results.samples["cost"]["good"]) == 3
    assert results.not_yet == {"cost": "such a thing"} and len(results.wrong) == 2
    assert sorted(results.dropped["cost"]) == ["bad", "worse"]


# ---- the whole

def test_a_short_run(tmp_path):
    """A work of each kind, Perigee and nginx, a moment each, with a small database."""
    database = tmp_path / "city.mmdb"
    # Long enough for one answer of each kind, however slow what was built is.
    seconds = "2" if perigee.sanitized() else "0.2"
    subprocess.run(["perl", BENCH / "city_database.pl", database, "2000", "500"], check=True)
    done = subprocess.run(
        [sys.executable, BENCH / "bench.py", "--database", database, "--out", tmp_path / "out",
         "--rounds", "1", "--seconds", seconds, "--connections", "20",
         "--servers", "perigee,nginx", "--only",
         "handshake-ecdsa-resumed,http-h1,http-h2,http-bulk,http-idle,h2-idle,messages,http-reuse-4,"
         "dns-database"],
        capture_output=True, text=True, check=False, timeout=200)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out" / "bench-part.json").read_text())
    assert found["wrong"] == []
    if all(map(shutil.which, ("wrk", "h2load", "haproxy"))):
        assert set(found["figures"]) == {
            "handshake-ecdsa-resumed", "http-h1", "http-h2", "http-bulk", "http-idle",
            "h2-idle", "messages", "http-reuse-4", "database-memory", "database-start"}
    for name, row in found["figures"].items():
        servers = set(row["samples"])
        expected = {"perigee"} if name.startswith(("dns", "database")) else {"perigee", "nginx"}
        if row.get("verdict") == "not yet":
            expected.remove("perigee")
        assert servers == expected, name
        assert all(f > 0 or name == "http-idle"
                   for figures in row["samples"].values() for f in figures), name
    assert "| work" in (tmp_path / "out" / "bench-part.md").read_text()


@pytest.fixture
def small_bench(tmp_path):
    """Of works that need no peer and no certificate."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2 or not shutil.which("taskset"):
        pytest.skip("needs two processors and taskset")
    return work.Bench(tmp_path, cores[0], cores[1], 2 if perigee.sanitized() else 1, 0, None, {},
                      None, perigee.SAMPLE_MMDB)


def test_a_database_is_replaced(small_bench):
    found = dns_scale_works.replace_database(n_edges=20, depth=10)(small_bench, "perigee")
    assert set(found) == {"reload-held", "reload-job", "reload-memory"}
    assert found["reload-held"].figure > 0 and found["reload-memory"].figure > 1
    assert found["reload-job"].more["wall"] > 0


def test_a_choice_is_made_among_those_that_are_down(small_bench):
    sample = dns_scale_works.choose_among(n_edges=20)(small_bench, "perigee")
    assert sample.more.keys() == {"static", "steered"} and sample.figure >= 0


def test_a_work_that_nobody_knows_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, BENCH / "bench.py", "--database", "x", "--out", tmp_path, "--only", "gopher"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "no work is called gopher" in done.stderr
