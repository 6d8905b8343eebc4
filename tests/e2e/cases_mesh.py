"""Five nodes that find one another through the registry: two heads, three workers, two models, one of them on
two workers. Nodes and engines are killed, ended, frozen and started again while requests run.

OCF_E2E_LONG=1 makes the loads ten times as long.
"""

import json
import os
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai

import engine as fetcher
import tiny_model
from load import Load, body_of, post
from processes import BUILD, Engine, Node, Process, clean_env, eventually, finish, free_port
from wire import Client, Failure, expect, get, same

HERE = Path(__file__).resolve().parent
LONG = 10 if os.environ.get("OCF_E2E_LONG") else 1
NO_MODEL = "No provider found for the requested service."
NO_SERVICE = "no providers found"
KEEP = ["--p2p.redial_min", "200ms"]


class Mock(Process):
    """The mock model service."""

    def __init__(self, run, name, *models, port=0, delay="5ms"):
        args = [a for m in models for a in ("--model", m)]
        super().__init__(run, name, [run.ocf, "mock-openai", "--quiet", "--port", port, "--first-token-delay", delay,
                                     "--token-delay", delay, *args])
        told = json.loads(self.line(10))
        self.port = int(told["http"].rpartition(":")[2])


def groups(row):
    return sorted(g for s in row.get("service") or [] for g in s["identity_group"] or [])


class Mesh:
    """Heads and workers by name; every node keeps its folder, so that it can be started again as the same."""

    def __init__(self, run, name, ports, heads=2, args=None):
        self.run, self.name, self.made, self.ports, self.args = run, name, {}, ports, args or {}
        self.first = f"/ip4/127.0.0.1/tcp/{free_port()}"
        self.bootstrap = None
        for i in range(heads):
            self.start(f"head{i}")
        for worker in ports:
            self.start(worker)
        for head in self.heads:
            for w in ports:
                eventually(lambda h=head, n=w: self.routes(h, n), 10, f"{name}: {head.name} can reach {w}")

    def start(self, name, *more):
        """Starts a node, or starts it again with its key and its data."""
        port = self.ports.get(name)
        role = "worker" if port else "head"
        args = ["--role", role, *(["--service.name", "llm", "--service.port", port] if port else [])]
        if name != "head0":
            args += ["--bootstrap.static", self.bootstrap]
        node = Node(self.run, f"{self.name}-{name}", *args, *KEEP, *self.args.get(name, []), *more,
                    listen=self.first if name == "head0" else "/ip4/127.0.0.1/tcp/0")
        if name == "head0":
            self.bootstrap = node.p2p[0]
        self.made[name] = node
        return node

    def __getitem__(self, name):
        return self.made[name]

    @property
    def heads(self):
        return [n for name, n in self.made.items() if name not in self.ports]

    @property
    def workers(self):
        return [self.made[w] for w in self.ports]

    def row(self, head, name):
        return table(head).get(f"/{self.made[name].id}")

    def routes(self, head, worker):
        """Whether the head has the worker's models and a connection to it."""
        row = self.row(head, worker)
        me = json.loads(get(head.at, "/v1/self").body)
        return bool(row and groups(row)) and self.made[worker].id in me["connected_peers"]

    def stop(self):
        for node in self.made.values():
            node.kill()


def table(node, query=""):
    answer = get(node.at, f"/v1/dnt/table{query}")
    same(answer.status, 200, f"status of {node.name}'s table")
    return json.loads(answer.body)


def ask(node, model, fields=(), service="llm", **how):
    """One chat completion: the answer."""
    with Client(node.at) as c:
        return post(c, body_of(model, **how), f"/v1/service/{service}/v1/chat/completions", fields)


def answered_by(node, model, **how):
    """The peer id of who computed it, or None."""
    a = ask(node, model, **how)
    return a.get("X-Computing-Node") if a.status == 200 else None


# ---- real engines ----

CHAT, EMBED = "tiny-chat", "tiny-embed"


