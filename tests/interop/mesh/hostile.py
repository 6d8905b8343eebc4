"""The cells of the mesh `hostile`: a peer that breaks the rules, and what the honest ones must still do.

Two nodes of ours and a Go node are connected with each other; a Go node with a new key for each cell is connected
with all of them and does its worst. During that and after it every honest node's writes are seen by all honest
nodes in time, our nodes answer /v1/health at once and route to honest workers, and their memory stays within bounds.
"""

import http.client
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nodes import GoNode, HostileNode, OurNode, expect
from places import Place

RSS_MORE = 32 << 20  # what a node of ours may take from the system on account of one attack
LIVE_MORE = 2 << 20  # live bytes on top of the quarter: what is still looked for, and tables that have grown
HEALTH_S = 0.1  # 9 of 10 answers; the others may have met other programs on the same processors
HEALTH_MAX_S = 0.5
PRIORITY_MAX = 2**64 - 1


def metrics(node):
    """All numbers of the node's /metrics page, by name with labels."""
    status, _, page = node.http("GET", "/metrics")
    expect(status == 200, f"{node}: /metrics answers {status}")
    return {m[1]: float(m[2]) for m in re.finditer(r"^(ocf_\S+) (\S+)$", page.decode(), re.M)}


def anonymous(node):
    """The node's own memory in bytes: without the pages of the store, which are the file's."""
    found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{node.process.pid}/status").read_text())
    expect(found, f"{node} has no RssAnon: it has ended")
    return int(found[1]) << 10


def refused(node, by=None):
    """What the node tells of refused rows, all or those that one peer announced."""
    status, _, body = node.http("GET", "/v1/dnt/refused")
    expect(status == 200, f"{node}: /v1/dnt/refused answers {status}")
    return [e for e in json.loads(body)["refused"] if by is None or by in json.dumps(e)]


