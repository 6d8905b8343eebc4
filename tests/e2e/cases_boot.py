"""Joining by bootstrap lists: URLs, HTTPS, DNS, the list on disk, a changed configuration."""

import http.server
import json
import signal
import socket
import ssl
import struct
import subprocess
import threading
import urllib.request

from processes import Node, eventually, free_port
from wire import expect, same

NOBODY = "http://127.0.0.1:1/v1/dnt/bootstraps"


class ListServer:
    """Serves `status` and `body`, and counts who asks."""

    def __init__(self, body, status=200, context=None):
        self.body, self.status, self.asked = body, status, 0
        mine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mine.asked += 1
                self.send_response(mine.status)
                self.send_header("Content-Length", str(len(mine.body)))
                self.end_headers()
                self.wfile.write(mine.body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, address):
                pass  # a client that does not like our certificate

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/v1/dnt/bootstraps"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class NameServer:
    """Answers TXT questions from a table, and NXDOMAIN otherwise."""

    def __init__(self, table):
        self.table = table
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                q, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while q[at]:
                labels.append(q[at + 1:at + 1 + q[at]].decode())
                at += 1 + q[at]
            records = self.table.get(".".join(labels))
            head = q[:2] + struct.pack(">HHHHH", 0x8180 if records else 0x8183, 1, len(records or []), 0, 0)
            body = b""
            for text in records or []:
                cut = [text[i:i + 255].encode() for i in range(0, len(text), 255)]
                data = b"".join(bytes([len(c)]) + c for c in cut)
                body += struct.pack(">HHHIH", 0xC00C, 16, 1, 60, len(data)) + data
            self.socket.sendto(head + q[12:at + 5] + body, peer)

    def close(self):
        self.socket.close()


def peers_of(node):
    with urllib.request.urlopen(f"{node.http}/v1/dnt/peers", timeout=5) as r:
        return [p["ID"] for p in json.load(r)["peers"]]


def told_by(node):
    with urllib.request.urlopen(f"{node.http}/v1/dnt/bootstraps", timeout=5) as r:
        return json.load(r)


def joined(node, other, seconds=10):
    eventually(lambda: other.id in peers_of(node), seconds, f"{node.name} finds {other.name}")


def listing(*addresses):
    return json.dumps({"bootstraps": list(addresses)}).encode()


def test_one_good_entry_of_one_good_source_is_enough(run):
    a = Node(run, "boot-good-a")
    lists = ListServer(listing("rubbish", "/ip4/127.0.0.1/tcp/5", a.p2p[0], "/ip4/1.2.3.4/udp/1/quic-v1/p2p/" + a.id))
    broken = ListServer(b"{\"bootstraps\": [", 200)
    angry = ListServer(listing(a.p2p[0]), 503)
    b = Node(run, "boot-good-b", "--bootstrap.source", NOBODY, "--bootstrap.source", angry.url,
             "--bootstrap.source", broken.url, "--bootstrap.addr", lists.url,
             "--bootstrap.static", '["/ip4/127.0.0.1/tcp/6", "x"]')
    joined(b, a)
    eventually(lambda: b.total("ocf_bootstrap_fetches_total") >= 4, 5, "all were asked")
    for result, n in (("ok", 1), ("status", 1), ("empty", 1), ("other", 1)):
        same(b.total("ocf_bootstrap_fetches_total", result=result), n, f"sources with result {result}")
    same(b.total("ocf_bootstrap_peers_connected"), 1, "connected bootstrap peers")
    for message, whom in (("skipped", ("rubbish", "/ip4/127.0.0.1/tcp/5", "/ip4/127.0.0.1/tcp/6", "quic-v1", broken.url)),
                          ("source failed", (angry.url, broken.url, NOBODY))):
        for bad in whom:
            lines = [line for line in b.text().splitlines() if bad in line and message in line]
            same(len(lines), 1, f"log lines that name {bad}")
    same(lists.asked, 1, "questions to the good source")
    for s in (lists, broken, angry):
        s.close()


def test_a_node_of_ours_tells_who_can_be_reached(run):
    port = free_port()
    at = f"/ip4/127.0.0.1/tcp/{port}"
    a = Node(run, "boot-told-a", "--public-addr", at, listen=at)
    same(told_by(a), {"bootstraps": [f"{at}/p2p/{a.id}"]}, "what it tells")
    b = Node(run, "boot-told-b", "--bootstrap.source", f"{a.http}/v1/dnt/bootstraps")
    joined(b, a)
    eventually(lambda: told_by(b) == {"bootstraps": [f"{at}/p2p/{a.id}"]}, 10, "the other one tells it too")


