"""The measurements: each takes a chain and returns {metric: number}."""
import json
import os
import subprocess
import time

from chains import cpu_ns

HERE = os.path.dirname(os.path.abspath(__file__))


class Bad(Exception):
    """A measurement that did not work, so that its figures mean nothing."""


class Usage:
    """CPU time and peak memory of a chain's processes and of the service while a block runs."""

    def __init__(self, chain, service):
        self.chain, self.service = chain, service

    def _cpu(self):
        return {**self.chain.cpu(), "service": cpu_ns(self.service.pid)}

    def __enter__(self):
        self.chain.reset_peaks()
        self.before = self._cpu()
        return self

    def __exit__(self, *exc):
        if exc[0] is None:
            after = self._cpu()
            self.cpu_ns = {role: after[role] - self.before[role] for role in after}
            self.peak = self.chain.memory("VmHWM")

    def metrics(self, n, unit):
        """CPU microseconds per `unit`, of which there were n; peak RSS."""
        out = {f"cpu_us_per_{unit}_{role}": ns / 1e3 / n for role, ns in self.cpu_ns.items()}
        if self.peak:
            out[f"cpu_us_per_{unit}"] = sum(ns for role, ns in self.cpu_ns.items() if role != "service") / 1e3 / n
        out.update({f"peak_rss_{role}": rss for role, rss in self.peak.items()})
        return out


def run(args, limit_s, env=None):
    """The standard output of a command, which must succeed."""
    done = subprocess.run(args, capture_output=True, text=True, timeout=limit_s, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise Bad(f"{os.path.basename(args[0])} failed ({done.returncode}): {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def until(fn, limit_s):
    """Tries again while it fails."""
    last = time.monotonic() + limit_s
    while True:
        try:
            return fn()
        except Bad:
            if time.monotonic() > last:
                raise


def requests(chain, service, path, connections, seconds, body_bytes=0, body=""):
    """wrk with one thread; any error counts as a failed measurement. `body` makes it a POST of that JSON."""
    with Usage(chain, service) as usage:
        out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                   "-s", os.path.join(HERE, "wrk.lua"), chain.url(path)],
                  seconds + 30, {"BODY_BYTES": str(body_bytes), "BODY": body})
    got = json.loads(out.strip().splitlines()[-1])
    if got["errors"] or not got["requests"]:
        raise Bad(f"wrk: {got['errors']} errors in {got['requests']} requests")
    return {"req_per_s": got["requests"] * 1e6 / got["duration_us"],
            **{f"{p}_us": got[f"{p}_us"] for p in ("p50", "p90", "p99")},
            **usage.metrics(got["requests"], "req")}


def curl(chain, service, args, n_bytes, counted):
    with Usage(chain, service) as usage:
        out = run(["curl", "-sS", "-m", "120", "-o", os.devnull,
                   "-w", "%{http_code} %{" + counted + "} %{time_total}", *args], 130)
    status, moved, seconds = out.split()
    if status != "200" or int(moved) != n_bytes:
        raise Bad(f"curl: status {status}, {moved} of {n_bytes} bytes")
    return {"gb_per_s": n_bytes / 1e9 / float(seconds), **usage.metrics(n_bytes / 1e6, "mb")}


def download(chain, service, n_bytes):
    return curl(chain, service, [chain.url("/bulk")], n_bytes, "size_download")


def upload(chain, service, path, n_bytes):
    return curl(chain, service, ["-X", "POST", "-H", "Expect:", "-T", path, chain.url("/sink")], n_bytes, "size_upload")


def event_streams(chain, service, tools, streams, events, interval_ms):
    """All streams at once; memory per stream is the growth of the peak over what the process had."""
    before = chain.memory("VmRSS")
    ramp_ms, limit_s = 1000, 60 + events * interval_ms // 1000
    with Usage(chain, service) as usage:
        client = subprocess.run(
            [os.path.join(tools, "bench_sse_client"), str(chain.port), chain.prefix + "/sse", str(streams), str(events),
             str(ramp_ms), str(limit_s)], capture_output=True, text=True, timeout=limit_s + 10)
    got = json.loads(client.stdout.strip().splitlines()[-1])
    if got["events"] == 0:
        raise Bad(f"no events: {got}")
    out = {k: v for k, v in got.items() if k.endswith("_us") or k in ("complete", "cut", "unfinished")}
    out.update(usage.metrics(got["events"], "event"))
    for role, peak in usage.peak.items():
        out[f"rss_per_stream_{role}"] = (peak - before[role]) / streams
    return out


def start_ms(stage, times):
    """From exec to the ready line, with the key already made: one figure for each of `times` starts."""
    home, out = stage.home(), []
    child, _ = stage.node(home=home)  # makes the key
    stage.stop(child)
    for _ in range(times):
        with open(os.path.join(home, "log"), "a") as log:
            begun = time.monotonic()
            child = subprocess.Popen(stage.node_args(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                     text=True, env=stage.env(home))
            stage.children.append(child)
            line = child.stdout.readline()
            out.append((time.monotonic() - begun) * 1e3)
        if '"ready"' not in line:
            raise Bad("ocf printed no ready line")
        stage.stop(child)
    return out


def idle_rss(chain, wait_s):
    time.sleep(wait_s)
    out = {f"idle_rss_{role}": rss for role, rss in chain.memory("VmRSS").items()}
    out.update({f"idle_anon_{role}": rss for role, rss in chain.memory("RssAnon").items()})
    return out


def handshakes(tools, seconds):
    got = json.loads(run([os.path.join(tools, "bench_handshakes"), str(seconds)], seconds + 30))
    return {"handshakes_per_s": got["per_s"], "cpu_us_per_handshake": got["cpu_us"]}
