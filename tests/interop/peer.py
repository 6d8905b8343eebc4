"""A peer process behind the control protocol of README.md."""

import json
import queue
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "interop"

PRODUCTION = ["--security", "tls,noise"]

# Every kind of peer: the program and its arguments, before those that all share.
KINDS = {
    "c": [str(ROOT / "build" / "release" / "tests" / "interop" / "c_peer")],
    "go47": [str(BUILD / "gopeer47")],
    "go37": [str(BUILD / "gopeer37")],
    "go47p": [str(BUILD / "gopeer47"), *PRODUCTION, "--yamux-window", str(8 << 20)],
    "go37p": [str(BUILD / "gopeer37"), *PRODUCTION],
    "js": [str(BUILD / "js" / "node"), str(BUILD / "js" / "main.js")],
}

READY_SECONDS = 30
ANSWER_SECONDS = 35  # a peer answers within 30 s, or says so in the request
MAX_LINE = 1 << 20


class Failure(Exception):
    """A cell did not hold, in words."""


def make_key(kind, path):
    """Writes a new private key of `kind`, rsa or ed25519, with the Go peer."""
    subprocess.run([*KINDS["go47"], "--make-key", kind, "--key-file", str(path)], check=True, timeout=60)


class Peer:
    """One side of a pair. It keeps its key, and its port once it has one, over restarts."""

    def __init__(self, side, kind, key_file, log_file):
        self.side, self.kind, self.key_file, self.log_file = side, kind, key_file, log_file
        self.listen = "/ip4/127.0.0.1/tcp/0"
        self.process = None
        self.deadline = None  # of the running cell, on the monotonic clock

    def __str__(self):
        return f"{self.side} ({self.kind})"

    def start(self):
        command = [*KINDS[self.kind], "--key-file", str(self.key_file), "--listen", self.listen]
        with open(self.log_file, "ab") as log:
            log.write(f"--- {' '.join(command)}\n".encode())
            log.flush()
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
                )
            except OSError as err:
                raise Failure(f"{self} did not start: {err}") from err
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()
        self.last_id = 0
        ready = self._line(READY_SECONDS)
        if ready.get("ready") is not True:
            raise Failure(f"{self}: the first line is not the ready line: {ready}")
        self.id, self.agent, self.addrs = ready["peer_id"], ready["agent"], ready["addrs"]
        self.version = f"{ready['impl']} {ready['version']}"
        self.listen = self.addrs[0]

    @staticmethod
    def _read(stdout, lines):
        """Moves lines into the queue; None marks the end."""
        while line := stdout.readline(MAX_LINE):
            lines.put(line)
        lines.put(None)

    def _line(self, seconds):
        """The next line as an object, within `seconds` and the cell's deadline."""
        if self.deadline is not None:
            seconds = max(0.01, min(seconds, self.deadline - time.monotonic()))
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise Failure(f"{self} said nothing for {seconds:.1f} s") from None
        if line is None:
            raise Failure(f"{self} ended with status {self.process.wait(5)}")
        try:
            return json.loads(line)
        except ValueError:
            raise Failure(f"{self} wrote no JSON: {line[:200]!r}") from None

    def cmd(self, name, *, seconds=ANSWER_SECONDS, **members):
        """Runs one command; returns the answer or raises Failure."""
        self.last_id += 1
        request = {"id": self.last_id, "cmd": name, **members}
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as err:
            raise Failure(f"{self} takes no requests: {err}") from err
        try:
            answer = self._line(seconds)
        except Failure as err:
            raise Failure(f"{name}: {err}") from None
        if answer.get("id") != self.last_id:
            raise Failure(f"{self} answered request {answer.get('id')} instead of {self.last_id}")
        if answer.get("ok") is not True:
            raise Failure(f"{self} {name}: {answer.get('error')}")
        return answer

    def counters(self):
        """Reads the counters and sets them to zero."""
        return self.cmd("counters", reset=True)

    def kill(self):
        """Ends the process without a goodbye, and waits for its end."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # unsent bytes of a dead peer
        self.process = None

    def quit(self):
        """Ends the process by command; a peer that does not exit cleanly is a failure."""
        try:
            self.cmd("quit", seconds=5)
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self} does not quit") from None
        finally:
            self.kill()
        if status != 0:
            raise Failure(f"{self} quit with status {status}")
