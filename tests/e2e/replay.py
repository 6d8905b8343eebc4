"""What the cases of cases_replay stand on: recorded messages, and the parties of the recordings.

The service behind the recorded workers and the worker behind the recorded heads are made here again; a Go node
(tests/interop/mesh/meshpeer) carries their bytes to and from /libp2p-http.
"""

import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

from processes import BUILD, ROOT, Node, Process, eventually
from wire import expect, get

VECTORS = ROOT / "tests" / "vectors"
STILL = 0.25  # seconds without an end or another byte: the connection lives on
HANG = 3  # seconds that the recorded worker hung
PLAIN = "Content-Type: text/plain; charset=utf-8\r\n"
JSON = "Content-Type: application/json\r\n"

# Of this hop, this moment or this node: nothing that the other end acts on. How a body is framed is compared by what
# comes out; Access-Control-* is the service's to say (ours adds none), Go's nodes answer it for every one.
NOT_COMPARED = re.compile(r"(access-control-.*|ocf-version|date|connection|content-length|transfer-encoding)\Z")
# What ours says besides: an id for every request, who answered, and what keeps caches and proxies from holding
# pages and events back.
ADDED = {"x-request-id", "x-computing-node", "cache-control", "x-accel-buffering", "retry-after", "allow"}
# OpenTela's own, new in every request.
THEIRS = {"x-otela-request-id"}


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text())["vectors"]


# ---- messages ----


class Message:
    """A request or an answer; `whole` tells whether its body came to its end."""

    def __init__(self, start, fields):
        self.start, self.fields, self.body, self.whole = start, fields, b"", True

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def compared(self):
        """{name: value} of the fields that matter; several of one name are one list (RFC 9110, 5.3)."""
        found = {}
        for n, v in self.fields:
            if not NOT_COMPARED.match(n) and n not in THEIRS:
                found[n] = f"{found[n]}, {v}" if n in found else v
        if found.get("content-type", "").startswith("application/json"):
            found["content-type"] = "application/json"  # a charset means nothing there
        return found

    def said(self):
        """The body; of an error, in either format, its text."""
        try:
            error = json.loads(self.body)["error"]
            return error if isinstance(error, str) else error["message"]
        except (ValueError, KeyError, TypeError):
            return self.body


def take_chunks(raw):
    """(body, what follows, whether it came to its end)"""
    body = b""
    while m := re.match(rb"([0-9a-fA-F]+)\r\n", raw):
        n = int(m[1], 16)
        data, raw = raw[m.end(): m.end() + n], raw[m.end() + n:]
        body += data
        if len(data) < n or not raw.startswith(b"\r\n"):
            break
        raw = raw[2:]
        if n == 0:
            return body, raw, True
    return body, b"", False