class Real:
    def __init__(self, run):
        server = fetcher.fetch(BUILD / "engine")
        chat, embed = tiny_model.make(BUILD / "models")
        self.engines = {
            "chat-a": Engine(run, "mesh-chat-a", server, chat, CHAT, "-c", "2048", "-np", "4"),
            "chat-b": Engine(run, "mesh-chat-b", server, chat, CHAT, "-c", "2048", "-np", "4"),
            "embed": Engine(run, "mesh-embed", server, embed, EMBED, "-c", "256", "--embeddings", "--pooling", "mean"),
        }
        self.mesh = Mesh(run, "real", {n: e.at[1] for n, e in self.engines.items()})

    def clients(self):
        return [openai.OpenAI(base_url=f"{h.http}/v1/service/llm/v1", api_key="none", max_retries=0, timeout=30)
                for h in self.mesh.heads]

    def stop(self):
        self.mesh.stop()
        for e in self.engines.values():
            e.kill()


def real(run):
    return run.fixture("mesh-real", lambda: Real(run))


def chat(client, n, stream=False):
    return client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "hello"}], max_tokens=n,
                                          temperature=0, stream=stream)


def test_the_openai_client_is_routed_by_model_through_either_head(run):
    texts = set()
    for client in real(run).clients():
        texts.add(chat(client, 8).choices[0].message.content)
        texts.add("".join(c.choices[0].delta.content or "" for c in chat(client, 8, True) if c.choices))
        vector = client.embeddings.create(model=EMBED, input="a cat").data[0].embedding
        expect(len(vector) > 8, "a vector")
    same(len(texts), 1, "different answers of one model")


def test_models_are_listed_by_either_head(run):
    for client in real(run).clients():
        listed = {m.id for m in client.models.list()}
        expect(listed and listed <= {CHAT, EMBED}, f"models: {listed}")


def test_five_requests_a_second_reach_both_engines_of_a_model(run):
    """Two at a time: one alone goes to the nearer worker."""
    r, nodes, start = real(run), [], time.monotonic()

    def one(i):
        raw = clients[i // 2 % 2].chat.completions.with_raw_response.create(
            model=CHAT, messages=[{"role": "user", "content": "hi"}], max_tokens=24, stream=i % 4 == 3)
        text = list(raw.parse()) if i % 4 == 3 else raw.parse().choices[0].message.content
        expect(text, "an empty answer")
        nodes.append(raw.headers["x-computing-node"])

    clients, n = r.clients(), 10 * LONG
    with ThreadPoolExecutor(4) as pool:
        asked = []
        for i in range(0, n, 2):
            time.sleep(max(0, start + i / 5 - time.monotonic()))
            asked += [pool.submit(one, i), pool.submit(one, i + 1)]
        for a in asked:
            a.result()
    same((len(nodes), set(nodes)), (n, {r.mesh["chat-a"].id, r.mesh["chat-b"].id}), "who computed")


def test_an_openai_request_for_an_unknown_model_is_503(run):
    try:
        real(run).clients()[0].chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])
        raise Failure("somebody answered")
    except openai.APIStatusError as err:
        same((err.status_code, err.body["message"]), (503, NO_MODEL), "status and message")
    real(run).stop()
    del run.fixtures["mesh-real"]


# ---- load and chaos, with mocks ----


class Mocked:
    def __init__(self, run):
        self.run = run
        self.mocks = {"a": Mock(run, "mock-a", "m1"), "b": Mock(run, "mock-b", "m1"), "c": Mock(run, "mock-c", "m2")}
        self.mesh = Mesh(run, "mesh", {n: m.port for n, m in self.mocks.items()},
                         args={"c": ["--service.health_interval", "1s"]})

    def mock_again(self, name, *models):
        self.mocks[name] = Mock(self.run, f"mock-{name}", *models, port=self.mocks[name].port)
        return self.mocks[name]

    def all_well(self):
        for head in self.mesh.heads:
            for w in "abc":
                eventually(lambda h=head, n=w: self.mesh.routes(h, n), 15, f"{head.name} can reach {w}")

    def stop(self):
        self.mesh.stop()
        for m in self.mocks.values():
            m.kill()


def mocked(run):
    m = run.fixture("mesh-mocked", lambda: Mocked(run))
    m.all_well()
    return m


def test_requests_are_spread_over_both_workers_of_a_model(run):
    m = mocked(run)
    load = Load(m.mesh.heads, "m1")
    time.sleep(1.5 * LONG)
    note = load.must_hold(150 * LONG)
    nodes = [o.node for o in load.outcomes]
    for w in "ab":
        share = nodes.count(m.mesh[w].id) / len(nodes)
        expect(share > 0.25, f"worker {w} got {share:.0%}")
    return note


