"""The cells: what must hold in a mesh. Each returns a note for the report, or raises Failure."""

import json
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from hostile import HOSTILE
from nodes import Failure, GoNode, expect, node_of


class Mesh:
    """Some nodes on one network. The first one is the bootstrap peer of all others."""

    def __init__(self, runner, name, kinds, folder, logs):
        self.runner, self.name, self.folder, self.logs = runner, name, folder, logs
        self.folder.mkdir(parents=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.net = runner.network()
        self.nodes, self.revision = [], 0
        self.guests, self.n_guests, self.guest_place, self.together, self.base = [], 0, None, False, None  # see hostile.py
        try:
            for kind in kinds:
                self.add(kind)
        except BaseException:
            self.close()
            raise

    def add(self, kind):
        name = f"{kind}-{len(self.nodes)}"
        node = node_of(self, kind, name, self.net.place(len(self.nodes)))
        self.nodes.append(node)
        return node

    def name_of(self, node_id):
        return next((n.name for n in self.nodes if getattr(n, "id", None) == node_id), node_id)

    @property
    def boot(self):
        return self.nodes[0]

    def start(self):
        """Starts everything: the bootstrap peer, and when it is ready all others at once."""
        self.boot.start([]).ready()
        for node in self.nodes[1:]:
            node.start([self.boot.addr])
        for node in self.nodes[1:]:
            node.ready()

    def each(self, work, nodes=None):
        """work(node) of all nodes at the same time; the list of the results."""
        nodes = self.nodes if nodes is None else nodes
        with ThreadPoolExecutor(max(len(nodes), 1)) as pool:
            return list(pool.map(work, nodes))

    def see(self, what, seconds, watchers=None):
        """Waits until every watcher sees all of `what`, (node id, text) pairs; the largest Unix ns."""
        until = time.monotonic() + seconds

        def watch(node):
            return max(node.wait_row(i, text, max(0.05, until - time.monotonic())) for i, text in what)

        return max(self.each(watch, watchers))

    def everyone(self):
        """What must be seen of everybody."""
        return [(n.id, f"model={n.model}") for n in self.nodes]

    def next_group(self):
        self.revision += 1
        return f"rev={self.revision:06d}"

    def first(self, kinds):
        """A node of each of these kinds, never the bootstrap peer."""
        found = [next((n for n in self.nodes[1:] if n.kind == k), None) for k in dict.fromkeys(kinds)]
        return [n for n in found if n is not None]

    def kinds(self):
        return [n.kind for n in self.nodes]

    def close(self):
        for node in self.nodes + self.guests:
            node.close()
        self.net.close()

    def end(self):
        """Ends all nodes politely."""
        bad = [str(n) for n, ok in zip(self.nodes, self.each(lambda n: n.end())) if not ok]
        expect(not bad, f"did not end in order: {', '.join(bad)}")


def spread(ns):
    """p50, p99 and most of some times in ns, as text and the p99 in ms."""
    ms = sorted(t / 1e6 for t in ns)
    p99 = ms[math.ceil(len(ms) * 0.99) - 1]
    return f"p50 {statistics.median(ms):.0f} p99 {p99:.0f} max {ms[-1]:.0f} ms of {len(ms)}", p99


def join(mesh, args):
    """Every row is on every node within 5 s of the last start."""
    mesh.start()
    started = max(n.started for n in mesh.nodes)
    mesh.see(mesh.everyone(), args.patience * 5 - (time.monotonic() - started))
    return f"all rows on all after {time.monotonic() - started:.2f} s"


def put(mesh, args):
    """A Put of any node can be read on all of them: 99 % within 1 s.

    On a bootstrap peer with more neighbours than its mesh may have, some hear of it by IHAVE only, once in a
    heartbeat of 1 s: there the bound is 3 s.
    """
    took = []
    for i in range(max(args.puts, len(mesh.nodes))):
        writer, group = mesh.nodes[i % len(mesh.nodes)], mesh.next_group()
        at = writer.register("probe", group)
        took += [seen - at for seen in mesh.each(lambda n: n.wait_row(writer.id, group, 10))]
    text, p99 = spread(took)
    expect(p99 <= args.patience * (1000 if len(mesh.nodes) <= 6 else 3000), f"too slow: {text}")
    return text


def update(mesh, args):
    """All nodes write at the same time, several times; then all agree."""
    for _ in range(args.updates):
        groups = {n: mesh.next_group() for n in mesh.nodes}
        mesh.each(lambda n: n.register("probe", groups[n]))
        start = time.monotonic()
        mesh.see([(n.id, g) for n, g in groups.items()], args.patience * 15)
    agree(mesh, args.patience * 15)
    return f"{args.updates} times {len(mesh.nodes)} writes; the last seen after {time.monotonic() - start:.2f} s"


def agree(mesh, seconds):
    """The Go registries are equal, and our tables show the services that they hold."""
    go = [n for n in mesh.nodes if isinstance(n, GoNode)]
    until = time.monotonic() + seconds
    while len(digests := {n.cmd("digest")["sha256"] for n in go}) > 1:
        expect(time.monotonic() < until, f"the registries of the Go nodes differ: {len(digests)} kinds")
        time.sleep(0.1)
    for node in mesh.nodes:
        if node in go or not go:
            continue
        table = node.table()
        for other in mesh.nodes:
            held = json.loads(go[0].cmd("get", key="/" + other.id)["value"])
            row = table.get("/" + other.id, {})
            expect(row.get("service") == held["service"],
                   f"{node} shows for {other} {json.dumps(row.get('service'))[:200]}, the registry has "
                   f"{json.dumps(held['service'])[:200]}")


def delete(mesh, args):
    """A row that its owner takes out goes everywhere, and comes back when the owner writes again."""
    notes = []
    for owner in mesh.first(mesh.kinds()):
        at = owner.unregister()
        # An OpenTela node does not delete its row but marks it; our table hides such a row.
        left = '"status":"left"' if owner.kind in ("go47", "faulty") else None
        watchers = [n for n in mesh.nodes if n is not owner]
        gone = mesh.each(lambda n: n.wait_row(owner.id, left if isinstance(n, GoNode) else None, args.patience * 3), watchers)
        group = mesh.next_group()
        owner.register("probe", group)
        mesh.see([(owner.id, group)], args.patience * 3, watchers)
        notes.append(f"{owner.kind} {(max(gone) - at) / 1e6:.0f} ms")
    return "gone after: " + ", ".join(notes)


def route(mesh, _args):
    """A node routes by model to every peer that it is connected with."""
    pairs = [(mesh.boot, n) for n in mesh.nodes[1:]] + [(n, mesh.boot) for n in mesh.nodes[1:]]
    pairs += [(n, n) for n in mesh.nodes if n.kind == "ours"]
    for head, worker in pairs:
        for stream in (False, True, False):
            status, by, body = head.ask(worker.model, stream)
            where = f"{head} to {worker}{', streaming' if stream else ''}"
            expect(status == 200, f"{where}: status {status}, {body[:200]!r}")
            expect(by == worker.id, f"{where}: computed by {mesh.name_of(by)}")
            if stream:
                events = [e for e in body.decode().split("\n\n") if e.startswith("data: ")]
                expect(len(events) == 11 and events[-1] == "data: [DONE]", f"{where}: {len(events)} of 11 events")
            else:
                expect(json.loads(body)["model"] == worker.model, f"{where}: answered by {body[:100]!r}")
    return f"{3 * len(pairs)} requests over {len(pairs)} ways"


def restart(mesh, args):
    """A node that is killed and started again is back in full: it knows all rows, and is believed."""
    notes = []
    victims = mesh.first(mesh.kinds())
    if args.long:
        victims.append(mesh.boot)
    for victim in victims:
        victim.kill()
        others = [n for n in mesh.nodes if n is not victim]
        writer, group = others[-1], mesh.next_group()
        writer.register("probe", group)
        victim.start().ready()
        mesh.see([(n.id, f"model={n.model}") for n in mesh.nodes], args.patience * 15, [victim])
        known = time.monotonic() - victim.started
        mesh.see([(writer.id, group)], args.patience * 15)
        mine = mesh.next_group()
        victim.register("probe", mine)
        mesh.see([(victim.id, mine)], args.patience * 20)
        notes.append(f"{victim.kind} {known:.1f}/{time.monotonic() - victim.started:.1f} s")
    return "knows all/known to all after: " + ", ".join(notes)


def partition(mesh, args):
    """Two halves write on while no packet passes between them; after that all agree."""
    one, other = mesh.nodes[0::2], mesh.nodes[1::2]
    mesh.net.cut([n.place for n in one], [n.place for n in other])
    start, groups = time.monotonic(), {}
    while time.monotonic() - start < args.cut:
        for node in (one[len(groups) % len(one)], other[len(groups) % len(other)]):
            groups[node] = mesh.next_group()
            node.register("probe", groups[node])
        # Only the bootstrap peer's half is connected in itself.
        mesh.see([(n.id, g) for n, g in groups.items() if n in one], args.patience * 10, one)
        time.sleep(min(2, args.cut / 5))
    mesh.net.heal()
    healed = time.monotonic()
    mesh.see(list((n.id, g) for n, g in groups.items()), args.patience * args.heal)
    took = time.monotonic() - healed
    agree(mesh, args.patience * 15)
    return f"cut for {healed - start:.0f} s, {len(groups)} nodes wrote; all seen {took:.1f} s after healing"


def history(mesh, args):
    """A long history goes from a Go node to one of ours, from that to another one, and to a Go node again."""
    source, first, second, last = mesh.nodes
    n = args.history
    source.start([]).ready()
    source.cmd("bulk_put", n=n, mode="one", prefix="/history", bytes=400, quiet=True, seconds=120)
    want, blocks = source.cmd("get", key="/history")["sha256"], source.blocks()

    def filled(node, boot, seconds):
        """Starts a node and waits until both have the same blocks: all of the history, and both own records."""
        node.start([boot.addr]).ready()
        while (have := node.blocks()) < blocks or have != boot.blocks():
            expect(time.monotonic() - node.started < seconds, f"{node} has {have} of {blocks} blocks after {seconds:.0f} s")
            time.sleep(0.05)
        return time.monotonic() - node.started

    from_go = filled(first, source, args.patience * (30 + n * 0.03))
    source.kill()
    among = filled(second, first, args.patience * (10 if second.kind == "ours" else 30 + n * 0.03))
    first.kill()
    to_go = filled(last, second, args.patience * (30 + n * 0.03))
    expect(last.cmd("get", key="/history")["sha256"] == want, "the value that the history ends in has changed on the way")
    return f"{n} blocks: Go to {first.kind} {from_go:.1f} s, {first.kind} to {second.kind} {among:.1f} s, to Go {to_go:.1f} s"


CELLS = {f.__name__: f for f in (join, put, update, delete, route, restart, partition, history)}
CELLS |= {f.__name__: f for f in HOSTILE}
