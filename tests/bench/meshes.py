"""Meshes for the registry's benchmarks: nodes of one kind, each in a network namespace of its own.

The nodes are those of tests/interop/mesh, without a service behind them, so that what they do is the
registry alone. Every process has default options; all but the first know the first one's address.
"""
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop", "mesh"))
import nodes  # noqa: E402
from chains import die_with_parent  # noqa: E402
from nodes import Failure, expect  # noqa: E402
from places import P2P_PORT, Switch  # noqa: E402, F401

SERVICE = "w"  # what the measured writes offer
VALUE_BYTES = 715


class Bare(nodes.Node):
    """A node without a service; `cli` are more options."""

    def __init__(self, mesh, name, place, cli=()):
        self.mesh, self.kind, self.name, self.place, self.cli = mesh, mesh.kind, name, place, list(cli)
        self.folder = mesh.folder / name
        self.folder.mkdir(parents=True)
        self.log, self.key_file = self.folder / "log", self.folder / "key"
        self.process, self.connection, self.bootstrap = None, None, []
        self.listen, self.http_port = f"/ip4/{place.address}/tcp/{P2P_PORT}", 8092
        self.lock = nodes.threading.Lock()

    def start(self, bootstrap=None):
        if bootstrap is not None:
            self.bootstrap = bootstrap
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OCF_", "OF_", "XDG_"))}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.place.command(self.command()), stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                                            preexec_fn=die_with_parent, env={**env, "HOME": str(self.folder)})
        self.lines = nodes.queue.Queue()
        nodes.threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()
        return self

    def close(self):
        self.kill()
        self.place.close()

    def sent(self):
        """Bytes that left this node for others since its namespace was made: Ethernet, IP and TCP included."""
        text = Path(f"/proc/{self.process.pid}/net/dev").read_text()
        return int(re.search(r"^\s*eth0:(.*)$", text, re.M)[1].split()[8])


class Ours(Bare, nodes.OurNode):
    def command(self):
        words = [self.mesh.ocf, "start", "--listen", self.listen, "--port", str(self.http_port), *self.cli]
        for addr in self.bootstrap:
            words += ["--bootstrap.static", addr]
        return words

    def known(self):
        return len(self.table())

    def metric(self, name):
        status, _, page = self.http("GET", "/metrics")
        expect(status == 200, f"{self}: /metrics answers {status}")
        return sum(float(v) for v in re.findall(rf"^ocf_{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", page.decode(), re.M))

    def blocks(self):
        return int(self.metric("registry_blocks") - self.metric("registry_blocks_missing"))

    def connections(self):
        return len(json.loads(self.http("GET", "/v1/dnt/stats")[2])["connected_peer_details"])

    def value(self, marker):
        """A record of VALUE_BYTES, as far as one that the node completes by itself can be foreseen."""
        base = len(f'{{"id":"{self.id}","latency":0,"privileged":false,"owner":"","current_offering":null,"role":["worker"],'
                   f'"status":"","available_offering":null,"service":[],"last_seen":0,"version":"","public_address":"",'
                   f'"public_port":"","hardware":{{"gpus":null,"host_memory":0,"host_memory_bandwidth":0,'
                   f'"host_memory_used":0}},"connected":true,"load":null}}')
        service = {"name": SERVICE, "host": "localhost", "port": "9000", "status": "connected",
                   "identity_group": [f"k={marker}", "pad="]}
        service["identity_group"][1] += "x" * max(0, VALUE_BYTES - base - len(json.dumps(service)) - 75)
        return json.dumps({"service": [service]}).encode()


class Theirs(Bare, nodes.GoNode):
    persistent = False

    def command(self):
        nodes.make_key(self.key_file, "rsa")
        words = [nodes.PROGRAMS[self.kind], "--key-file", str(self.key_file), "--listen", self.listen,
                 "--http", f"127.0.0.1:{self.http_port}", *self.cli]
        for addr in self.bootstrap:
            words += ["--bootstrap", addr]
        self.last_id = 0
        return words

    def known(self):
        return self.cmd("digest")["rows"]

    def connections(self):
        return self.cmd("stats")["connections"]

    def value(self, marker):
        record = {"id": self.id, "role": ["worker"], "service": [
            {"name": SERVICE, "host": "localhost", "port": "9000", "status": "connected",
             "identity_group": [f"k={marker}", "pad="]}], "connected": True}
        record["service"][0]["identity_group"][1] += "x" * (VALUE_BYTES - len(json.dumps(record)))
        return json.dumps(record)