def test_a_worker_killed_under_load_fails_nothing_that_had_not_begun(run):
    m = mocked(run)
    load = Load(m.mesh.heads, "m1")
    time.sleep(1 * LONG)
    m.mesh["a"].kill()
    time.sleep(1.5 * LONG)
    note = load.must_hold(300 * LONG)
    m.mesh.start("a")
    return note


def test_a_worker_that_ends_under_load_fails_nothing(run):
    m = mocked(run)
    load = Load(m.mesh.heads, "m1")
    time.sleep(1 * LONG)
    m.mesh["b"].stop(10)
    gone = time.monotonic()
    time.sleep(1 * LONG)
    note = load.must_hold(300 * LONG)
    expect(not any(o.how in ("told", "torn") for o in load.outcomes), f"streams broke off: {note}")
    expect(m.mesh["b"].id not in {o.node for o in load.since(gone)}, "the one that had ended was asked")
    m.mesh.start("b")
    return note


def test_a_worker_killed_and_started_again_under_load_takes_part_again(run):
    m = mocked(run)
    load = Load(m.mesh.heads, "m1")
    time.sleep(1 * LONG)
    m.mesh["a"].kill()
    time.sleep(0.3)
    node = m.mesh.start("a")
    up = time.monotonic()
    eventually(lambda: any(o.node == node.id for o in load.since(up)), 10, "the restarted worker has requests")
    took = time.monotonic() - up
    time.sleep(0.5 * LONG)
    note = load.must_hold(200 * LONG)
    expect(took <= 2, f"the restarted worker had its first request after {took:.1f} s")
    return f"{note}; asked again {took:.2f} s after its start"


def test_a_worker_that_freezes_is_left_when_its_keepalive_is_missed(run):
    """SIGSTOP: connections stay, nothing is answered. What waits goes to the other worker."""
    m = mocked(run)
    head = Node(run, "mesh-keen-head", "--role", "head", "--bootstrap.static", m.mesh.bootstrap,
                "--p2p.keepalive", "500ms", "--p2p.keepalive_timeout", "500ms")
    eventually(lambda: m.mesh.routes(head, "a") and m.mesh.routes(head, "b"), 10, "the new head routes")
    load = Load([head], "m1", rate=100)
    time.sleep(0.5)
    m.mesh["a"].signal(signal.SIGSTOP)
    try:
        time.sleep(3)
        note = load.must_hold(100)
    finally:
        m.mesh["a"].signal(signal.SIGCONT)
    eventually(lambda: m.mesh.routes(head, "a"), 10, "it is back")
    head.kill()
    return note


def test_the_bootstrap_head_killed_leaves_the_rest_at_work(run):
    m = mocked(run)
    load = Load([m.mesh.heads[1]], "m1")
    time.sleep(0.5)
    m.mesh["head0"].kill()
    time.sleep(1 * LONG)
    for w in "abc":
        expect(m.mesh.row(m.mesh["head1"], w), f"{w} is not in the table of head1 any more")
    m.mesh.start("head0")
    up = time.monotonic()
    for w in "abc":
        eventually(lambda n=w: m.mesh.routes(m.mesh["head0"], n), 10, f"head0 can reach {w} again")
    took = time.monotonic() - up
    expect(took <= 5, f"head0 knew all workers after {took:.1f} s")
    same(answered_by(m.mesh["head0"], "m2"), m.mesh["c"].id, "who computed")
    note = load.must_hold(200 * LONG)
    expect(not any(o.how in ("told", "torn") for o in load.outcomes), f"streams broke off: {note}")
    return f"{note}; head0 knew all {took:.2f} s after its start"


def strike(m, what, w, pause):
    """One fault, and what ends it."""
    if what == "kill a worker":
        m.mesh[w].kill()
        time.sleep(pause)
        m.mesh.start(w)
    elif what == "end a worker":
        m.mesh[w].stop(10)
        time.sleep(pause)
        m.mesh.start(w)
    elif what == "kill an engine":
        m.mocks[w].kill()
        time.sleep(pause)
        m.mock_again(w, "m1")
    elif what == "kill the other head":
        m.mesh["head0"].kill()
        time.sleep(pause)
        m.mesh.start("head0")
    else:
        m.mesh["c"].signal(signal.SIGSTOP)
        time.sleep(min(pause, 0.5))
        m.mesh["c"].signal(signal.SIGCONT)


