# SPDX-License-Identifier: GPL-3.0-or-later
"""perigee-edge: OCSP responses that are shown with certificates, and responders that fail."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import perigee
from certtool import issue
from edge_fleet import HOST, Edge

VERSIONS = "-tls1_2", "-tls1_3"
# Of responses; a private authority's may hold until the year 9000 or so.
LIFETIMES = {"timeless": [], "eternal": ["-ndays", "2500000"]}


class Responder(ThreadingHTTPServer):
    """Answers by `openssl ocsp`, or as `mode` has it."""

    daemon_threads = True

    def __init__(self, directory):
        super().__init__(("127.0.0.1", 0), Handler)
        self.directory = directory
        self.mode = "good"
        self.asked = 0
        self.end = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/ocsp"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.end.set()
        self.shutdown()
        self.server_close()

    def certify(self, root, leaf, other):
        """Whose responder it is, and whom it must not sign by."""
        self.root, self.other = root, other
        serial = perigee.openssl("x509", "-noout", "-serial", "-in", leaf[0]).stdout.decode()
        serial = serial.strip().partition("=")[2]
        (self.directory / "index.txt").write_text(
            f"V\t490101000000Z\t\t{serial}\tunknown\t/CN=leaf\n")

    def answer(self, question):
        request, response = self.directory / "request.der", self.directory / "response.der"
        request.write_bytes(question)
        signer = self.other if self.mode == "foreign" else self.root
        index = self.directory / "index.txt"
        if self.mode == "revoked":
            index.write_text(index.read_text().replace("V\t490101000000Z\t\t",
                                                       "R\t490101000000Z\t240101000000Z\t"))
        perigee.openssl("ocsp", "-index", index, "-CA", self.root[0], "-rsigner", signer[0],
                        "-rkey", signer[1], "-reqin", request, "-respout", response,
                        *LIFETIMES.get(self.mode, ["-nmin", "5"]))
        return response.read_bytes()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):  # noqa: N802 - the library's name
        server = self.server
        question = self.rfile.read(int(self.headers["Content-Length"]))
        server.asked += 1
        if server.mode == "silent":
            server.end.wait()
            return
        if server.mode == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
            while not server.end.wait(0.2):
                self.wfile.write(b"\0")
            return
        if server.mode == "junk":
            content = b"\x30\x82" + bytes(500)
        elif server.mode == "large":
            content = bytes(100_000)
        else:
            content = server.answer(question)
        self.send_response(404 if server.mode == "missing" else 200)
        self.send_header("Content-Type", "application/ocsp-response")
        if server.mode == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def responder(tmp_path):
    directory = tmp_path / "responder"
    directory.mkdir()
    server = Responder(directory)
    yield server
    server.stop()


@pytest.fixture
def start(processes, tmp_path, authority, origin, responder):
    """start(mode, top): an edge with a certificate that names the responder; `known`: which one it
    knows instead of that."""
    def make(mode="good", top=(), lines=(), more=(), root=None, known=None):
        responder.mode = mode
        root = root or issue(tmp_path, "root", lines=["ca", "cert_signing_key", "ocsp_signing_key"])
        leaf = issue(tmp_path, "leaf", root,
                     lines=[f'ocsp_uri = "{responder.url}"', "tls_feature = 5", *lines])
        responder.certify(root, known or leaf, issue(tmp_path, "other", lines=["ocsp_signing_key"]))
        chain = tmp_path / "chain.pem"
        chain.write_text(leaf[0].read_text() + root[0].read_text())
        edge = Edge(tmp_path, authority,
                    {"www": ([HOST], [(chain, leaf[1]), *more], {"/": "app"})},
                    {"app": f'servers: ["127.0.0.1:{origin.port}"]'}, top=top)
        processes.append(edge)
        return edge

    return make


def shown(edge, version="-tls1_3"):
    """What a client is told of the certificate, without waiting for it."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", HOST, version,
         "-status"], input="", capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("mode", ["good", "chunked"])
