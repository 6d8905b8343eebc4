"""A raw HTTP/1.1 client: sends exactly the bytes it is given and reads answers strictly.

`http.client` repairs and hides what these tests are about: how an answer is framed, what follows it,
and how a connection ends.
"""

import re
import socket
import struct
import time

HEAD_MAX = 1 << 20


class Failure(Exception):
    """A case did not hold, in words."""


class Cut(Exception):
    """The connection ended inside an answer. `got` is the body so far, `reset` how it ended."""

    def __init__(self, where, got=b"", reset=False):
        super().__init__(f"{'reset' if reset else 'closed'} in the {where} after {len(got)} bytes")
        self.got, self.reset = got, reset


def expect(condition, text):
    if not condition:
        raise Failure(text)


def same(got, want, what):
    if got != want:
        raise Failure(f"{what}: got {got!r}, want {want!r}")


class Answer:
    def __init__(self, status, reason, fields):
        self.status, self.reason, self.fields, self.body = status, reason, fields, b""

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        """The only field of that name; None when there is none."""
        values = self.all(name)
        expect(len(values) <= 1, f"{name} is there {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def closes(self):
        return "close" in [t.strip().lower() for v in self.all("Connection") for t in v.split(",")]


class Client:
    """One connection. `at` is (host, port)."""

    def __init__(self, at, timeout=20, rcvbuf=None, source=None):
        self.sock = socket.socket(socket.AF_INET6 if ":" in at[0] else socket.AF_INET)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect(at)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = f"{at[0]}:{at[1]}"
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- sending ----

    def send(self, data):
        self.sock.sendall(data)

    def head(self, method, target, fields=(), version="1.1"):
        lines = [f"{method} {target} HTTP/{version}"]
        if not any(f.lower().startswith("host:") for f in fields):
            lines.append(f"Host: {self.host}")
        return ("\r\n".join([*lines, *fields]) + "\r\n\r\n").encode("latin-1")

    def ask(self, method, target, fields=(), body=None, version="1.1"):
        """Sends a request with a length; reads nothing."""
        fields = list(fields)
        if body is not None:
            fields.append(f"Content-Length: {len(body)}")
        self.send(self.head(method, target, fields, version) + (body or b""))

    def get(self, method, target, fields=(), body=None, version="1.1"):
        """Sends a request and reads the whole answer."""
        self.ask(method, target, fields, body, version)
        return self.answer(method)

    # ---- reading ----

    def more(self, where, got=b""):
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            raise Cut(where, got, reset=True) from None
        except TimeoutError:
            raise Failure(f"nothing more came in the {where} for {self.sock.gettimeout()} s") from None
        if not data:
            raise Cut(where, got)
        self.buffer += data

    def line(self, where, got=b""):
        while b"\r\n" not in self.buffer:
            expect(len(self.buffer) < HEAD_MAX, f"endless line in the {where}")
            self.more(where, got)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def answer_head(self):
        """One head, interim ones included."""
        first = self.line("status line").decode("latin-1")
        m = re.fullmatch(r"HTTP/1\.1 (\d{3}) (.*)", first)
        expect(m, f"bad status line {first!r}")
        fields = []
        while line := self.line("head"):
            name, colon, value = line.decode("latin-1").partition(":")
            expect(colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), f"bad field line {line!r}")
            fields.append((name, value.strip(" \t")))
        return Answer(int(m[1]), m[2], fields)

    def exactly(self, n, where="body", got=b""):
        parts = bytearray()
        while len(parts) < n:
            if not self.buffer:
                self.more(where, got + bytes(parts))
            take = self.buffer[: n - len(parts)]
            self.buffer = self.buffer[len(take):]
            parts += take
        return bytes(parts)

    def chunk(self, got=b""):
        """The next chunk's data; b"" for the last one, its (empty) trailer read."""
        size = self.line("chunk size", got)
        expect(re.fullmatch(rb"[0-9a-fA-F]{1,8}", size), f"bad chunk size {size!r}")
        n = int(size, 16)
        data = self.exactly(n, "chunk", got)
        same(self.exactly(2, "chunk end", got + data), b"\r\n", "the end of a chunk")
        return data

    def framing(self, head, method="GET"):
        """none, chunked, close, or the length."""
        lengths, codings = head.all("Content-Length"), head.all("Transfer-Encoding")
        expect(len(lengths) + len(codings) <= 1, f"two framings: {lengths} {codings}")
        if method == "HEAD" or head.status in (204, 304) or head.status < 200:
            return "none"
        if codings:
            same(codings, ["chunked"], "Transfer-Encoding")
            return "chunked"
        if lengths:
            expect(lengths[0].isdigit(), f"bad length {lengths[0]!r}")
            return int(lengths[0])
        return "close"

    def body(self, head, method="GET", sink=None):
        """Reads the body to its end; raises Cut when it has none. With `sink`, hands data on instead."""
        framing, got = self.framing(head, method), bytearray()
        take = sink or got.extend
        try:
            if framing == "chunked":
                while data := self.chunk(b""):
                    take(data)
            elif framing == "close":
                while True:
                    take(self.buffer)
                    self.buffer = b""
                    try:
                        self.more("body")
                    except Cut as cut:
                        if cut.reset:
                            raise
                        break
            elif framing != "none":
                left = framing
                while left:
                    if not self.buffer:
                        self.more("body")
                    data, self.buffer = self.buffer[:left], self.buffer[left:]
                    left -= len(data)
                    take(data)
        except Cut as cut:
            cut.got = bytes(got) + cut.got
            raise
        return bytes(got)

    def answer(self, method="GET"):
        """The whole final answer; interim ones before it are skipped."""
        head = self.answer_head()
        while head.status < 200:
            head = self.answer_head()
        head.body = self.body(head, method)
        return head

    def rest(self, seconds):
        """What comes until the connection ends, and whether it does within `seconds`: data, "closed",
        "reset" or "open"."""
        until, got = time.monotonic() + seconds, self.buffer
        self.buffer = b""
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 16)
            except ConnectionError:
                return got, "reset"
            except TimeoutError:
                break
            if not data:
                return got, "closed"
            got += data
        return got, "open"

    def must_end(self, seconds=3):
        """Nothing more comes and the connection ends."""
        got, how = self.rest(seconds)
        expect(how != "open", f"the connection is still open after {seconds} s")
        same(got, b"", "bytes behind the answer")


def get(at, target, fields=(), method="GET", body=None, timeout=20):
    """One request on a connection of its own."""
    with Client(at, timeout) as c:
        return c.get(method, target, fields, body)
