"""A service for workers to stand before: it records every byte it gets, and misbehaves on request.

The path of a request says what is done with it; see the `do_` functions. Each connection has a thread,
so that it can read, write and wait in any order, which no web framework allows.
"""

import hashlib
import json
import select
import socket
import struct
import threading
import time
from collections import deque
from urllib.parse import parse_qsl, urlsplit

KEEP_BODY = 1 << 20
POLL_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Gone(Exception):
    """The other side closed, or broke HTTP."""


class Request:
    """One request as it came, and what became of it."""

    def __init__(self, conn, nth, raw):
        self.conn, self.nth, self.raw = conn, nth, raw
        lines = raw.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.fields = [tuple(p.strip() for p in line.split(":", 1)) for line in lines[1:] if line]
        url = urlsplit(self.target)
        self.path, self.query = url.path, dict(parse_qsl(url.query))
        self.body, self.length, self.hash = bytearray(), 0, hashlib.sha256()
        self.complete = self.framing == 0  # the body has come to its end
        self.came = time.monotonic()
        self.gone = None  # when the other side was seen to have closed
        self.sent = 0  # answer bytes given to the kernel

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    @property
    def framing(self):
        if self.all("Transfer-Encoding"):
            return "chunked"
        return int((self.all("Content-Length") or ["0"])[0])

    def number(self, name, default):
        return int(self.query.get(name, default))

    def __repr__(self):
        return f"{self.method} {self.target}"


