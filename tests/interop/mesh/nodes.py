"""Nodes of a mesh: ours (`ocf start`), and the Go ones behind their control protocol.

Both are driven over HTTP alone where that is possible; a Go node's registry is read over its control
protocol, since its HTTP table leaves out the peers that it does not think connected.
"""

import http.client
import http.server
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from places import HTTP_PORT, P2P_PORT

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))
from peer import Failure  # noqa: E402  the same word for the same thing in both runners

BUILD = ROOT / "build" / "interop" / "mesh"
PROGRAMS = {
    "ours": str(ROOT / "build" / "release" / "ocf"),
    "go47": str(BUILD / "meshpeer47"),
    "go37": str(BUILD / "meshpeer37"),
    "faulty": str(BUILD / "meshpeer47"),
}
FAULT = []  # the flags that break the nodes of the kind faulty; see selftest.py
READY_SECONDS = 30
PING = "2s"  # the nodes' signs of life: a row is shown while there are some


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Service:
    """The service behind a node: an engine with one model, which says whose it is."""

    def __init__(self, place, model):
        self.model, self.requests = model, 0
        listener = place.listen()
        self.port = listener.getsockname()[1]
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body at once: when a body comes behind its head, a Go node in between may lose it

            def do_GET(self):
                if self.path == "/v1/models":
                    self.answer({"object": "list", "data": [{"id": model, "object": "model", "created": 1}]})
                else:
                    self.answer({"status": "ok"})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                service.requests += 1
                if b'"stream": true' in body:
                    self.stream()
                else:
                    self.answer({"model": model, "path": self.path, "bytes": len(body)})

            def answer(self, value):
                raw = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def stream(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for text in [*(f'{{"i":{i},"model":"{model}"}}' for i in range(10)), "[DONE]"]:
                    event = f"data: {text}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                    self.wfile.flush()
                    time.sleep(0.01)
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that is gone

        self.server = Server(listener.getsockname(), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = listener
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Node:
    """What every node of a mesh can do. It keeps its key, its folder and its addresses over restarts."""

    def __init__(self, mesh, kind, name, place):
        self.mesh, self.kind, self.name, self.place = mesh, kind, name, place
        self.folder = mesh.folder / name
        self.folder.mkdir(parents=True)
        self.log = mesh.logs / f"{name}.log"
        self.key_file = self.folder / "key"
        self.model = f"m-{name}"
        self.service = Service(place, self.model)
        self.process, self.connection = None, None
        self.listen, self.http_port = self.first_listen(), HTTP_PORT if place.namespace else 0
        self.bootstrap, self.lock = [], threading.Lock()

    def __str__(self):
        return f"{self.name} ({self.kind})"

    def first_listen(self):
        return f"/ip4/{self.place.address}/tcp/{P2P_PORT if self.place.namespace else 0}"

    def start(self, bootstrap=None):
        if bootstrap is not None:
            self.bootstrap = bootstrap
        command = self.place.command(self.command())
        with open(self.log, "ab") as log:
            log.write(f"--- {' '.join(command)}\n".encode())
            log.flush()
            env = {k: v for k, v in os.environ.items() if not k.startswith(("OCF_", "OF_", "XDG_"))}
            try:
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                                start_new_session=True, env={**env, "HOME": str(self.folder)})
            except OSError as err:
                raise Failure(f"{self} did not start: {err}") from err
        self.started = time.monotonic()
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()
        return self

    def ready(self):
        """Waits for the ready line."""
        self.take_ready(self.line(READY_SECONDS))
        self.addr = f"{self.listen}/p2p/{self.id}"
        return self

    @staticmethod
    def _read(stdout, lines):
        while line := stdout.readline(1 << 22):
            lines.put(line)
        lines.put(None)

    def line(self, seconds):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise Failure(f"{self} said nothing for {seconds:.1f} s") from None
        if line is None:
            raise Failure(f"{self} ended with status {self.process.wait(5)}: {self.last_words()}")
        try:
            return json.loads(line)
        except ValueError:
            raise Failure(f"{self} wrote no JSON: {line[:200]!r}") from None

    def last_words(self):
        text = self.log.read_text(errors="replace").strip().splitlines()
        return text[-1][:300] if text else ""

    def kill(self):
        """Ends the process without a goodbye."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.disconnect()
        self.process = None

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def end(self):
        """Asks the process to leave the mesh and end; True when it did so in order."""
        if self.process is None:
            return True
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        return status == 0

    def close(self):
        self.kill()
        self.service.close()
        self.place.close()

    def rss(self):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) * 1024

    # ---- HTTP, from inside the node's own network ----

    def http(self, method, path, body=None, timeout=10, headers=()):
        """One request from the node's own loopback, on a kept connection; (status, headers, body)."""
        with self.lock:
            while True:
                kept = self.connection is not None
                try:
                    if not kept:
                        self.connection = http.client.HTTPConnection("127.0.0.1", self.http_port)
                        self.connection.sock = self.place.connect(self.http_port, timeout)
                    self.connection.sock.settimeout(timeout)
                    self.connection.request(method, path, body, dict(headers))
                    answer = self.connection.getresponse()
                    raw = answer.read()
                    if answer.will_close:
                        self.disconnect()
                    return answer.status, answer.headers, raw
                except (OSError, http.client.HTTPException) as err:
                    self.disconnect()
                    if not kept:  # a kept connection may have been closed meanwhile
                        raise Failure(f"{self} {method} {path}: {err!r}") from err

    def table(self):
        """The HTTP table: registry key -> row. `all` asks for rows of peers that do not count as connected too."""
        status, _, body = self.http("GET", "/v1/dnt/table?all=1")
        expect(status == 200, f"{self}: /v1/dnt/table answers {status}")
        return json.loads(body)

    def register(self, name, group, port=None):
        """Adds a service to the node's own record; returns the time just before, in Unix ns."""
        service = {"name": name, "host": "localhost", "port": str(port or self.service.port), "status": "connected",
                   "identity_group": [group]}
        at = time.time_ns()
        status, _, body = self.http("POST", "/v1/dnt/_node", json.dumps({"service": [service]}),
                                    headers={"Content-Type": "application/json"})
        expect(status == 200, f"{self}: POST /v1/dnt/_node answers {status} {body[:200]!r}")
        return at

    def unregister(self):
        """Takes the node's own record out of the registry."""
        at = time.time_ns()
        status, _, body = self.http("DELETE", "/v1/dnt/_node", "{}", headers={"Content-Type": "application/json"})
        expect(status == 200, f"{self}: DELETE /v1/dnt/_node answers {status} {body[:200]!r}")
        return at

    def ask(self, model, stream=False, timeout=10):
        """A chat request through /v1/service/llm; (status, computing node, body)."""
        body = json.dumps({"model": model, "messages": [], "stream": stream})
        status, headers, answer = self.http("POST", "/v1/service/llm/v1/chat/completions", body, timeout,
                                            {"Content-Type": "application/json"})
        return status, headers.get("X-Computing-Node"), answer


class OurNode(Node):
    def command(self):
        make_key(self.key_file, "ed25519")
        words = [
            PROGRAMS["ours"], "start", "--key-file", str(self.key_file), "--listen", self.listen, "--port", str(self.http_port),
            "--datadir", str(self.folder / "data"), "--service.name", "llm", "--service.port", str(self.service.port),
            "--registry.ping_interval", PING,
        ]
        for addr in self.bootstrap:
            words += ["--bootstrap.static", addr]
        return words

    def take_ready(self, told):
        expect(told.get("event") == "ready", f"{self}: the first line is not the ready line: {told}")
        self.id = told["peer_id"]
        self.listen = told["p2p"][0].partition("/p2p/")[0]
        self.http_port = int(told["http"].rpartition(":")[2])

    def wait_row(self, node_id, text, seconds):
        """Waits until the row of a peer holds a text, or, with text None, is gone; the Unix ns of that."""
        until = time.monotonic() + seconds
        while True:
            row = self.table().get("/" + node_id)
            if row is None if text is None else row is not None and text in json.dumps(row):
                return time.time_ns()
            if time.monotonic() > until:
                raise Failure(f"{self}: after {seconds} s the row of {self.mesh.name_of(node_id)} "
                              f"{'is missing' if row is None else 'is ' + json.dumps(row.get('service'))[:160]}, "
                              f"waiting for {text or 'its end'}")
            time.sleep(0.004)

    def blocks(self):
        """How many blocks the replica holds, less those it still wants: the number of another node only when it has all."""
        status, _, page = self.http("GET", "/metrics")
        expect(status == 200, f"{self}: /metrics answers {status}")
        found = dict(re.findall(r"^ocf_registry_(blocks|blocks_missing) (\d+)", page.decode(), re.M))
        expect(len(found) == 2, f"{self}: /metrics has no ocf_registry_blocks and ocf_registry_blocks_missing")
        return int(found["blocks"]) - int(found["blocks_missing"])


class GoNode(Node):
    persistent = True  # keep the datastore on disk; False: in memory, as cleanslate

    def command(self):
        make_key(self.key_file, "rsa")
        words = [
            PROGRAMS[self.kind], "--key-file", str(self.key_file), "--listen", self.listen,
            "--http", f"127.0.0.1:{self.http_port}", "--service", f"llm:{self.service.port}:model={self.model}",
            "--ping", PING, "--rebroadcast", self.mesh.runner.args.go_rebroadcast,
        ]
        if self.persistent:
            words += ["--store", str(self.folder / "store")]
        for addr in self.bootstrap:
            words += ["--bootstrap", addr]
        if self.kind == "faulty":
            words += FAULT
        self.last_id = 0
        return words

    def take_ready(self, told):
        expect(told.get("ready") is True, f"{self}: the first line is not the ready line: {told}")
        self.id, self.listen = told["peer_id"], told["addrs"][0]
        self.http_port = int(told["http"].rpartition(":")[2])

    def cmd(self, name, *, seconds=35, **members):
        """Runs one control command; returns the answer or raises Failure."""
        with self.lock:
            self.last_id += 1
            try:
                self.process.stdin.write(json.dumps({"id": self.last_id, "cmd": name, **members}).encode() + b"\n")
                self.process.stdin.flush()
            except OSError as err:
                raise Failure(f"{self} takes no requests: {err}") from err
            answer = self.line(seconds)
        expect(answer.get("id") == self.last_id, f"{self} answered another request: {answer}")
        expect(answer.get("ok") is True, f"{self} {name}: {answer.get('error')}")
        return answer

    def wait_row(self, node_id, text, seconds):
        members = {"absent": True} if text is None else {"contains": text}
        try:
            return self.cmd("wait", seconds=seconds + 5, key="/" + node_id, timeout_ms=round(seconds * 1000), **members)["at_ns"]
        except Failure as err:
            raise Failure(str(err).replace("/" + node_id, f"the row of {self.mesh.name_of(node_id)}")) from None

    def blocks(self):
        return self.cmd("stats")["blocks"]


class HostileNode(GoNode):
    """A Go node that takes part, offers nothing, and breaks rules when it is told to."""

    persistent = False

    def command(self):
        make_key(self.key_file, "ed25519")  # the key is in the id, so that signatures can be checked at once
        self.last_id = 0
        return [PROGRAMS["go47"], "--key-file", str(self.key_file), "--listen", self.listen, "--http",
                f"127.0.0.1:{self.http_port}", "--announce", "never", "--ping", PING, "--rebroadcast", "60s"]


def make_key(path, kind):
    if not path.exists():
        subprocess.run([PROGRAMS["go47"], "--make-key", kind, "--key-file", str(path)], check=True, timeout=60)
        path.chmod(0o600)


def node_of(mesh, kind, name, place):
    return (OurNode if kind == "ours" else GoNode)(mesh, kind, name, place)