def test_faults_at_random_fail_nothing_that_had_not_begun(run):
    """One after another, each when the one before is healed."""
    m, seed = mocked(run), int.from_bytes(os.urandom(4), "big")
    dice, done, until = random.Random(seed), [], time.monotonic() + 7 * LONG
    load = Load([m.mesh.heads[1]], "m1", rate=150, clients=50, tokens=12)
    while time.monotonic() < until:
        what = dice.choice(["kill a worker", "end a worker", "kill an engine", "kill the other head", "freeze another worker"])
        done.append((what, dice.choice("ab"), round(dice.choice([0, dice.random() * 2]), 2)))
        try:
            strike(m, *done[-1])
            m.all_well()
        except Failure as err:
            raise Failure(f"seed {seed}, after {done}: {err}") from err
        time.sleep(0.3)
    try:
        return f"{len(done)} faults, {load.must_hold(400 * LONG)}"
    except Failure as err:
        raise Failure(f"seed {seed}, faults {done}: {err}") from err


def test_a_new_worker_takes_traffic_2_s_after_its_engine_is_well(run):
    """The engine starts after its node, as slow engines do."""
    m = mocked(run)
    port = free_port()
    m.mesh.ports["d"] = port
    m.mesh.start("d")
    time.sleep(1)
    same(ask(m.mesh.heads[0], "m3").status, 503, "status before the engine is there")
    engine = Mock(run, "mock-d", "m3", port=port)
    eventually(lambda: get(("127.0.0.1", port), "/health").status == 200, 5, "the engine is well", every=0.005)
    well = time.monotonic()
    note = []
    for head in m.mesh.heads:
        eventually(lambda h=head: answered_by(h, "m3"), 10, f"{head.name} routes m3")
        note.append(time.monotonic() - well)
    m.mesh["d"].kill()
    engine.kill()
    del m.mesh.made["d"], m.mesh.ports["d"]
    expect(max(note) <= 2, f"took {note}")
    return f"{max(note):.2f} s"


def test_an_engine_that_dies_is_left_out_and_taken_back_with_its_groups(run):
    m = mocked(run)
    head = m.mesh.heads[0]
    load = Load(m.mesh.heads, "m1", rate=100, tokens=16)  # so long that both workers are needed
    time.sleep(0.5)
    m.mocks["a"].kill()
    eventually(lambda: all(not groups(m.mesh.row(h, "a") or {}) for h in m.mesh.heads), 10, "the service is withdrawn")
    withdrawn = time.monotonic()
    time.sleep(0.5)
    expect(m.mesh["a"].id not in {o.node for o in load.since(withdrawn)}, "asked although it offers nothing")
    m.mock_again("a", "m1")
    eventually(lambda: groups(m.mesh.row(head, "a") or {}) == ["model=m1"], 5, "the service is back with its group")
    back = time.monotonic()
    eventually(lambda: any(o.node == m.mesh["a"].id for o in load.since(back)), 5, "it is asked again")
    return load.must_hold(100)


def test_a_model_that_changes_at_the_engine_is_read_again(run):
    m = mocked(run)
    head = m.mesh.heads[1]
    m.mocks["c"].kill()
    m.mock_again("c", "m9", "m10")
    eventually(lambda: groups(m.mesh.row(head, "c") or {}) == ["model=m10", "model=m9"], 5, "the new models")
    same(answered_by(head, "m9"), m.mesh["c"].id, "who computed")
    same(ask(head, "m2").status, 503, "status for the model that went")
    m.mocks["c"].kill()
    m.mock_again("c", "m2")
    eventually(lambda: groups(m.mesh.row(head, "c") or {}) == ["model=m2"], 5, "the old model")


# ---- the rules of routing ----


def record(name, port, *groups_):
    return json.dumps({"service": [{"name": name, "host": "localhost", "port": str(port),
                                    "identity_group": list(groups_)}]}).encode()


def offer(node, *args):
    a = get(node.at, "/v1/dnt/_node", ["Content-Type: application/json"], "POST", record(*args))
    same(a.status, 200, f"POST /v1/dnt/_node ({a.body[:200]})")


def error(answer):
    return json.loads(answer.body)["error"]["message"]


def test_unknown_models_and_services_are_refused_in_known_words(run):
    m = mocked(run)
    for head in m.mesh.heads:
        a = ask(head, "nope")
        same((a.status, error(a)), (503, NO_MODEL), "an unknown model")
        expect(a.get("Retry-After"), "no Retry-After")
        a = ask(head, "m1", service="nothing")
        same((a.status, error(a)), (400, NO_SERVICE), "an unknown service")
        a = ask(head, "m1", service="no%20name")
        same(a.status, 400, "a bad name")