def test_the_list_on_disk_helps_when_no_source_answers(run):
    a = Node(run, "boot-disk-a")
    lists = ListServer(listing(a.p2p[0]))
    data = run.folder / "boot-disk-data"
    options = ("--config-dir", data / "config", "--datadir", data)
    b = Node(run, "boot-disk-b", "--bootstrap.source", lists.url, *options)
    joined(b, a)
    files = eventually(lambda: list(data.glob("bootstrap.*.json")), 5, "the list is stored")
    same(json.loads(files[0].read_text()), {"sources": [lists.url], "bootstraps": [a.p2p[0]]}, "what is stored")
    b.kill()
    lists.close()
    c = Node(run, "boot-disk-c", "--bootstrap.source", lists.url, *options)
    joined(c, a)
    expect("using the stored list" in c.text(), "it does not say where the list is from")
    c.stop()
    files[0].write_bytes(b"\0" * 300000)
    d = Node(run, "boot-disk-d", "--bootstrap.source", lists.url, *options)
    eventually(lambda: "stored bootstrap list cannot be read" in d.text(), 5, "a file without bound is refused")
    d.stop()
    other = Node(run, "boot-disk-e", "--bootstrap.source", NOBODY, *options)
    eventually(lambda: "source failed" in other.text(), 5, "the source fails")
    same(peers_of(other), [], "peers of a list that other sources told")


def test_sources_are_asked_again_until_there_is_a_peer(run):
    a = Node(run, "boot-again-a")
    lists = ListServer(b"not yet", 503)
    b = Node(run, "boot-again-b", "--bootstrap.source", lists.url)
    eventually(lambda: lists.asked == 1, 5, "the first question")
    lists.body, lists.status = listing(a.p2p[0]), 200
    joined(b, a)
    same(lists.asked, 2, "questions")
    lists.close()


def test_https_servers_are_verified(run):
    a = Node(run, "boot-tls-a")
    pem, key = run.folder / "boot.pem", run.folder / "boot.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days",
                    "2", "-subj", "/CN=boot", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    lists = ListServer(listing(a.p2p[0]), context=context)
    b = Node(run, "boot-tls-b", "--bootstrap.source", lists.url)
    eventually(lambda: b.total("ocf_bootstrap_fetches_total", result="certificate") == 1, 10, "the refusal is counted")
    same(peers_of(b), [], "peers that an unverified server told")
    c = Node(run, "boot-tls-c", "--bootstrap.source", lists.url, "--fetch.ca_file", pem)
    joined(c, a)
    lists.close()


def test_dns_names_lead_to_peers(run):
    a, other = Node(run, "boot-dns-a"), Node(run, "boot-dns-o")
    dns = NameServer({"_dnsaddr.boot.test": ["v=spf1", f"dnsaddr={a.p2p[0]}", "dnsaddr=/ip4/127.0.0.1/tcp/1",
                                             f"dnsaddr={other.p2p[0]}"]})
    b = Node(run, "boot-dns-b", "--dns.server", dns.at, "--bootstrap.source", "dnsaddr://boot.test",
             "--bootstrap.source", "dnsaddr://nobody.test")
    joined(b, a)
    joined(b, other)
    same(b.total("ocf_bootstrap_fetches_total", result="name"), 1, "names that are not there")
    c = Node(run, "boot-dns-c", "--dns.server", dns.at, "--bootstrap.static", f"/dnsaddr/boot.test/p2p/{other.id}")
    joined(c, other)
    same(c.total("ocf_bootstrap_peers"), 1, "bootstrap peers of a name that was asked for one")
    dns.close()


def test_a_reload_changes_the_peers(run):
    a, b = Node(run, "boot-reload-a"), Node(run, "boot-reload-b")
    file = run.folder / "boot-reload.yaml"
    file.write_text(f"bootstrap:\n  static: {a.p2p[0]}\n")
    c = Node(run, "boot-reload-c", "--config", file)
    joined(c, a)
    file.write_text(f"bootstrap:\n  static:\n    - {b.p2p[0]}\n")
    c.signal(signal.SIGHUP)
    joined(c, b)
    same(c.total("ocf_bootstrap_peers"), 1, "bootstrap peers")
    a.kill()
    eventually(lambda: a.id not in peers_of(c), 10, "the old peer is gone")
    eventually(lambda: c.total("ocf_bootstrap_peers_connected") == 1, 5, "the new one is counted")


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]