class Watch:
    """Asks our nodes for their health and for honest workers, again and again while an attack goes on."""

    def __init__(self, mesh):
        self.mesh, self.stop = mesh, threading.Event()
        self.health, self.asked, self.wrong = [], 0, []
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in ours(mesh)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join(15)

    def _once(self, node, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", node.http_port)
        try:
            connection.sock = node.place.connect(node.http_port, 10)
            connection.sock.settimeout(10)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("X-Computing-Node")
        finally:
            connection.close()

    def _run(self, node):
        workers = [n for n in self.mesh.nodes if n is not node]
        while not self.stop.is_set():
            where = f"{node} /v1/health"
            try:
                start = time.monotonic()
                status, _ = self._once(node, "GET", "/v1/health")
                self.health.append(time.monotonic() - start)
                if status != 200:
                    self.wrong.append(f"{node}: /v1/health answers {status}")
                worker = workers[self.asked % len(workers)]
                where = f"{node} to {worker}"
                body = json.dumps({"model": worker.model, "messages": []})
                answer = self._once(node, "POST", "/v1/service/llm/v1/chat/completions", body)
                self.asked += 1
                if answer != (200, worker.id):
                    self.wrong.append(f"{where}: status {answer[0]}, computed by {answer[1]}")
            except (OSError, http.client.HTTPException) as err:
                self.wrong.append(f"{where}: {err!r}")
            self.stop.wait(0.02)

    def judge(self, args):
        expect(not self.wrong, f"{len(self.wrong)} requests went wrong: {'; '.join(self.wrong[:3])}")
        expect(self.asked > 0 and self.health, "nothing was asked meanwhile")
        usual, worst = sorted(self.health)[int(len(self.health) * 0.9)], max(self.health)
        text = f"health p90 {usual * 1000:.0f} max {worst * 1000:.0f} ms"
        expect(usual <= args.patience * HEALTH_S and worst <= args.patience * HEALTH_MAX_S, f"too slow: {text}")
        return f"{self.asked} requests, {text}"


def ours(mesh):
    return [n for n in mesh.nodes if isinstance(n, OurNode)]


def writes(mesh, args, writers):
    """Each of the writers writes; how long it took until all honest nodes saw it, most of ours and of all, in s."""
    most = {True: 0.0, False: 0.0}
    for writer in writers:
        group = mesh.next_group()
        at = writer.register("probe", group)

        def watch(node):
            among = isinstance(node, OurNode) and isinstance(writer, OurNode)
            took = (node.wait_row(writer.id, group, args.patience * (1 if among else 3)) - at) / 1e9
            most[among] = max(most[among], took)

        mesh.each(watch)
    return most[True], most[False]


def attacker(mesh):
    """A new hostile peer, connected with everybody and in everybody's mesh."""
    for guest in mesh.guests:
        guest.close()
    mesh.guests.clear()
    mesh.n_guests += 1
    if mesh.guest_place is None:
        mesh.guest_place = mesh.net.place(len(mesh.nodes))
    place = Place(mesh.guest_place.address, mesh.guest_place.namespace)
    node = HostileNode(mesh, "hostile", f"hostile-{mesh.n_guests}", place)
    mesh.guests.append(node)
    node.start([]).ready()
    for other in mesh.nodes:
        node.cmd("connect", addr=other.addr)
    until = time.monotonic() + 10
    wanted = {n.id for n in mesh.nodes}
    while not wanted <= set(node.cmd("stats")["topics"].get("ocf-crdt", {}).get("mesh") or ()):
        expect(time.monotonic() < until, f"{node} does not come into the mesh of all")
        time.sleep(0.05)
    return node


def together(mesh):
    """The honest nodes are connected with each other, whoever of them has dialled whom."""
    if mesh.together:
        return
    go = [n for n in mesh.nodes if isinstance(n, GoNode)]
    for node in go:
        for other in mesh.nodes:
            if other is not node:
                node.cmd("connect", addr=other.addr)
    mesh.together = True
    mesh.base = [metrics(n)["ocf_memory_live_bytes"] for n in ours(mesh)]


def attack(mesh, args, deed, writers=None):
    """Carries out deed(hostile node) while the honest ones work; (its result, what has changed in the numbers, a note)."""
    together(mesh)
    writers = mesh.nodes if writers is None else writers
    bad = attacker(mesh)
    before = [(n, metrics(n), anonymous(n)) for n in ours(mesh)]
    with Watch(mesh) as watch, ThreadPoolExecutor(1) as pool:
        deed_done = pool.submit(deed, bad)
        took = [writes(mesh, args, writers)]
        while not deed_done.done():
            took.append(writes(mesh, args, writers))
        result = deed_done.result()
        took.append(writes(mesh, args, writers))
        changes = {}
        for node, old, rss in before:
            more = anonymous(node) - rss
            expect(more <= args.patience * RSS_MORE, f"{node} has taken {more >> 20} MiB more")
            changes[node] = {k: v - old.get(k, 0) for k, v in metrics(node).items()}
        note = watch.judge(args)
    grown = max(anonymous(n) - rss for n, _, rss in before)
    note = (f"writes seen after {max(t[0] for t in took) * 1000:.0f} ms among ours, {max(t[1] for t in took) * 1000:.0f} ms "
            f"with Go; {note}; {max(grown, 0) / (1 << 20):.1f} MiB")
    return result, changes, note


def fate(change):
    """What has become of the hostile peer at a node: disconnected or ignored."""
    return "disconnected" if change["ocf_gossip_disconnects_total"] > 0 else "ignored"


# ---- gossip ----

def bad_signatures(mesh, args):
    """Messages with a wrong signature are not taken, and soon nothing is heard from their bringer."""
    target = mesh.boot

    def deed(bad):
        return bad.cmd("bad_signatures", peer=target.id, n=400, gap_ms=2)

    result, changes, note = attack(mesh, args, deed)
    n = changes[target]['ocf_gossip_rejected_total{reason="signature"}']
    how = fate(changes[target])
    expect(n > 0, f"{target} refused no message for its signature")
    expect(how == "disconnected" or result["sent"] >= 50 and n <= 10,
           f"{target} has looked at {n:.0f} of {result['sent']} badly signed messages")
    return f"{how} after {n:.0f} of {result['sent']}; {note}"


def oversize_rpc(mesh, args):
    """An RPC above the limit is not read; the stream is reset."""
    target = mesh.boot
    result, _, note = attack(mesh, args, lambda bad: bad.cmd("oversize_rpc", peer=target.id, bytes=16 << 20))
    expect(result["sent"] < 8 << 20, f"{target} took {result['sent']} bytes of one RPC")
    return f"{result['sent'] >> 10} KiB went out before the reset; {note}"


def garbage(mesh, args):
    """Well-signed messages of random bytes, small and large, change nothing."""
    def deed(bad):
        bad.cmd("publish", topic="ocf-crdt", bytes=300, n=300, gap_ms=1)
        bad.cmd("publish", topic="ocf-crdt", bytes=900_000, n=8, gap_ms=20)
        bad.cmd("publish", topic="ocf-crdt-net", bytes=300, n=300, gap_ms=1)

    _, changes, note = attack(mesh, args, deed)
    n = changes[mesh.boot]['ocf_gossip_messages_total{kind="message"}']
    return f"{n:.0f} messages heard; {note}"


def graft_flood(mesh, args):
    """GRAFT and PRUNE by turns: the back-off is not broken, and who breaks it is thrown out or ignored."""
    target = mesh.boot
    result, changes, note = attack(mesh, args, lambda bad: bad.cmd("graft_flood", peer=target.id, n=2000))
    how = fate(changes[target])
    expect(result["gone"] or how == "ignored", f"{target}: {how}, but the connection stands")
    return f"{result['sent']} sent, {how}; {note}"


def ihave_flood(mesh, args):
    """Announcements of messages that never come."""
    target = mesh.boot
    result, changes, note = attack(mesh, args, lambda bad: bad.cmd("ihave_flood", peer=target.id, n=500))
    return f"{result['sent']} times 100 ids, {fate(changes[target])}; {note}"


# ---- bitswap ----

def want_flood(mesh, args):
    """Wants for blocks that nobody has are remembered up to the limit of one peer."""
    target = mesh.boot
    result, changes, note = attack(mesh, args, lambda bad: bad.cmd("want_flood", peer=target.id, n=200_000))
    kept = changes[target]["ocf_memory_live_bytes"]
    expect(kept <= 8 << 20, f"{target} holds {kept / (1 << 20):.1f} MiB more")
    n = changes[target]['ocf_bitswap_offences_total{offence="want_flood"}']
    expect(n > 0, f"{target} has not noticed it")
    return f"{result['sent']} wants, {n:.0f} of them too many, {'disconnected' if result['gone'] else 'ignored'}; {note}"


# ---- heads and blocks ----

def fake_heads(mesh, args):
    """Heads that nobody has: fetches stay below the share of one announcer, and hold up nothing."""
    def deed(bad):
        for _ in range(10):
            bad.cmd("fake_heads", n=200)

    _, changes, note = attack(mesh, args, deed)
    for node in ours(mesh):
        missing = metrics(node)["ocf_registry_blocks_missing"]
        expect(missing <= 600, f"{node} wants {missing:.0f} blocks that nobody has")
    return f"2,000 heads, {missing:.0f} looked for; {note}"


def empty_head(mesh, args):
    """A block of no bytes as a head."""
    _, _, note = attack(mesh, args, lambda bad: [bad.cmd("empty_head") for _ in range(5)])
    return note


def missing_ancestor(mesh, args):
    """Heads that can be fetched above ancestors that cannot."""
    def deed(bad):
        for i in range(20):
            bad.cmd("raw_delta", key=f"/{bad.id}", value=record(bad.id, f"x{i}"), priority=1000 + i, links="missing")

    _, _, note = attack(mesh, args, deed)
    return note


def deep_chain(mesh, args):
    """A chain of 2,000 blocks, and one whose end is missing."""
    def deed(bad):
        bad.cmd("raw_chain", key=f"/{bad.id}", n=1000, priority=1000, links="none")
        bad.cmd("raw_chain", key=f"/{bad.id}", n=1000, priority=4000, links="missing")

    _, changes, note = attack(mesh, args, deed)
    return f"{changes[mesh.boot]['ocf_registry_blocks']:.0f} blocks taken meanwhile; {note}"


def oversize_value(mesh, args):
    """Values and blocks above the limits are not shown."""
    def deed(bad):
        bad.cmd("raw_delta", key=f"/{bad.id}", value=record(bad.id, "x" * 300_000), priority=2000, links="none")
        bad.cmd("raw_delta", key=f"/{bad.id}", value=record(bad.id, "x" * 1_500_000), priority=2001, links="none")
        return bad.id

    who, changes, note = attack(mesh, args, deed)
    for node in ours(mesh):
        expect(changes[node]['ocf_registry_values_total{verdict="too_large"}'] > 0, f"{node} has refused no value for its size")
        expect("/" + who not in node.table(), f"{node} shows the row")
    return note


def priority_max(mesh, args):
    """A block of priority 2^64-1: our own writes still win, here and at Go nodes.

    A Go node that has taken such a block counts on from 0, so that its own writes lose for good. That is theirs to
    mend: it does not write here, and this is the last cell of its mesh.
    """
    def deed(bad):
        for i in range(3):
            bad.cmd("raw_delta", key=f"/{bad.id}", value=record(bad.id, f"x{i}"), priority=PRIORITY_MAX, links="heads")
        for victim in ours(mesh):
            bad.cmd("raw_delta", key=f"/{victim.id}", value=record(victim.id, "stolen"), priority=PRIORITY_MAX, links="heads")

    _, _, note = attack(mesh, args, deed, ours(mesh))
    for victim in ours(mesh):
        right(mesh, args, victim, 2, ours(mesh))
    return note


# ---- rows ----

def above(bad):
    """A priority that beats everything which the mesh has."""
    known = [bad, *(n for n in bad.mesh.nodes if isinstance(n, GoNode))]
    return max(n.cmd("heads")["max_height"] for n in known) + 1000


def record(peer, model, **more):
    """A record as the running network writes it, with one service."""
    service = {"name": "llm", "host": "localhost", "port": "9000", "status": "connected", "identity_group": [f"model={model}"]}
    return json.dumps({"id": peer, "status": "", "service": [service], "last_seen": int(time.time()), "connected": True, **more})


def right(mesh, args, victim, seconds, watchers=None):
    """Waits until every watcher shows the victim's own row, without anything stolen; the seconds that it took."""
    start = time.monotonic()

    def watch(node):
        while True:
            row = row_of(node, victim)
            if f"model={victim.model}" in row and "stolen" not in row and '"left"' not in row:
                return
            expect(time.monotonic() - start < args.patience * seconds, f"{node} shows for {victim} after {seconds} s: {row[:300]}")
            time.sleep(0.01)

    mesh.each(watch, watchers)
    return time.monotonic() - start


def row_of(node, victim):
    if isinstance(node, GoNode):
        return node.cmd("get", key="/" + victim.id).get("value", "")
    return json.dumps(node.table().get("/" + victim.id, {}))


def never_stolen(mesh, head):
    """Nobody is routed to by a model that only a forged record tells of."""
    status, by, body = head.ask("stolen")
    expect(status != 200 and by is None,
           f"{head} routes by a forged record: status {status}, computed by {mesh.name_of(by)}, {body[:100]!r}")


def foreign_record(mesh, args):
    """A record for another peer's key is not routed to, and its owner has it right again within 2 s."""
    notes = []

    def deed(bad):
        for victim in (mesh.nodes[2], mesh.boot):
            bad.cmd("raw_delta", key=f"/{victim.id}", value=record(victim.id, "stolen"), priority=above(bad), links="none")
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                for head in ours(mesh):
                    never_stolen(mesh, head)
                time.sleep(0.02)
            notes.append(f"{right(mesh, args, victim, 2 - 0.5) + 0.5:.1f} s")

    _, _, note = attack(mesh, args, deed)
    return f"right again within {', '.join(notes)}; {note}"


def foreign_of_go(mesh, args):
    """The same against a Go node, which does not write again by itself: its row stays as it was as long as it is connected."""
    go = next(n for n in mesh.nodes if isinstance(n, GoNode))

    def deed(bad):
        bad.cmd("raw_delta", key=f"/{go.id}", value=record(go.id, "stolen"), priority=above(bad), links="none")
        until = time.monotonic() + 1
        while time.monotonic() < until:
            for head in ours(mesh):
                never_stolen(mesh, head)
                row = row_of(head, go)
                expect(f"model={go.model}" in row and "stolen" not in row, f"{head} shows a forged row: {row[:200]}")
            time.sleep(0.02)
        return bad.id

    who, changes, note = attack(mesh, args, deed, ours(mesh))
    held = [changes[n]['ocf_registry_values_total{verdict="held"}'] for n in ours(mesh)]
    expect(min(held) > 0, f"the forged value was held by {held}")
    group = mesh.next_group()
    at = go.register("probe", group)  # its own word ends it
    took = (mesh.see([(go.id, group)], args.patience * 3) - at) / 1e9
    told = [n for n in ours(mesh) if refused(n, who)]
    expect(told == ours(mesh), f"/v1/dnt/refused tells it at {[str(n) for n in told]} only")
    return f"right everywhere {took:.1f} s after the owner's word; {note}"


def forged_left(mesh, args):
    """`left` said by somebody else does not count while the peer is connected."""
    def deed(bad):
        for victim in (mesh.nodes[2], mesh.nodes[1]):
            for more in ({}, {"evicted_by": bad.id}):
                value = record(victim.id, victim.model, **more, status="left")
                bad.cmd("raw_delta", key=f"/{victim.id}", value=value, priority=above(bad), links="none")
            until = time.monotonic() + 0.7
            while time.monotonic() < until:
                head = mesh.boot
                status, by, _ = head.ask(victim.model)
                expect((status, by) == (200, victim.id), f"{head} lost {victim}: status {status}, computed by {mesh.name_of(by)}")
                expect("/" + victim.id in head.table(), f"{head} hides {victim}")
                time.sleep(0.02)
        return bad.id

    _, _, note = attack(mesh, args, deed, ours(mesh))
    mesh.nodes[1].register("probe", mesh.next_group())
    return f"right {right(mesh, args, mesh.nodes[1], 3):.1f} s after the owner's word; {note}"


def many_keys(mesh, args):
    """10,000 keys: most for peers that do not exist. Rows are bounded, and nobody who is alive makes room."""
    rows = [metrics(n)["ocf_registry_rows"] for n in ours(mesh)]

    def deed(bad):
        for i in range(10):
            bad.cmd("raw_delta", key=f"/junk-{i}", value=record(bad.id, "junk"), n=1000, priority=above(bad), links="none")

    _, changes, note = attack(mesh, args, deed)
    for node, old in zip(ours(mesh), rows):
        now = metrics(node)["ocf_registry_rows"]
        expect(now <= old + 16, f"{node} has {now:.0f} rows, before {old:.0f}")
        expect(changes[node]['ocf_registry_values_total{verdict="bad_key"}'] > 9000, f"{node} has not seen the keys")
    return f"{now:.0f} rows; {note}"


def memory(mesh, args):
    """Some seconds after the last attack our nodes hold hardly more than before the first one."""
    if mesh.base is None:
        many_keys(mesh, args)
    for guest in mesh.guests:
        guest.close()
    mesh.guests.clear()
    until = time.monotonic() + args.patience * 10
    while True:
        now = [metrics(n)["ocf_memory_live_bytes"] for n in ours(mesh)]
        text = ", ".join(f"{old / 1024:.0f} -> {new / 1024:.0f} KiB" for old, new in zip(mesh.base, now))
        if all(new <= 1.25 * old + LIVE_MORE for old, new in zip(mesh.base, now)):
            break
        expect(time.monotonic() < until, f"live bytes do not come back: {text}")
        time.sleep(0.2)
    return f"live bytes {text}; {', '.join(f'{anonymous(n) / (1 << 20):.1f}' for n in ours(mesh))} MiB of their own"


HOSTILE = (bad_signatures, oversize_rpc, garbage, graft_flood, ihave_flood, want_flood, fake_heads, empty_head, missing_ancestor,
           foreign_record, foreign_of_go, forged_left, many_keys, oversize_value, deep_chain, priority_max, memory)