def test_a_heads_own_service_is_routed_to(run):
    m = mocked(run)
    own = m.mesh["head0"]
    offer(own, "notes", run.service.port)
    for head in m.mesh.heads:
        def there(h=head):
            a = get(h.at, "/v1/service/notes/echo/x", method="POST", body=b"hello")
            return a.status == 200 and a.get("X-Computing-Node") == own.id
        eventually(there, 5, f"{head.name} routes to the service of head0")


def test_tiers_of_groups_are_reached_by_the_fallback_field(run):
    m = mocked(run)
    exact, wild, every = (m.mesh[w] for w in "abc")
    port = run.service.port
    offer(exact, "tier", port, "model=x")
    offer(wild, "tier", port, "model=*")
    offer(every, "tier", port, "all")
    head = m.mesh.heads[1]

    def who(model, *fields):
        a = get(head.at, "/v1/service/tier/echo/t", ["Content-Type: application/json", *fields], "POST", body_of(model))
        return a.get("X-Computing-Node") if a.status == 200 else a.status

    def without_model():
        a = get(head.at, "/v1/service/tier/echo/t", ["Content-Type: application/json", "X-Otela-Fallback: 2"], "POST",
                json.dumps({"size": 3}).encode())
        return a.get("X-Computing-Node") if a.status == 200 else a.status

    eventually(lambda: [who("x"), who("y", "X-Otela-Fallback: 1"), without_model()] == [exact.id, wild.id, every.id],
               10, "the tiers are known")
    same(who("x", "X-Otela-Fallback: 2"), exact.id, "an exact group before all others")
    same(who("y"), 503, "no lesser tier unasked")
    same(who("y", "X-Otela-Fallback: 1"), wild.id, "key=*")
    same(who("y", "X-Otela-Fallback: 2"), wild.id, "key=* before all")
    same(without_model(), every.id, "all")
    same(who("nothing", "X-Otela-Identity-Group: model=x"), exact.id, "the field in place of the body")
    same(who("x", "X-Otela-Identity-Group: nonsense"), 400, "a field that is no group")


def test_a_body_longer_than_is_read_for_the_route_is_told(run):
    m = mocked(run)
    head = Node(run, "mesh-small-scan", "--role", "head", "--bootstrap.static", m.mesh.bootstrap, "--route.body_scan", "64KiB")
    eventually(lambda: answered_by(head, "m1"), 10, "the new head routes")
    with Client(head.at) as c:
        a = post(c, body_of("m1", pad=200_000))
    same((a.status, json.loads(a.body)["error"]["code"]), (413, "body_scan_limit"), "model behind 200 kB")
    late = json.loads(body_of("m1"))
    late["messages"][0]["content"] = "y" * 200_000
    with Client(head.at) as c:
        a = post(c, json.dumps(late).encode())
    expect(a.status != 413, f"model first, then 200 kB: {a.status} {a.body[:200]}")
    head.kill()


# ---- the registry ----


def test_rows_have_the_fields_that_clients_know(run):
    m = mocked(run)
    rows = table(m.mesh.heads[0])
    row = rows[f"/{m.mesh['a'].id}"]
    for field, kind in (("id", str), ("latency", (int, float)), ("owner", str), ("role", list), ("status", str),
                        ("service", list), ("last_seen", int), ("version", str), ("public_address", str),
                        ("hardware", dict), ("connected", bool)):
        expect(isinstance(row.get(field), kind), f"{field}: {row.get(field)!r}")
    same((row["id"], row["role"], row["connected"]), (m.mesh["a"].id, ["worker"], True), "id, role, connected")
    llm = [s for s in row["service"] if s["name"] == "llm"][0]
    same((llm["host"], llm["port"], llm["status"], llm["identity_group"]),
         ("localhost", str(m.mocks["a"].port), "connected", ["model=m1"]), "the service")
    for node in (*m.mesh.heads, *m.mesh.workers):
        expect(f"/{m.mesh['head1'].id}" in table(node), f"head1 is not in the table of {node.name}")