class Mesh:
    """`n` nodes of one kind: a star that grows into what its program makes of it."""

    def __init__(self, kind, n, switch, folder, ocf, first_index, cli=()):
        self.kind, self.ocf, self.folder = kind, ocf, Path(folder) / f"{kind}-{n}-{first_index}"
        of = Ours if kind == "ours" else Theirs
        self.nodes = [of(self, f"n{i}", switch.place(first_index + i), cli) for i in range(n)]
        self.pool = ThreadPoolExecutor(max(n, 2))
        self.marker, self.polls, self.polled_s = 0, 0, 0.0

    def name_of(self, node_id):
        return node_id

    def keys(self):
        """Makes the keys before anything is timed."""
        list(self.pool.map(lambda node: node.command(), self.nodes))

    def start(self, gap_s=0.0):
        """The first, then the others: all at once, or one by one."""
        first, others = self.nodes[0], self.nodes[1:]
        first.start([]).ready()
        for node in others:
            node.start([first.addr])
            if gap_s > 0:
                node.ready()
                time.sleep(gap_s)
        for node in others if gap_s == 0 else ():
            node.ready()

    def converge(self, limit_s):
        """Seconds until every node lists every node; None when that takes longer than the limit."""
        begun, left = time.monotonic(), list(self.nodes)
        while left and time.monotonic() < begun + limit_s:
            try:
                known = list(self.pool.map(lambda node: node.known(), left))
            except Failure:
                known = [0] * len(left)
            left = [node for node, k in zip(left, known) if k < len(self.nodes)]
            time.sleep(0.1 if left else 0)
        return None if left else time.monotonic() - begun

    def sent(self):
        return sum(node.sent() for node in self.nodes)

    def close(self):
        for node in self.nodes:
            node.close()
        self.pool.shutdown(wait=False)

    # ---- a write, and when it is seen ----

    def write(self, writer, limit_s=2.0):
        """Writes at one node; {node's name: ms until it was visible there}, nodes that never saw it left out."""
        self.marker += 1
        marker = f"{self.kind}{len(self.nodes)}x{self.marker}"
        if self.kind == "ours":
            return Watch(self, writer, marker).run(limit_s)
        value = writer.value(marker)
        waits = [(node, self.pool.submit(node.cmd, "wait", key="/" + writer.id, contains=marker,
                                         timeout_ms=round(limit_s * 1000)))
                 for node in self.nodes if node is not writer]
        time.sleep(0.05)  # all of them wait by now; if one does not, it finds the time noted
        at = writer.cmd("put", key="/" + writer.id, value=value)["at_ns"]
        seen = {}
        for node, wait in waits:
            try:
                seen[node.name] = (wait.result()["at_ns"] - at) / 1e6
            except Failure:
                pass
        return seen


class Watch:
    """One write at a node of ours, and polls of all nodes until each would route by it.

    A poll asks for the group that only the new record offers, from peers of which there are none: the answer
    tells whether the group is known, and nothing is forwarded. Each node is asked again `every` seconds after it was asked.
    """

    SEEN = b"no billing-affordable provider"

    def __init__(self, mesh, writer, marker):
        self.mesh, self.every = mesh, min(0.0002 * len(mesh.nodes), 0.004)
        self.post = self.request("POST", "/v1/dnt/_node", writer.value(marker))
        self.poll = self.request("GET", f"/v1/service/{SERVICE}/", b"", f"X-Otela-Identity-Group: k={marker}",
                                 "X-Otela-Allowed-Peers: nobody")
        self.writer, self.node_of, self.socks = writer, {}, {}
        for node in mesh.nodes:
            sock = self.connect(node)
            self.node_of[sock.fileno()], self.socks[sock.fileno()] = node, sock

    @staticmethod
    def connect(node):
        sock = node.place.connect(node.http_port, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    @staticmethod
    def request(method, path, body, *fields):
        lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields, "Content-Type: application/json",
                 f"Content-Length: {len(body)}"] if body else [f"{method} {path} HTTP/1.1", "Host: x", *fields]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def run(self, limit_s):
        epoll, seen, got = select.epoll(), {}, {}
        writer = self.connect(self.writer)
        left = {fd: 0.0 for fd in self.socks}  # when each is to be asked next
        asked = set()
        for fd in left:
            epoll.register(fd, select.EPOLLIN)
        begun = time.perf_counter()
        writer.sendall(self.post)
        while left and time.perf_counter() < begun + limit_s:
            now = time.perf_counter()
            for fd, at in left.items():
                if fd not in asked and at <= now:
                    self.socks[fd].sendall(self.poll)
                    left[fd], got[fd] = now + self.every, b""
                    asked.add(fd)
                    self.mesh.polls += 1
            for fd, _ in epoll.poll(self.every):
                got[fd] += self.socks[fd].recv(65536)
                head, end, body = got[fd].partition(b"\r\n\r\n")
                if not end or len(body) < int(re.search(rb"(?i)content-length: *(\d+)", head)[1]):
                    continue
                asked.discard(fd)
                if self.SEEN in body:
                    seen[self.node_of[fd].name] = (time.perf_counter() - begun) * 1e3
                    del left[fd]
        answer = writer.recv(4096)
        writer.close()
        for sock in self.socks.values():
            sock.close()
        expect(b" 200 " in answer[:20], f"{self.writer}: POST /v1/dnt/_node: {answer[:200]!r}")
        self.mesh.polled_s += sum(seen.values()) / 1e3
        seen.pop(self.writer.name, None)
        return seen