def take_message(raw, method, ended):
    """(message, what follows) from the front of raw; None until its head is whole. Without a method, a request."""
    head, blank, rest = raw.partition(b"\r\n\r\n")
    if not blank:
        return None, raw
    lines = head.decode("latin-1").split("\r\n")
    fields = [(n.strip().lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
    m = Message(lines[0], fields)
    length = m.get("content-length")
    if method and (m.status < 200 or m.status in (204, 304) or method == "HEAD"):
        return m, rest
    if m.get("transfer-encoding") == "chunked":
        m.body, rest, m.whole = take_chunks(rest)
    elif length is not None:
        m.body, m.whole, rest = rest[: int(length)], len(rest) >= int(length), rest[int(length):]
    elif method:
        m.body, rest, m.whole = rest, b"", ended
    return m, rest


def requests_in(raw):
    """The requests of a recorded stream."""
    found = []
    while raw:
        m, raw = take_message(raw, None, True)
        expect(m and m.whole, f"a request is cut: {raw[:80]!r}")
        found.append(m)
    return found


def answers_in(raw, methods, ended):
    """(the answers, interim ones too; what follows them; whether all are there)"""
    found, methods = [], list(methods)
    while methods:
        m, raw = take_message(raw, methods[0], ended)
        if m is None:
            return found, raw, False
        found.append(m)
        if not m.whole:
            return found, raw, False
        if m.status >= 200:
            methods.pop(0)
    return found, raw, True


def methods_of(request):
    """The methods of the requests in these bytes; GET for what is none."""
    return [m.decode() for m in re.findall(rb"^([A-Z]+) [^ \r\n]+ HTTP/1\.[01]\r?$", request, re.M)] or ["GET"]


class Result:
    """What a caller can tell: the answers, bytes behind them, and whether the connection is open, closed or reset."""

    def __init__(self, messages, behind, after):
        self.messages, self.behind, self.after = messages, behind, after

    @classmethod
    def recorded(cls, text, request, after):
        found, behind, _ = answers_in(text.encode("latin-1"), methods_of(request), True)
        return cls(found, behind, "closed" if after.startswith("closed") else "open")

    def __str__(self):
        return f"{[(m.status, m.compared(), m.body[:300], m.whole) for m in self.messages]}, afterwards {self.after}"

    def unlike(self, recorded):
        """The first difference, in words; None where there is none."""
        statuses = [m.status for m in self.messages], [m.status for m in recorded.messages]
        if statuses[0] != statuses[1]:
            return f"statuses {statuses[0]}, recorded {statuses[1]}"
        for ours, theirs in zip(self.messages, recorded.messages):
            if ours.said() != theirs.said():
                return f"body {ours.body[:200]!r}, recorded {theirs.body[:200]!r}"
            if ours.whole != theirs.whole:
                return f"whole {ours.whole}, recorded {theirs.whole}"
            if told := fields_unlike(ours, theirs):
                return told
        if self.behind:
            return f"{self.behind[:80]!r} behind the answer"
        return None if self.after == recorded.after else f"afterwards {self.after}, recorded {recorded.after}"


def fields_unlike(ours, theirs):
    a, b = ours.compared(), theirs.compared()
    a = {n: v for n, v in a.items() if n in b or n not in ADDED}
    return None if a == b else f"fields {a}, recorded {b}"


def exchange(at, request, half_close=False, seconds=20, still=STILL):
    """Sends the bytes on a connection of its own; returns the answers and what became of the connection."""
    methods, raw, after = methods_of(request), b"", "open"
    with socket.create_connection(at, seconds) as s:
        threading.Thread(target=send, args=(s, request, half_close), daemon=True).start()
        while True:
            done = answers_in(raw, methods, False)[2]
            s.settimeout(still if done else seconds)
            try:
                data = s.recv(1 << 16)
            except TimeoutError:
                expect(done, f"no whole answer in {seconds} s, only {raw[-300:]!r}")
                break
            except ConnectionError:
                after = "reset"
                break
            if not data:
                after = "closed"
                break
            raw += data
    found, behind, _ = answers_in(raw, methods, after == "closed")
    return Result(found, behind, after)


def send(s, request, half_close):
    try:
        s.sendall(request)
        if half_close:
            s.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # refused before all of it was read


# ---- the Go node that carries bytes ----


class Carrier(Process):
    """A Go node behind its control protocol."""

    def __init__(self, run, name, to, *args):
        program, key = meshpeer(run), run.folder / f"{name}.key"
        subprocess.run([program, "--make-key", "ed25519", "--key-file", str(key)], check=True, timeout=30)
        super().__init__(run, name, [program, "--key-file", key, "--rebroadcast", "1500ms", "--bootstrap",
                                    to.p2p[0], *args], stdin=subprocess.PIPE)
        self.id = json.loads(self.line(20))["peer_id"]

    def ask(self, cmd, **members):
        self.p.stdin.write(json.dumps({"id": 1, "cmd": cmd, **members}).encode() + b"\n")
        self.p.stdin.flush()
        told = json.loads(self.line(35))
        expect(told["ok"], f"{cmd}: {told.get('error')}")
        return told

    def tunnel(self, node):
        """Where TCP connections become /libp2p-http streams to that node."""
        host, _, port = self.ask("tunnel", peer=node.id)["at"].rpartition(":")
        return host, int(port)


def meshpeer(run):
    def build():
        out = BUILD / "meshpeer"
        done = subprocess.run([os.environ.get("GO", "go"), "build", "-p=1", "-buildvcs=false", "-trimpath", "-mod=readonly",
                               "-o", str(out), "."], cwd=ROOT / "tests/interop/mesh/meshpeer", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        expect(done.returncode == 0, f"go build: {done.stdout[-800:]}")
        return out
    return run.fixture("meshpeer", build)


# ---- the worker's side ----


class Speaker:
    """Reads requests on 127.0.0.1 and hands each to play(connection, request), which tells whether to read on."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        raw, keep = b"", True
        with c:
            try:
                while keep:
                    m, rest = take_message(raw, None, False)
                    if m and m.whole:
                        raw, keep = rest, self.play(c, m)
                    elif data := c.recv(1 << 16):
                        raw += data
                    else:
                        return
            except OSError:
                pass  # the other side has gone

    def close(self):
        self.sock.close()


def reply(c, method, status, body, fields=JSON):
    head = f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode()
    c.sendall(head + (b"" if method == "HEAD" else body))


def events(c, texts):
    for text in texts:
        c.sendall(f"{len(text):x}\r\n{text}\r\n".encode())
        time.sleep(0.05)
    c.sendall(b"0\r\n\r\n")


class Recorded(Speaker):
    """The service behind the recorded workers."""

    WITH = {
        "/v1/models": ("200 OK", b'{"object":"list","data":[{"id":"m-ocf","object":"model"}]}', JSON),
        "/v1/e500": ("500 Internal Server Error", b'{"error":"boom"}', PLAIN),
        "/v1/e429": ("429 Too Many Requests", b'{"error":"busy"}', PLAIN + "Retry-After: 7\r\n"),
        "/v1/slow": ("200 OK", b"late", PLAIN),
    }

    def play(self, c, m):
        method, target, _ = m.start.split(" ")
        path = target.partition("?")[0]
        if path == "/v1/cut":
            c.sendall(f"HTTP/1.1 200 OK\r\n{PLAIN}Content-Length: 100\r\n\r\nhalf".encode())
            return False
        if path == "/v1/slow":
            time.sleep(12)
        if path in self.WITH:
            reply(c, method, *self.WITH[path])
        elif path == "/v1/headers":
            reply(c, method, "200 OK", self.fields_of(m), PLAIN)
        elif b'"stream":true' in m.body:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            events(c, [*(f'data: {{"i":{i}}}\n\n' for i in range(3)), "data: [DONE]\n\n"])
        else:
            told = f'{{"id":"r1","object":"chat.completion","model":"m-ocf","n":{len(m.body)}}}'
            reply(c, method, "200 OK", told.encode())
        return True

    def fields_of(self, m):
        """The fields by name, as the recorded service listed them; its port was 8000."""
        host = "localhost:8000" if m.get("host") == f"localhost:{self.port}" else m.get("host")
        listed = "".join(f"{n.title()}: {v}\r\n" for n, v in sorted(m.fields) if n != "host")
        return f"{m.start}\nHost: {host}\n{listed}".encode()


class WorkerRig:
    """Our worker, and the address of its /libp2p-http."""

    def __init__(self, run, name, port):
        self.worker = Node(run, f"{name}-worker", "--service.name", "llm", "--service.port", port)
        self.caller = Carrier(run, f"{name}-caller", self.worker, "--announce", "never")
        self.at = self.caller.tunnel(self.worker)

    def close(self):
        self.caller.kill()
        self.worker.kill()


# ---- the head's side ----


class Script(Speaker):
    """The worker behind the recorded heads: keeps what it gets, and answers as it is told to."""

    answer, mode, seen = b"", "raw", ()

    def tell(self, answer, mode):
        self.answer, self.mode, self.seen = answer, mode, []

    def play(self, c, m):
        self.seen.append(m)
        if self.mode == "hang":
            time.sleep(HANG)
        elif self.mode == "slowchunks":
            c.sendall(self.answer)
            events(c, ["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"])
        else:
            c.sendall(self.answer)
        if self.mode == "cut":
            time.sleep(0.1)  # a reset of TCP overtakes what the other end has not read
        if self.mode in ("cut", "reset", "hang"):
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        return self.mode not in ("close", "closeafter") and b"\r\nConnection: close\r\n" not in self.answer


class HeadRig:
    """Our head, and a Go node that offers the recorded models and leads to the script."""

    MODELS = ("hm", "dup", "vec1", "vec2", "vrsa-ocf", "vrsa-ot", "sim")

    def __init__(self, run):
        self.script = Script()
        self.head = Node(run, "replay-head", "--role", "head")
        self.worker = Carrier(run, "replay-script", self.head, "--announce", "connect",
                              "--raw-http", f"127.0.0.1:{self.script.port}",
                              "--service", f"llm:1:{';'.join(f'model={m}' for m in self.MODELS)}")
        eventually(lambda: self.worker.id.encode() in get(self.head.at, "/v1/dnt/table").body, 15, "the head has the row")

    def play(self, request, answer, mode="raw", still=STILL):
        """(what the client got, what the worker got)"""
        self.script.tell(answer, mode)
        got = exchange(self.head.at, request, still=still)
        return got, self.script.seen

    def close(self):
        self.worker.kill()
        self.head.kill()
        self.script.close()