class Conn:
    def __init__(self, service, sock, number):
        self.service, self.sock, self.number = service, sock, number
        self.buffer = b""
        self.keep = True
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ---- reading ----

    def more(self):
        try:
            data = self.sock.recv(1 << 16)
        except OSError as err:
            raise Gone(str(err)) from None
        if not data:
            raise Gone("closed")
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        raw, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return raw

    def take(self, rq, n, sink):
        while n:
            if not self.buffer:
                self.more()
            data, self.buffer = self.buffer[:n], self.buffer[n:]
            n -= len(data)
            rq.length += len(data)
            rq.hash.update(data)
            if len(rq.body) < KEEP_BODY:
                rq.body += data
            if sink:
                sink(data)

    def read_body(self, rq, sink=None):
        """To its end; `sink` gets the pieces as they come."""
        if rq.complete:
            return
        if rq.framing == "chunked":
            while n := int(self.line().split(b";")[0], 16):
                self.take(rq, n, sink)
                self.line()
            while self.line():
                pass
        else:
            self.take(rq, rq.framing, sink)
        rq.complete = True

    # ---- writing ----

    def send(self, rq, data):
        try:
            self.sock.sendall(data)
        except OSError as err:
            raise Gone(str(err)) from None
        rq.sent += len(data)

    def reply(self, rq, body=b"", status="200 OK", fields=()):
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *fields]
        self.send(rq, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)

    def start_stream(self, rq, fields=()):
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked", *fields]
        self.send(rq, ("\r\n".join(lines) + "\r\n\r\n").encode())

    def chunk(self, rq, data):
        self.send(rq, b"%x\r\n%s\r\n" % (len(data), data))

    def end_stream(self, rq):
        self.send(rq, b"0\r\n\r\n")

    def wait(self, rq, seconds):
        """Waits; raises Gone as soon as the other side closes."""
        poll = select.poll()
        poll.register(self.sock, POLL_GONE)
        if poll.poll(seconds * 1000):
            rq.gone = time.monotonic()
            raise Gone("closed while waiting")

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Ends the connection now, although its thread still holds it."""
        self.keep = False
        self.sock.close()

    # ---- the life of a connection ----

    def serve(self):
        nth = 0
        rq = None
        try:
            while self.keep and not self.service.stopping:
                rq = None
                rq = Request(self, nth, self.head())
                nth += 1
                self.service.record(rq)
                name = rq.path.strip("/").split("/")[0].replace("-", "_")
                getattr(self, f"do_{name}", Conn.do_hash)(rq) if name != "hash" else self.do_hash(rq)
                self.read_body(rq)
        except (Gone, OSError, ValueError):
            if rq is not None and rq.gone is None:
                rq.gone = time.monotonic()
        finally:
            self.sock.close()

    def do_health(self, rq):
        self.reply(rq, b'{"status":"ok"}')

    def do_hash(self, rq):
        """Says what came."""
        self.read_body(rq)
        told = {"method": rq.method, "target": rq.target, "length": rq.length, "sha256": rq.hash.hexdigest(),
                "fields": rq.fields, "nth": rq.nth, "conn": self.number}
        self.reply(rq, json.dumps(told).encode())

    def do_echo(self, rq):
        """Sends the body back while it comes, framed as it came."""
        if rq.framing == "chunked":
            self.send(rq, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            self.read_body(rq, lambda data: self.chunk(rq, data))
            self.end_stream(rq)
        else:
            self.send(rq, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % rq.framing)
            self.read_body(rq, lambda data: self.send(rq, data))

    def do_early(self, rq):
        """Answers before it has read the body, with a stream of n events."""
        self.start_stream(rq)
        for i in range(rq.number("n", 5)):
            self.chunk(rq, b"data: %d\n\n" % i)
        self.chunk(rq, b"data: [DONE]\n\n")
        self.end_stream(rq)
        self.read_body(rq)

    def do_refuse(self, rq):
        """Answers 401 before it has read the body, and closes."""
        self.reply(rq, b'{"error":"no"}', "401 Unauthorized", ["Connection: close"])
        self.sock.shutdown(socket.SHUT_WR)
        self.read_body(rq)
        self.close()

    def do_sse(self, rq):
        """n events gap_ms apart; after `after` of them: die, close or silent (with comments)."""
        self.read_body(rq)
        self.start_stream(rq, ["X-Service: yes"])
        gap, after = rq.number("gap_ms", 0) / 1000, rq.number("after", -1)
        for i in range(rq.number("n", 5)):
            if i == after:
                self.misbehave(rq)
            self.chunk(rq, b'data: {"i":%d}\n\n' % i)
            self.wait(rq, gap)
        self.chunk(rq, b"data: [DONE]\n\n")
        self.end_stream(rq)

    def do_clock(self, rq):
        """Events that say when they were sent, 3 ms apart."""
        self.start_stream(rq)
        for _ in range(rq.number("n", 100)):
            self.wait(rq, 0.003)
            self.chunk(rq, b"data:%d\n\n" % time.monotonic_ns())
        self.end_stream(rq)

    def misbehave(self, rq):
        how = rq.query["how"]
        if how == "die":
            self.reset()
        elif how == "close":
            self.close()
        elif how == "half":  # in the middle of an event and of a chunk
            self.send(rq, b'40\r\ndata: {"i":')
            self.close()
        while how == "comments":
            self.chunk(rq, b": still here\n\n")
            self.wait(rq, 0.1)
        if how == "silent":
            self.wait(rq, 600)
        raise Gone(how)

    def do_hang(self, rq):
        """Never answers."""
        self.read_body(rq)
        self.wait(rq, 600)

    def do_stuck(self, rq):
        """Never answers, and never reads the body."""
        self.wait(rq, 600)

    def do_slow(self, rq):
        self.read_body(rq)
        self.wait(rq, rq.number("ms", 1000) / 1000)
        self.reply(rq, b'{"slow":true}')

    def do_big(self, rq):
        """n bytes as fast as they are taken, by way of a kernel buffer of a size that may be given."""
        if "sndbuf" in rq.query:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, rq.number("sndbuf", 0))
        left, block = rq.number("n", 1 << 20), bytes(range(256)) * 256
        self.send(rq, b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % left)
        while left:
            data = block[:left]
            self.send(rq, data)
            left -= len(data)

    def do_status(self, rq):
        """An answer without a body, whatever the client may think."""
        self.read_body(rq)
        code = rq.query["code"]
        reason = {"204": "No Content", "304": "Not Modified"}.get(code, "OK")
        length = ["Content-Length: 7"] if code == "304" else []
        self.send(rq, "\r\n".join([f"HTTP/1.1 {code} {reason}", 'ETag: "x"', *length, "", ""]).encode())

    def do_length(self, rq):
        """A body of seven bytes, kept back when the method is HEAD."""
        self.send(rq, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + (b"" if rq.method == "HEAD" else b"content"))

    def do_chunked(self, rq):
        self.start_stream(rq)
        for part in (b"one", b"two", b"x" * 70000):
            self.chunk(rq, part)
        self.send(rq, b"0\r\nX-Trailer: secret\r\n\r\n")

    def do_until_close(self, rq):
        self.read_body(rq)
        self.send(rq, b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")
        self.close()

    def do_fields(self, rq):
        """Answers with hop-by-hop fields and some of our own."""
        self.read_body(rq)
        self.reply(rq, b"{}", fields=[
            "Connection: keep-alive, X-Hop", "Keep-Alive: timeout=5", "X-Hop: dropped", "X-End: kept",
            "Proxy-Authenticate: Basic", "Upgrade: h2c", "X-Computing-Node: forged", "X-Request-Id: forged",
            "Set-Cookie: a=1", "Set-Cookie: b=2"])

    def do_stale(self, rq):
        """Breaks the connection without a word when it is used a second time."""
        if rq.nth > 0:
            self.reset()
            raise Gone("stale")
        self.do_hash(rq)

    def do_mute(self, rq):
        """Closes without a word, always."""
        self.read_body(rq)
        self.close()

    def do_raw(self, rq):
        """The bytes that the test has left for it, then the end unless `keep` is asked for."""
        self.read_body(rq)
        self.send(rq, self.service.raw[rq.query["id"]])
        if "keep" in rq.query:
            self.wait(rq, 30)
        self.close()


class Service:
    """Listens on 127.0.0.1; `requests` holds what came, in order, health checks left out."""

    def __init__(self, host="127.0.0.1", port=0, unix=None):
        self.sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if not unix:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(unix or (host, port))
        self.sock.listen(2048)
        self.port = None if unix else self.sock.getsockname()[1]
        self.lock, self.changed = threading.Lock(), threading.Condition()
        self.requests, self.raw, self.conns = deque(maxlen=20000), {}, []
        self.stopping = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            number += 1
            conn = Conn(self, sock, number)
            self.conns.append(conn)
            threading.Thread(target=conn.serve, daemon=True).start()

    def record(self, rq):
        if rq.path == "/health":
            return
        with self.changed:
            self.requests.append(rq)
            self.changed.notify_all()

    def seen(self, text):
        """The requests whose target has `text` in it."""
        return [rq for rq in list(self.requests) if text in rq.target]

    def wait_for(self, text, count=1, seconds=5):
        """The requests whose target has `text`, once there are `count`."""
        until = time.monotonic() + seconds
        with self.changed:
            while len(found := self.seen(text)) < count:
                if not self.changed.wait(max(0, until - time.monotonic())):
                    return self.seen(text)
        return found

    def stop(self):
        self.stopping = True
        self.sock.close()
        for conn in self.conns:
            try:
                conn.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already


def main():
    """Serves alone; prints its port."""
    print(json.dumps({"port": Service().port}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
