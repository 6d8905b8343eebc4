"""Processes of a run: nodes, engines and helpers, each with a folder and a log of its own.

Whatever is started here ends with the runner: at its exit, at a signal, and by the kernel when it is
killed.
"""

import atexit
import ctypes
import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wire import Client, Failure, expect

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "e2e"
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
# "Parent death" means the thread that forked, so one thread that lives as long as we do forks for all.
_forker = ThreadPoolExecutor(1)
_alive = []
_lock = threading.Lock()


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_all():
    with _lock:
        left, _alive[:] = list(_alive), []
    for p in left:
        if p.poll() is None:
            p.kill()


atexit.register(_end_all)


def spawn(command, **how):
    """subprocess.Popen, with the end of the process taken care of."""
    p = _forker.submit(subprocess.Popen, [str(c) for c in command], preexec_fn=_die_with_parent, **how).result()
    with _lock:
        _alive[:] = [q for q in _alive if q.poll() is None] + [p]
    return p


def finish(command, timeout=20, env=None, **how):
    """Runs a program to its end; returns (exit status, standard output, standard error)."""
    p = spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **how)
    try:
        out, err = p.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        raise Failure(f"{' '.join(map(str, command))} did not end in {timeout} s: {err[-500:]}") from None
    return p.returncode, out, err


def eventually(check, seconds, what, every=0.02):
    """Waits until check() is true; returns its value."""
    until = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > until:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(every)


class Process:
    def __init__(self, run, name, command, env=None, stdin=subprocess.DEVNULL):
        self.run, self.name = run, name
        self.folder = run.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "log"
        self.command = [str(c) for c in command]
        self.env = {**clean_env(self.folder), **(env or {})}
        self.lines = queue.Queue()
        with open(self.log, "ab") as log:
            log.write(f"--- {' '.join(self.command)}\n".encode())
            log.flush()
            self.p = spawn(self.command, env=self.env, cwd=self.folder, stdin=stdin,
                           stdout=subprocess.PIPE, stderr=log)
        threading.Thread(target=self._read, args=(self.p.stdout,), daemon=True).start()
        run.processes.append(self)

    def _read(self, out):
        with open(self.folder / "stdout", "ab") as copy:
            for line in out:
                copy.write(line)
                copy.flush()
                self.lines.put(line)
        self.lines.put(None)

    def line(self, seconds):
        """The next line of standard output; None at its end."""
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise Failure(f"{self.name} said nothing for {seconds} s") from None

    @property
    def pid(self):
        return self.p.pid

    def text(self):
        """What it has logged."""
        return self.log.read_text(errors="replace")

    def signal(self, number):
        self.p.send_signal(number)

    def wait(self, seconds):
        try:
            return self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} is still there after {seconds} s") from None

    def kill(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()

    def rss(self):
        """Resident bytes."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1]) * 1024


def clean_env(home):
    """The environment of a child: a HOME of its own and nothing that configures a node."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("OCF_", "OF_", "XDG_"))}
    return {**keep, "HOME": str(home)}


class Node(Process):
    """One `ocf start`."""

    def __init__(self, run, name, *args, listen="/ip4/127.0.0.1/tcp/0", port=0, env=None, prefix=(), wait=True):
        command = [*prefix, run.ocf, "start", "--port", port, *(("--listen", listen) if listen else ()), *args]
        super().__init__(run, name, command, env)
        self.started = time.monotonic()
        if wait:
            self.ready()

    def ready(self, seconds=20):
        line = self.line(seconds)
        if line is None:
            raise Failure(f"{self.name} ended with status {self.p.wait()}: {self.text()[-600:]}")
        self.took = time.monotonic() - self.started
        told = json.loads(line)
        expect(told.get("event") == "ready", f"no ready line: {told}")
        self.id, self.http, self.p2p = told["peer_id"], told["http"], told["p2p"]
        host, _, port = self.http.removeprefix("http://").rpartition(":")
        self.at = (host.strip("[]"), int(port))
        m = re.fullmatch(r"/ip4/([^/]+)/tcp/(\d+)/p2p/(.+)", self.p2p[0])
        self.p2p_at = (m[1], int(m[2])) if m else None
        return told

    def metrics(self):
        """The page as {name with labels: value}; asking for it is not counted as a case's request."""
        with Client(self.at) as c:
            page = c.get("GET", "/metrics")
        expect(page.status == 200, f"/metrics answers {page.status}")
        found = {}
        for line in page.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def total(self, name, **labels):
        """The sum of the samples of one metric that have these labels."""
        want = [f'{k}="{v}"' for k, v in labels.items()]
        return sum(v for n, v in self.metrics().items()
                   if n.split("{")[0] == name and all(w in n for w in want))

    def live_bytes(self):
        return self.total("ocf_memory_live_bytes")

    def stop(self, seconds=5):
        """Asks it to end, and wants an orderly end."""
        if self.p.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait(seconds)
        expect(status == 0, f"{self.name} ended with status {status}")


class Pair:
    """A worker with services, and a head in front of it that knows its address."""

    def __init__(self, run, name, services, worker=(), head=()):
        flags = [f"--services=name={n},url={u}" for n, u in services.items()]
        self.worker = Node(run, f"{name}-worker", *flags, *worker)
        self.head = Node(run, f"{name}-head", "--role", "head", "--bootstrap.static", self.worker.p2p[0], *head)
        self.nodes = (self.head, self.worker)
        eventually(self.connected, 10, f"{name}: the head finds the worker")

    def connected(self):
        with urllib.request.urlopen(f"{self.head.http}/v1/self", timeout=5) as r:
            return self.worker.id in json.load(r)["connected_peers"]

    def path(self, service, path="/"):
        """What a client asks the head for."""
        return f"/v1/p2p/{self.worker.id}/v1/_service/{service}{path}"

    def base_url(self, service):
        return f"{self.head.http}{self.path(service, '/v1')}"

    def stop(self):
        for node in self.nodes:
            node.kill()


class Engine(Process):
    """llama.cpp's server with one of the tiny models."""

    def __init__(self, run, name, engine, model, alias, *args):
        with_port = free_port()
        command = [*engine["command"], "-m", model, "--alias", alias, "--host", "127.0.0.1",
                   "--port", with_port, "-t", "1", *args]
        super().__init__(run, name, command, engine["env"])
        self.at = ("127.0.0.1", with_port)
        self.url = f"http://127.0.0.1:{with_port}"
        eventually(self.healthy, 30, f"{name} answers /health", every=0.05)

    def healthy(self):
        expect(self.p.poll() is None, f"{self.name} ended: {self.text()[-400:]}")
        try:
            with Client(self.at, timeout=5) as c:
                return c.get("GET", "/health").status == 200
        except (OSError, Failure):
            return False

    def busy(self):
        """Slots at work."""
        with Client(self.at) as c:
            page = c.get("GET", "/metrics").body.decode()
        return int(float(re.search(r"^llamacpp:requests_processing ([\d.]+)$", page, re.M)[1]))


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