def test_a_posted_row_goes_everywhere_and_a_deleted_one_goes(run):
    m = mocked(run)
    node, head = m.mesh["c"], m.mesh.heads[1]
    offer(node, "posted", run.service.port, "k=v")
    eventually(lambda: "k=v" in groups(m.mesh.row(head, "c") or {}), 5, "the posted service is in the table")
    same(get(node.at, "/v1/dnt/_node", method="DELETE").status, 200, "DELETE")
    # Who is connected to its owner waits for a word of that one, 10 s at most.
    eventually(lambda: f"/{node.id}" not in table(head), 12, "the row is gone")
    same(ask(head, "m2").status, 503, "status for its model")
    offer(node, "posted", run.service.port, "k=v")
    eventually(lambda: "model=m2" in groups(m.mesh.row(head, "c") or {}), 5, "the row is back with the next write")
    bad = get(node.at, "/v1/dnt/_node", ["Content-Type: application/json"], "POST", b"{nonsense")
    same(bad.status, 400, "a body that is no record")


def in_a_namespace(run, script, *args):
    """What a script tells that needs a network of its own."""
    for prefix in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        status, out, err = finish([*prefix, sys.executable, HERE / script, run.ocf, run.folder / Path(script).stem, *args],
                                  timeout=60, env=clean_env(run.folder))
        if status == 0:
            return json.loads(out.splitlines()[-1])
    raise Failure(f"exit status {status}: {err[-800:]}")


def test_a_worker_that_cannot_be_dialled_is_reached_through_its_relay(run):
    told = in_a_namespace(run, "relay_hop.py")
    same(told["connected"], False, "whether the head is connected to the worker")
    same(told["answers"], [[200, True, True]] * 20, "status, named in X-Computing-Node, complete")
    expect(told["hops"]["relay"] >= 20, f"requests through the relay: {told['hops']}")
    same(told["without it"][0], 502, "status once the worker is gone")
    expect(told["round and round"][0] in (400, 508), f"a path that goes round: {told['round and round']}")
    return f"round and round: {told['round and round']}"


def test_only_this_machine_may_write_rows(run):
    told = in_a_namespace(run, "remote_caller.py", "--rows")
    same(told, {"far POST": 403, "far offers": False, "far DELETE": 403,
                "near POST": 200, "near offers": True, "near DELETE": 200}, "who may")


def blocks(node):
    return node.total("ocf_registry_blocks")


def test_a_node_killed_knows_the_registry_when_it_starts_again(run):
    """Alone, so that nobody can tell it; and it writes nothing that it wrote before."""
    m = mocked(run)
    head = m.mesh["head1"]
    before, n = set(table(head, "?all=1")), blocks(head)
    time.sleep(6)  # the store goes to the disk every 5 s; a kill loses no more than that
    head.kill()
    alone = Node(run, "mesh-head1", "--role", "head", *KEEP)
    same(alone.id, head.id, "peer id")
    after = set(table(alone, "?all=1"))
    expect(before <= after, f"rows lost: {before - after}")
    expect(blocks(alone) >= n, f"{blocks(alone)} blocks of {n}")
    written = blocks(alone)
    alone.kill()
    back = m.mesh.start("head1")
    eventually(lambda: m.mesh.routes(back, "a"), 10, "it takes part again")
    time.sleep(0.5)
    expect("our record is written" not in back.text().rpartition("--- ")[2], "it wrote its record again")
    return f"{len(after)} rows, {written:.0f} blocks"


def test_a_spoilt_store_is_set_aside_and_learnt_anew(run):
    m = mocked(run)
    head = m.mesh["head1"]
    head.kill()
    found = [p for p in head.folder.rglob("registry.*") if p.is_dir()] or list(head.folder.rglob("registry.*"))
    expect(found, "no store in the folder")
    files = [p for f in found for p in ([f] if f.is_file() else f.rglob("*")) if p.is_file() and "lock" not in p.name]
    for f in files:
        f.write_bytes(b"\xa5" * max(4096, f.stat().st_size))
    back = m.mesh.start("head1")
    eventually(lambda: all(m.mesh.routes(back, w) for w in "abc"), 15, "the registry is learnt anew")
    said = [line for line in back.text().rpartition("--- ")[2].splitlines() if "was damaged" in line]
    expect(said, "no message about the store")
    return said[0][-160:]


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]


def close(run):
    for name in ("mesh-real", "mesh-mocked"):
        f = run.fixtures.pop(name, None)
        if f:
            f.stop()
