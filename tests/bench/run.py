#!/usr/bin/env python3
"""Benchmarks of two ocf nodes beside two HAProxys, in one interleaved run on this machine.

    wrk -> head -> worker -> nginx        against        wrk -> HAProxy -> mTLS -> HAProxy -> nginx

Each round measures every cell with both chains, one after the other and in turn first, so that what
else the machine does meets both. Ratios are taken within a round; the report gives their medians. Raw
figures go to build/bench/raw.csv, the report to build/bench/report.md and standard output.
"""
import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

import measure
from chains import GIB, Direct, Haproxy, Ocf, Stage, limits
from report import Results, markdown

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
KB = 1000


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Run:
    def __init__(self, options, stage, results):
        self.o, self.stage, self.results = options, stage, results
        self.cells = {"requests": [], "bulk": [], "streams": []}
        self.nginx, self.nginx_port = stage.nginx(options.bulk_bytes)
        self.source, self.source_port = stage.source(options.tools, options.events, options.interval_ms)
        self.upload_file = os.path.join(stage.dir, "bulk")

    def attempt(self, number, cell, chain, fn, *args):
        """One measurement: its figures are kept, or the fact that it failed."""
        try:
            metrics = fn(*args)
        except (measure.Bad, RuntimeError, OSError, subprocess.TimeoutExpired) as e:
            say(f"round {number}, {cell}, {chain}: FAILED: {e}")
            self.results.fail(number, cell, chain, str(e))
            return
        self.results.add(number, cell, chain, metrics)
        brief = ", ".join(f"{k} {v:.4g}" for k, v in metrics.items()
                          if k in ("req_per_s", "p50_us", "p99_us", "gb_per_s", "transit_p50_us", "transit_p99_us", "cut",
                                   "rss_per_stream_head", "rss_per_stream_worker", "cpu_us_per_req", "cpu_us_per_mb"))
        say(f"round {number}, {cell}, {chain}: {brief}")

    def side_by_side(self, number, group, cell, chains, fn):
        """`fn(chain)` for each; who is first changes with the round."""
        if cell not in self.cells[group]:
            self.cells[group].append(cell)
        turn = number % len(chains)
        for chain in chains[turn:] + chains[:turn]:
            self.attempt(number, cell, chain.name, fn, chain)

    def requests(self, number):
        chains = [Haproxy(self.stage, self.nginx_port), Ocf(self.stage, self.nginx_port)]
        try:
            for chain in chains:  # opens their connections; not measured
                self.attempt_warmup(chain)
            for c in (1, 8, 50, 200):
                self.side_by_side(number, "requests", f"get c={c}", chains, lambda chain, c=c: measure.requests(
                    chain, self.nginx, "/x", c, self.o.seconds))
            for kb in (2, 200):
                self.side_by_side(number, "requests", f"post {kb} KB c=8", chains, lambda chain, kb=kb: measure.requests(
                    chain, self.nginx, "/post", 8, self.o.seconds, kb * KB))
            chains.append(Direct(self.stage, self.nginx_port))
            self.side_by_side(number, "bulk", f"download {self.o.bulk_name}", chains,
                              lambda chain: measure.download(chain, self.nginx, self.o.bulk_bytes))
        finally:
            for chain in chains:
                chain.close()

    def attempt_warmup(self, chain):
        try:
            measure.requests(chain, self.nginx, "/x", 50, 1)
        except (measure.Bad, subprocess.TimeoutExpired) as e:
            say(f"warm-up of {chain.name}: {e}")

    def streams(self, number):
        """Fresh processes: what a stream takes is to be seen in their memory."""
        chains = [Haproxy(self.stage, self.source_port), Ocf(self.stage, self.source_port)]
        try:
            self.side_by_side(number, "streams", "streams", chains, lambda chain: measure.event_streams(
                chain, self.source, self.o.tools, self.o.streams, self.o.events, self.o.interval_ms))
            chains.append(Direct(self.stage, self.source_port))
            self.side_by_side(number, "bulk", f"upload {self.o.bulk_name}", chains, lambda chain: measure.upload(
                chain, self.source, self.upload_file, self.o.bulk_bytes))
        finally:
            for chain in chains:
                chain.close()

    def idle(self, number):
        chains = [Haproxy(self.stage, self.nginx_port), Ocf(self.stage, self.nginx_port)]
        try:
            time.sleep(self.o.idle_s)
            for chain in chains:
                self.attempt(number, "idle", chain.name, measure.idle_rss, chain, 0)
        finally:
            for chain in chains:
                chain.close()

    def once(self):
        stripped = os.path.join(self.stage.dir, "stripped")
        shutil.copy(self.stage.ocf, stripped)
        subprocess.run(["strip", stripped], check=True)
        self.results.add(1, "binary", "ocf", {"binary_bytes": os.path.getsize(stripped)})

    def start(self, number):
        self.attempt(number, "start", "ocf", lambda: {"start_ms": statistics.median(measure.start_ms(self.stage, 5))})

    def all(self):
        self.once()
        for number in range(1, self.o.rounds + 1):
            for part in (self.start, self.requests, self.streams, self.idle):
                if part.__name__ in self.o.parts:
                    part(number)
            if "handshakes" in self.o.parts:
                self.attempt(number, "handshakes", "ocf", measure.handshakes, self.o.tools, self.o.seconds)


def options():
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--ocf", default=os.path.join(ROOT, "build", "ocf"), help="the node's binary")
    p.add_argument("--tools", help="folder of bench_source, bench_sse_client and bench_handshakes; "
                   "default: they are built in build/release")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=5, help="of each request cell")
    p.add_argument("--streams", type=int, default=1000)
    p.add_argument("--events", type=int, default=100, help="of each stream")
    p.add_argument("--interval-ms", type=int, default=100, help="between a stream's events")
    p.add_argument("--idle-s", type=int, default=10)
    p.add_argument("--bulk-bytes", type=int, default=GIB)
    p.add_argument("--parts", default="start,requests,streams,idle,handshakes", help="which to run")
    p.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    p.add_argument("--quick", action="store_true", help="one short round: shows that everything works")
    o = p.parse_args()
    o.parts = o.parts.split(",")
    if not os.access(o.ocf, os.X_OK):
        p.error(f"{o.ocf} is not there: make build")
    if o.quick:
        o.rounds, o.seconds, o.events, o.idle_s, o.bulk_bytes = 1, 1, 20, 2, GIB // 8
    o.bulk_name = "1 GiB" if o.bulk_bytes == GIB else f"{o.bulk_bytes >> 20} MiB"
    if not o.tools:
        subprocess.run([os.path.join(ROOT, "tools", "build.sh"), "release", "ocf_bench_source", "ocf_bench_sse_client",
                        "ocf_bench_handshakes"], check=True)
        o.tools = os.path.join(ROOT, "build", "release", "tests", "bench")
    return o


def main():
    o = options()
    limits()
    # Ctrl-C and SIGTERM leave through `finally`, which ends every child.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(o.out, exist_ok=True)
    results = Results(os.path.join(o.out, "raw.csv"))
    stage, before = Stage(o.ocf), os.getloadavg()[0]
    try:
        stage.certificates()
        run = Run(o, stage, results)
        run.all()
        text = markdown(results, o, run.cells, (before, os.getloadavg()[0]), stage.ocf)
    finally:
        stage.close()
    with open(os.path.join(o.out, "report.md"), "w") as f:
        f.write(text)
    print(text)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