def test_response_is_fetched_and_shown(start, responder, mode):
    edge = start(mode)
    edge.wait_counter("edge_ocsp_responses_total", 1)
    for version in VERSIONS:
        assert "Cert Status: good" in shown(edge, version)
    status = edge.status()["certificates"][0]["ocsp"]
    assert status["state"] == "good" and status["until"].endswith("Z")
    # It is the certificate's: a reload does not ask again.
    edge.send_signal(1)
    edge.wait_counter("edge_reloads_total", 1)
    assert "Cert Status: good" in shown(edge)
    assert responder.asked == 1


def test_response_is_shown_with_the_certificate_of_another_key_too(start, tmp_path):
    """Both are in one set of credentials."""
    edge = start(more=[issue(tmp_path, "rsa", bits=2048)])
    edge.wait_counter("edge_ocsp_responses_total", 1)
    assert "Cert Status: good" in shown(edge)


@pytest.mark.parametrize("mode,said", [
    ("junk", "the response is malformed"), ("large", "its response is too large"),
    ("missing", "another status than 200"), ("foreign", "not signed by the issuer"),
    ("timeless", "not of this time"), ("revoked", "has been revoked"),
    ("silent", "does not answer in time"), ("drip", "does not answer in time"),
])
def test_responder_that_fails_is_not_believed_and_delays_nobody(start, responder, mode, said):
    edge = start(mode)
    perigee.wait_for(lambda: responder.asked, "the responder to be asked")
    assert "OCSP response: no response sent" in shown(edge)
    edge.wait_counter("edge_ocsp_failures_total", 1)
    edge.wait_log(said)
    assert "OCSP response: no response sent" in shown(edge)
    status = edge.status()["certificates"][0]["ocsp"]
    assert status["state"] == "none" and said in status["error"]


def test_responder_that_has_failed_is_asked_again(start, responder):
    edge = start("junk")
    edge.wait_counter("edge_ocsp_failures_total", 1)
    responder.mode = "good"
    edge.wait_counter("edge_ocsp_responses_total", 1)
    assert "Cert Status: good" in shown(edge)


def test_certificate_that_its_responder_does_not_know_keeps_no_other_from_a_response(
        start, responder, tmp_path):
    root = issue(tmp_path, "root", lines=["ca", "cert_signing_key", "ocsp_signing_key"])
    uri = f'ocsp_uri = "{responder.url}"'
    known = issue(tmp_path, "known", root, lines=[uri], bits=2048)
    chain = tmp_path / "known_chain.pem"
    chain.write_text(known[0].read_text() + root[0].read_text())
    edge = start(more=[(chain, known[1])], root=root, known=known)
    edge.wait_counter("edge_ocsp_failures_total", 1)
    edge.wait_counter("edge_ocsp_responses_total", 1)
    states = [c["ocsp"] for c in edge.status()["certificates"]]
    assert [s["state"] for s in states] == ["none", "good"]
    assert "does not know it" in states[0]["error"]


def test_response_that_holds_for_thousands_of_years_is_not_fetched_all_the_time(start, responder):
    edge = start("eternal")
    edge.wait_counter("edge_ocsp_responses_total", 1)
    edge.send_signal(1)
    edge.wait_counter("edge_reloads_total", 1)
    assert "Cert Status: good" in shown(edge)
    assert responder.asked == 1


def test_edge_stops_while_a_responder_is_silent(start, responder):
    edge = start("silent")
    perigee.wait_for(lambda: responder.asked, "the responder to be asked")
    edge.stop()


def test_none_is_asked_when_that_is_not_wanted(start, responder):
    edge = start(top=["tls: {ocsp: no}"])
    assert "OCSP response: no response sent" in shown(edge)
    assert "must be shown with an OCSP response, and there can be none" in edge.log()
    assert responder.asked == 0
