#!/usr/bin/env python3
"""Benchmarks of the registry: meshes of our nodes beside meshes of the Go test peer, in one run.

    spread   a write until it is visible on every node; bytes on the mesh per write; idle traffic
    storm    traffic of 30 nodes that meet at once
    sync     a newcomer learns 10,000 records of 1,000 peers; memory afterwards
    cores    merges and verifications a second, one core
    route    what routing by identity group costs over the fixed-peer path

Each node is a process in a network namespace of its own (root), so that the kernel's counters of its interface
say what it sent. Raw figures go to build/bench/registry.csv, the report to build/bench/registry.md.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import meshes
from chains import Ocf, Stage, limits, status_bytes
from meshes import Failure, Mesh, Switch
from report import Results, machine, number

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
NAMES = {"ours": "OCF", "go47": "Go, OpenTela profile", "go37": "Go, OCF profile"}
AS_REAL = ["--dht", "--join-delay", "3s", "--service", "w:9000:k=v"]  # what the real programs do at their start, too
RECORDS, PEERS, MODELS = 10_000, 1_000, 100


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


class Run:
    def __init__(self, options, results):
        self.o, self.results, self.next_index = options, results, 0
        self.folder = tempfile.mkdtemp(prefix="ocf-bench-")
        self.switch, self.meshes, self.ocf = None, [], os.path.join(self.folder, "ocf")
        shutil.copy(options.ocf, self.ocf)
        subprocess.run(["strip", self.ocf], check=True)

    def close(self):
        for mesh in self.meshes:
            mesh.close()
        if self.switch is not None:
            self.switch.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mesh(self, kind, n, cli=()):
        if self.switch is None:
            self.switch = Switch()
        mesh = Mesh(kind, n, self.switch, self.folder, self.ocf, self.next_index, cli)
        self.next_index += n
        self.meshes.append(mesh)
        if kind != "ours":
            mesh.keys()
        return mesh

    def drop(self, mesh):
        mesh.close()
        self.meshes.remove(mesh)

    def add(self, cell, side, metrics):
        number_of = 1 + max((r for (c, m, s), v in self.results.values.items() if (c, s) == (cell, side) and m in metrics
                             for r in v), default=0)
        self.results.add(number_of, cell, side, metrics)
        say(f"{cell}, {NAMES.get(side, side)}: " + ", ".join(f"{k} {v:.4g}" for k, v in metrics.items()))

    def attempt(self, cell, side, fn, *args):
        try:
            return fn(*args)
        except (Failure, measure.Bad, RuntimeError, OSError, KeyError, ValueError, TypeError,
                subprocess.SubprocessError) as e:
            say(f"{cell}, {side}: FAILED: {e}")
            self.results.fail(1, cell, side, str(e))
            return None

    # ---- idle traffic, and writes ----

    def idle(self, all_meshes):
        """Of all meshes over the same seconds; bytes a second of each, all its nodes together."""
        before, begun = [m.sent() for m in all_meshes], time.monotonic()
        time.sleep(self.o.idle_s)
        seconds = time.monotonic() - begun
        rates = [(m.sent() - b) / seconds for m, b in zip(all_meshes, before)]
        for mesh, rate in zip(all_meshes, rates):
            n = len(mesh.nodes)
            self.add(f"mesh of {n}", mesh.kind, {"idle_bytes_s": rate / n})
        return rates

    def writes(self, mesh, idle_rate, count):
        n = len(mesh.nodes)
        for node in mesh.nodes[1:1 + count]:  # the first record with a service: others ask for its address then
            mesh.write(node)
        time.sleep(1)
        mesh.polls, mesh.polled_s = 0, 0.0
        each, last, missed = [], [], 0
        before, begun = mesh.sent(), time.monotonic()
        for i in range(count):
            seen = mesh.write(mesh.nodes[1 + i % (n - 1)])
            missed += n - 1 - len(seen)
            each += seen.values()
            if len(seen) == n - 1:
                last.append(max(seen.values()))
            time.sleep(0.1)
        time.sleep(4)  # gossip about these messages goes on for three heartbeats
        told = mesh.sent() - before - idle_rate * (time.monotonic() - begun)
        out = {"bytes_per_write": told / count, "missed_share": missed / (count * (n - 1))}
        if each:
            out |= {"visible_p50_ms": quantile(each, 0.5), "visible_p99_ms": quantile(each, 0.99)}
        if last:
            out |= {"all_p50_ms": quantile(last, 0.5), "all_max_ms": max(last)}
        if mesh.polls:
            out["poll_ms"] = mesh.polled_s / mesh.polls * 1e3
        self.add(f"mesh of {n}", mesh.kind, out)

    def spread(self):
        kinds = self.o.kinds
        two = [self.mesh(kind, 2) for kind in kinds]
        ten = [self.mesh(kind, 10) for kind in kinds]
        for mesh in two + ten:
            self.attempt("start", mesh.kind, mesh.start, 0.05)
        for mesh in ten:
            took = mesh.converge(self.o.converge_s)
            say(f"{mesh.kind}: 10 nodes " + ("do not all list each other" if took is None else "list each other"))
        time.sleep(5)
        rates = self.idle(two + ten)
        for mesh, rate in zip(ten, rates[len(two):]):
            self.attempt("mesh of 10", mesh.kind, self.writes, mesh, rate, self.o.writes if mesh.kind == "ours" else 10)
            rss = [status_bytes(node.process.pid, "VmRSS") for node in mesh.nodes]
            self.add("mesh of 10", mesh.kind, {"rss": statistics.median(rss),
                                               "connections": statistics.mean(mesh.pool.map(lambda x: x.connections(), mesh.nodes))})
        for mesh in two + ten:
            self.drop(mesh)

    def storm(self):
        for kind in [k for k in self.o.kinds if k != "go37" or self.o.all]:
            mesh = self.mesh(kind, 30, () if kind == "ours" else AS_REAL)
            self.attempt("mesh of 30", kind, self.meet, mesh)
            self.drop(mesh)

    def meet(self, mesh):
        mesh.start()
        begun = time.monotonic()
        took = mesh.converge(self.o.storm_s) if mesh.kind == "ours" else None
        time.sleep(max(0, begun + self.o.storm_s - time.monotonic()))
        self.add("mesh of 30", mesh.kind, {"storm_bytes": mesh.sent(), "storm_s": time.monotonic() - begun,
                                           "connections": statistics.mean(mesh.pool.map(lambda x: x.connections(), mesh.nodes))})
        if took is not None:
            self.add("mesh of 30", mesh.kind, {"converged_s": took})
        rate = self.idle([mesh])[0]
        self.writes(mesh, rate, self.o.writes if mesh.kind == "ours" else 3)

    # ---- a newcomer ----

    @staticmethod
    def catch_up(node, records, limit_s):
        """Seconds from the start of the process until it holds every block."""
        begun = time.monotonic()
        node.start(node.bootstrap).ready()
        while node.blocks() < records:
            if time.monotonic() > begun + limit_s:
                raise Failure(f"{node} has {node.blocks()} of {records} blocks after {limit_s} s")
            time.sleep(0.05)
        return time.monotonic() - begun

    def newcomer(self, mesh, index, source, cell, side, records):
        node = mesh.nodes[index]
        node.bootstrap = [source.addr]
        seconds = self.catch_up(node, records, self.o.sync_limit_s)
        self.add(cell, side, {"sync_s": seconds, "blocks_s": records / seconds})
        return node

    def memory(self, node, side):
        time.sleep(6)  # the store is brought to the disk every five seconds
        out = {"rss": status_bytes(node.process.pid, "VmRSS"), "anon": status_bytes(node.process.pid, "RssAnon")}
        if side != "go47":
            out |= {"rows": node.metric("registry_rows"), "file": status_bytes(node.process.pid, "RssFile")}
        self.add("1,000 peers, 100 models", side, out)

    def filled(self, node, records):
        """A node whose store holds that many records."""
        node.start([]).ready()  # makes its key and its folder
        node.kill()
        store = next(p for p in (node.folder / ".local/share/ocf").glob("registry.*") if p.is_dir())
        shutil.rmtree(store)
        subprocess.run([self.o.tools + "/bench_registry", "fill", store, str(records), str(min(PEERS, records)), str(MODELS)],
                       check=True)
        return node.start([]).ready()

    def sync(self):
        """Go programs take so long that they get a history of their own."""
        ours, theirs = self.mesh("ours", 4), self.mesh("go47", 3)
        large, small = self.o.records, self.o.go_records
        learn = lambda mesh, index, source, side, n: self.attempt(  # noqa: E731
            "cold sync", side, self.newcomer, mesh, index, source, f"cold sync of {n:,}", side, n)
        source = self.filled(ours.nodes[0], large)
        node = learn(ours, 1, source, "ours from ours", large)
        if node is not None:
            self.attempt("memory", "ours", self.memory, node, "ours")
            node.kill()
        source.kill()
        source = self.filled(ours.nodes[2], small)
        node = learn(theirs, 0, source, "Go from ours", small)
        if node is not None:
            self.attempt("memory", "go47", self.memory, node, "go47")
            node.kill()
        source.kill()
        source = theirs.nodes[1].start([]).ready()
        source.cmd("bulk_put", n=small, mode="keys", bytes=650, quiet=True)
        learn(ours, 3, source, "ours from Go", small)
        ours.nodes[3].kill()
        learn(theirs, 2, source, "Go from Go", small)
        for mesh in (ours, theirs):
            self.drop(mesh)

    # ---- one core ----

    def cores(self):
        done = subprocess.run([self.o.tools + "/bench_registry", "cores", self.folder, str(self.o.core_s)], check=True,
                              capture_output=True, text=True)
        self.add("one core", "ours", json.loads(done.stdout))

    # ---- the price of routing ----

    def route(self):
        body = json.dumps({"model": "m1", "messages": [{"role": "user", "content": "Say hello in one word."}],
                           "max_tokens": 16, "temperature": 0.7, "stream": False})
        stage = Stage(self.ocf)
        try:
            nginx, port = stage.nginx(1)
            chain = Ocf(stage, port, "--service.identity_group", "model=m1")
            fixed, routed = chain.prefix, "/v1/service/llm"
            chain.prefix = routed
            measure.until(lambda: measure.requests(chain, nginx, "/post", 1, 1, body=body), 10)
            for turn in range(self.o.rounds):
                for side, prefix in (("fixed", fixed), ("routed", routed))[:: 1 if turn % 2 == 0 else -1]:
                    chain.prefix = prefix
                    got = self.attempt("route", side, lambda: measure.requests(chain, nginx, "/post", 50, self.o.seconds,
                                                                               body=body))
                    if got is not None:
                        self.add("route", side, got)
            chain.close()
        finally:
            stage.close()

    def all(self):
        for part in self.o.parts:
            begun = time.monotonic()
            self.attempt(part, "part", getattr(self, part))
            say(f"{part}: {time.monotonic() - begun:.0f} s")


# ---- the report ----

def goals(results):
    """(what, asked, measured as text, met)."""
    def value(what, asked, cell, metric, bound, scale, unit, side="ours"):
        got = results.median(cell, metric, side)
        text = "-" if got is None else f"{number(got * scale)} {unit}"
        return what, asked, text, None if got is None else got <= bound

    yield value("write until visible, 10 nodes, p50", "≤ 10 ms", "mesh of 10", "visible_p50_ms", 10, 1, "ms")
    yield value("the same, p99", "≤ 50 ms", "mesh of 10", "visible_p99_ms", 50, 1, "ms")
    yield value("bytes on the mesh per 715 B write, 10 nodes", "≤ 40 KB", "mesh of 10", "bytes_per_write", 40e3, 1e-3, "KB")
    yield value("idle bytes/s per node, 10 nodes", "≤ 1,500", "mesh of 10", "idle_bytes_s", 1500, 1, "B/s")
    yield value("30 nodes meet at once, in all", "≤ 20 MB", "mesh of 30", "storm_bytes", 20e6, 1e-6, "MB")
    yield value("RSS at 1,000 peers and 100 models", "≤ 40 MB", "1,000 peers, 100 models", "rss", 40e6, 1e-6, "MB")
    slow, cpu = against(results, "req_per_s"), against(results, "cpu_us_per_req")
    yield ("requests/s by identity group, against the fixed path", "≥ 0.95 ×", "-" if slow is None else f"{slow:.3f} ×",
           None if slow is None else slow >= 0.95)
    yield ("CPU per request, the same", "≤ 1.05 ×", "-" if cpu is None else f"{cpu:.3f} ×", None if cpu is None else cpu <= 1.05)


def against(results, metric):
    """The median over the rounds of routed / fixed within one round."""
    routed, fixed = (results.values.get(("route", metric, s), {}) for s in ("routed", "fixed"))
    each = [routed[r] / fixed[r] for r in routed if fixed.get(r)]
    return statistics.median(each) if each else None


MESH_ROWS = [
    ("write until visible, p50, ms", "visible_p50_ms", 1), ("- p99, ms", "visible_p99_ms", 1),
    ("write until visible on all, p50, ms", "all_p50_ms", 1), ("- slowest, ms", "all_max_ms", 1),
    ("(node, write) pairs never seen in 2 s", "missed_share", 1), ("polls of a node, ms apart", "poll_ms", 1),
    ("bytes on the mesh per write, KB", "bytes_per_write", 1e-3), ("idle, bytes/s per node", "idle_bytes_s", 1),
    ("sent by all since the start, MB", "storm_bytes", 1e-6), ("- in seconds", "storm_s", 1),
    ("all list all, s after the last start", "converged_s", 1), ("connections per node", "connections", 1),
    ("RSS per node, MB", "rss", 1e-6),
]


def table(results, cells, rows, sides, names):
    yield "| | | " + " | ".join(names) + " |"
    yield "|---|---|" + "---|" * len(sides)
    for cell in cells:
        first = True
        for title, metric, factor in rows:
            got = [results.median(cell, metric, side) for side in sides]
            if all(g is None for g in got):
                continue
            yield f"| {cell if first else ''} | {title} | " + " | ".join(number(g and g * factor) if g != 0 else "0" for g in got) + " |"
            first = False


def markdown(results, o, load):
    out = [line for line in machine(o.ocf) if "HAProxy" not in line]
    out.append(f"- load average {load[0]:.2f} before, {load[1]:.2f} after; {o.idle_s} s idle, {o.writes} writes")
    if o.quick:
        out.append("- **A quick run: the figures only show that everything works.**")
    if load[0] > 0.5:
        out.append("- **The machine was not idle when this began: read the ratios, not the absolutes.**")
    out += ["", "#### Goals", "", "| goal | asked | measured | |", "|---|---|---|---|"]
    for what, asked, text, met in goals(results):
        out.append(f"| {what} | {asked} | {text} | {'not measured' if met is None else 'met' if met else '**missed**'} |")
    sides = [s for s in ("ours", "go47", "go37") if any(k[2] == s for k in results.values)]
    out += ["", "#### Meshes", "", *table(results, ["mesh of 2", "mesh of 10", "mesh of 30"], MESH_ROWS, sides,
                                          [NAMES[s] for s in sides])]
    out += ["", "#### A newcomer", "", f"Records of 715 B in one chain, of {PEERS:,} peers. From the start of its process until it has all.",
            "", "| newcomer, source | records | seconds | blocks/s |", "|---|---|---|---|"]
    for side, n in (("ours from ours", o.records), ("ours from Go", o.go_records), ("Go from ours", o.go_records),
                    ("Go from Go", o.go_records)):
        got = [results.median(f"cold sync of {n:,}", m, side) for m in ("sync_s", "blocks_s")]
        out.append(f"| {side} | {n:,} | {number(got[0])} | {number(got[1])} |")
    memory = [("RSS, MB", "rss", 1e-6), ("- of it anonymous, MB", "anon", 1e-6), ("- of it files, MB", "file", 1e-6),
              ("rows in the node table", "rows", 1)]
    out += ["", *table(results, ["1,000 peers, 100 models"], memory, ["ours", "go47"], [NAMES["ours"], NAMES["go47"]])]
    out += ["", "#### One core", "", "| | a second |", "|---|---|"]
    for title, metric in (("blocks merged, store in memory", "merge_mem_s"), ("blocks merged, store on disk", "merge_lmdb_s"),
                          ("own writes, store on disk", "put_lmdb_s"),
                          ("gossip messages verified, Ed25519", "verify_ed25519_s"), ("gossip messages verified, RSA-2048", "verify_rsa_s")):
        out.append(f"| {title} | {number(results.median('one core', metric, 'ours'))} |")
    out += ["", "#### Routing, 50 connections, a request of about 150 bytes", "", "| | fixed peer | by identity group | ratio |",
            "|---|---|---|---|"]
    for title, metric, factor in (("requests/s", "req_per_s", 1), ("p50, ms", "p50_us", 1e-3), ("p99, ms", "p99_us", 1e-3),
                                  ("CPU µs/request, head", "cpu_us_per_req_head", 1), ("- worker", "cpu_us_per_req_worker", 1)):
        fixed, routed = (results.median("route", metric, s) for s in ("fixed", "routed"))
        ratio = against(results, metric)
        out.append(f"| {title} | {number(fixed and fixed * factor)} | {number(routed and routed * factor)} | "
                   f"{'-' if ratio is None else f'{ratio:.3f}'} |")
    if results.failures:
        out += ["", "#### Failed measurements", "", *(f"- {f}" for f in results.failures)]
    return "\n".join(out) + "\n"


def options():
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--ocf", default=os.path.join(ROOT, "build", "ocf"))
    p.add_argument("--tools", help="folder of bench_registry; default: it is built in build/release")
    p.add_argument("--kinds", default="ours,go47,go37")
    p.add_argument("--parts", default="route,cores,spread,storm,sync")
    p.add_argument("--idle-s", type=int, default=20, help="no less than the interval of the gossip pings")
    p.add_argument("--storm-s", type=int, default=30, help="how long the traffic of nodes that meet is counted")
    p.add_argument("--converge-s", type=int, default=15)
    p.add_argument("--writes", type=int, default=50, help="of a mesh of ours; 10 and 3 of theirs")
    p.add_argument("--records", type=int, default=RECORDS)
    p.add_argument("--go-records", type=int, default=1000, help="of a history that Go nodes learn")
    p.add_argument("--sync-limit-s", type=int, default=60)
    p.add_argument("--core-s", type=int, default=1, help="of each figure of one core")
    p.add_argument("--rounds", type=int, default=15, help="of the routing cell")
    p.add_argument("--seconds", type=int, default=1, help="of each of its measurements")
    p.add_argument("--all", action="store_true", help="30 nodes of the Go OCF profile too")
    p.add_argument("--out", default=os.path.join(ROOT, "build", "bench"))
    p.add_argument("--quick", action="store_true", help="shows that everything works, no more")
    o = p.parse_args()
    o.parts, o.kinds = o.parts.split(","), o.kinds.split(",")
    if o.quick:
        o.idle_s, o.storm_s, o.writes, o.records, o.go_records, o.rounds, o.seconds, o.kinds = 4, 6, 10, 1000, 200, 2, 1, ["ours", "go47"]
    if not os.access(o.ocf, os.X_OK):
        p.error(f"{o.ocf} is not there: make build")
    if not o.tools:
        subprocess.run([os.path.join(ROOT, "tools", "build.sh"), "release", "ocf_bench_registry"], check=True)
        o.tools = os.path.join(ROOT, "build", "release", "tests", "bench")
    return o


def main():
    o = options()
    limits()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(o.out, exist_ok=True)
    results, before = Results(os.path.join(o.out, "registry.csv")), os.getloadavg()[0]
    run = Run(o, results)
    try:
        run.all()
        text = markdown(results, o, (before, os.getloadavg()[0]))
    finally:
        run.close()
    Path(o.out, "registry.md").write_text(text)
    print(text)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
