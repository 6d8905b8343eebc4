"""The program: commands, files, exit codes, ready line, signals."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path

from processes import Node, Pair, clean_env, eventually, finish, free_port
from wire import Client, Cut, Failure, expect, get, same

HERE = Path(__file__).resolve().parent


def home(run, name):
    folder = run.folder / name
    folder.mkdir(exist_ok=True)
    return folder


def ocf(run, *args, name="cli", env=None, **how):
    folder = home(run, name)
    return finish([run.ocf, *args], env={**clean_env(folder), **(env or {})}, cwd=folder, **how)


def test_help_names_every_command(run):
    for args in (["--help"], ["-h"], ["help"]):
        status, out, _ = ocf(run, *args)
        if args == ["--help"]:
            same(status, 0, "exit status")
            for command in ("start", "init", "version", "peer-id", "dev"):
                expect(re.search(rf"^\s+{command}\b", out, re.M), f"{command} is not in the help")
    for command in ("start", "init", "version", "peer-id", "dev"):
        status, out, _ = ocf(run, command, "--help")
        same(status, 0, f"exit status of {command} --help")
        expect(f"ocf {command}" in out, f"{command} --help says nothing about it")


def test_version_tells_what_was_built(run):
    status, out, _ = ocf(run, "version")
    same(status, 0, "exit status")
    expect(re.match(r"ocf \d+\.\d+\.\d+\n", out), f"version says {out!r}")
    status, out, _ = ocf(run, "version", "--json")
    expect({"version", "commit", "compiler"} <= set(json.loads(out)), out)


def test_init_can_be_run_again(run):
    status, first, _ = ocf(run, "init", name="init")
    same(status, 0, "exit status")
    key = home(run, "init") / ".config/ocf/keys/id"
    same(stat.S_IMODE(key.stat().st_mode), 0o600, "mode of the key")
    before = (key.read_bytes(), (home(run, "init") / ".config/ocf/cfg.yaml").read_bytes())
    status, second, _ = ocf(run, "init", name="init")
    same(status, 0, "exit status of the second")
    same((key.read_bytes(), (home(run, "init") / ".config/ocf/cfg.yaml").read_bytes()), before, "the files")
    status, out, _ = ocf(run, "peer-id", name="init")
    expect(re.fullmatch(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}\n", out), f"peer-id prints {out!r}")
    expect(out.strip() in first and out.strip() in second, "init does not name the id")
    node = Node(run, "init")
    same(node.id, out.strip(), "the id of the node that starts there")
    node.stop()


def test_wrong_usage_has_an_exit_code_and_says_what_was_expected(run):
    rows = [
        (["bogus"], 2, "bogus"),
        (["start", "--prot", "1"], 3, "--port"),
        (["start", "--port", "99999"], 3, "65535"),
        (["start", "--http.idle_timeout", "soon"], 3, "http.idle_timeout"),
        (["start", "--listen", "/ip4/1.2.3.4"], None, "multiaddr"),
        (["start", "--host", "nowhere"], None, "host"),
        (["start", "--services", "name=a b,url=http://127.0.0.1:1"], 3, "name"),
    ]
    for args, want, word in rows:
        status, out, err = ocf(run, *args)
        expect(status == want or (want is None and status in (1, 3)), f"{args}: exit status {status}: {err}")
        expect(word in err, f"{args}: {err!r} does not name {word}")
        same(out, "", f"standard output of {args}")


def test_a_bad_file_is_named_with_its_line(run):
    folder = home(run, "badfile")
    cfg = folder / "bad.yaml"
    cfg.write_text("port: 0\nhttp:\n  idle_timeout: 30s\n  nonsense: 1\n")
    status, _, err = ocf(run, "start", "--config", cfg, name="badfile")
    same(status, 3, "exit status")
    expect(f"bad.yaml:4" in err and "nonsense" in err, f"not named: {err!r}")


def test_a_key_that_others_can_read_is_refused(run):
    ocf(run, "init", name="openkey")
    (home(run, "openkey") / ".config/ocf/keys/id").chmod(0o644)
    status, _, err = ocf(run, "start", "--port", "0", name="openkey")
    same(status, 4, "exit status")
    expect("keys/id" in err and "chmod" in err, f"it says {err!r}")


def test_the_key_of_a_go_node_is_taken_over(run):
    ocf(run, "init", name="gokey")
    folder = home(run, "gokey")
    _, want, _ = ocf(run, "peer-id", name="gokey")
    (folder / ".ocfcore/keys").mkdir(parents=True)
    shutil.move(folder / ".config/ocf/keys/id", folder / ".ocfcore/keys/id")
    _, got, _ = ocf(run, "peer-id", name="gokey")
    same(got, want, "the id")


def test_options_come_from_flag_environment_and_file_in_this_order(run):
    folder = home(run, "order")
    ports = [free_port() for _ in range(4)]
    (folder / "c.yaml").write_text(f"port: {ports[0]}\ntcpport: 0\n")
    env = {"OF_PORT": str(ports[1])}
    for args, extra, want in ((["--config", "c.yaml"], {}, ports[0]), (["--config", "c.yaml"], env, ports[1]),
                              (["--config", "c.yaml"], {**env, "OCF_PORT": str(ports[2])}, ports[2])):
        status, out, _ = ocf(run, "config", *args, name="order", env=extra)
        same(status, 0, "exit status")
        expect(re.search(rf"^port: {want}\b", out, re.M), f"port is not {want}: {out[:400]}")
    _, out, _ = ocf(run, "config", "--config", "c.yaml", "--port", ports[3], name="order", env=env)
    expect(re.search(rf"^port: {ports[3]}\b", out, re.M), "the flag does not win")


def test_the_ready_line_names_real_addresses(run):
    node = Node(run, "ready", wait=False)
    told = node.ready()
    same(set(told) >= {"event", "peer_id", "http", "p2p", "pid"}, True, "members of the ready line")
    same(told["pid"], node.pid, "pid")
    expect(node.at[1] > 0 and node.p2p_at[1] > 0, "port 0 in the ready line")
    expect(all(a.endswith("/p2p/" + told["peer_id"]) for a in told["p2p"]), "addresses without the id")
    same(json.loads(get(node.at, "/v1/self").body)["id"], told["peer_id"], "id of /v1/self")
    with socket.create_connection(node.p2p_at, 5) as s:
        s.sendall(b"\x13/multistream/1.0.0\n")
        same(s.recv(20), b"\x13/multistream/1.0.0\n", "the libp2p port's greeting")
    node.stop()


def test_default_listeners_are_ipv4_and_ipv6(run):
    node = Node(run, "defaults", "--tcpport", free_port(), listen=None)
    same(sorted(a.split("/")[1] for a in node.p2p), ["ip4", "ip6"] if socket_has_v6() else ["ip4"], "families")
    same(node.at[0], "127.0.0.1", "HTTP host")
    node.stop()


def socket_has_v6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::", 0))
        return True
    except OSError:
        return False


def test_it_listens_soon_with_a_key_present(run):
    took = []
    for _ in range(5):
        start = time.monotonic()
        node = Node(run, "soon", wait=False)
        node.ready()
        took.append((time.monotonic() - start) * 1000)
        node.kill()
    expect(min(took[1:]) < 200, f"ready after {took} ms")
    return f"{min(took[1:]):.0f} ms, process start included"


def test_an_idle_node_ends_within_two_seconds_of_sigterm(run):
    pair = Pair(run, "idle", {"rec": f"http://127.0.0.1:{run.service.port}"})
    get(pair.head.at, pair.path("rec", "/hash"))
    lazy = Client(pair.head.at)  # a kept connection does not hold it up
    lazy.get("GET", "/v1/health")
    for node, number in ((pair.head, signal.SIGTERM), (pair.worker, signal.SIGINT)):
        start = time.monotonic()
        node.signal(number)
        same(node.wait(5), 0, "exit status")
        expect(time.monotonic() - start < 2, f"it took {time.monotonic() - start:.1f} s")
    lazy.must_end()


def test_requests_in_flight_finish_after_sigterm(run):
    for which in ("head", "worker"):
        pair = Pair(run, f"drain-{which}", {"rec": f"http://127.0.0.1:{run.service.port}"})
        node = getattr(pair, which)
        with Client(pair.head.at) as c:
            c.ask("GET", pair.path("rec", f"/sse/drain-{which}?n=15&gap_ms=100"))
            head = c.answer_head()
            c.chunk()
            node.signal(signal.SIGTERM)
            time.sleep(0.3)
            expect(node.p.poll() is None, f"the {which} ended with a request in flight")
            try:
                get(node.at, "/v1/health", timeout=2)
                raise Failure(f"the {which} takes new connections while it drains")
            except (OSError, Cut):
                pass
            body = c.body(head)
        expect(body.endswith(b"data: [DONE]\n\n"), f"the stream was cut: {body[-100:]!r}")
        same(node.wait(4), 0, f"exit status of the {which}")
        pair.stop()


def test_a_slow_reader_gets_the_whole_answer_from_a_node_that_drains(run):
    """The request is over before its last bytes have left: the node must not end under them."""
    size = 6 << 20
    for which in ("head", "worker"):
        pair = Pair(run, f"tail-{which}", {"rec": f"http://127.0.0.1:{run.service.port}"})
        with Client(pair.head.at, rcvbuf=4096) as c:
            c.ask("GET", pair.path("rec", f"/big?n={size}"))
            head, left = c.answer_head(), size
            getattr(pair, which).signal(signal.SIGTERM)
            c.sock.settimeout(10)
            left -= len(c.buffer)
            while left > 0:
                data = c.sock.recv(1 << 14)
                expect(data, f"{which}: cut {left} bytes before the end")
                left -= len(data)
                time.sleep(0.0005 if left > 300_000 else 0.005)
        same(getattr(pair, which).wait(5), 0, f"exit status of the {which}")
        pair.stop()


def test_the_grace_ends_what_does_not(run):
    pair = Pair(run, "grace", {"rec": f"http://127.0.0.1:{run.service.port}"}, head=["--shutdown.grace", "1s"])
    with Client(pair.head.at) as c:
        c.ask("GET", pair.path("rec", "/sse/grace?n=10000&gap_ms=50"))
        head = c.answer_head()
        c.chunk()
        start = time.monotonic()
        pair.head.signal(signal.SIGTERM)
        try:
            c.body(head)
            raise Failure("the cut stream ended in order")
        except Cut as cut:
            expect(b"[DONE]" not in cut.got, "a fabricated [DONE]")
    pair.head.wait(3)
    took = time.monotonic() - start
    expect(0.8 < took < 3, f"it took {took:.1f} s")
    pair.stop()


def test_a_second_signal_ends_at_once(run):
    pair = Pair(run, "second", {"rec": f"http://127.0.0.1:{run.service.port}"})
    with Client(pair.head.at) as c:
        c.ask("GET", pair.path("rec", "/hang/second"))
        run.service.wait_for("/hang/second")
        pair.head.signal(signal.SIGTERM)
        time.sleep(0.3)
        expect(pair.head.p.poll() is None, "the first signal ended it with a request in flight")
        start = time.monotonic()
        pair.head.signal(signal.SIGTERM)
        status = pair.head.wait(2)
        expect(time.monotonic() - start < 0.5, "it took too long")
        expect(status != 0, "exit status 0 although a request was cut")
    pair.stop()


def test_a_lost_worker_is_found_again(run):
    """The worker is killed and started anew on the same port with the same key."""
    pair = Pair(run, "again", {"rec": f"http://127.0.0.1:{run.service.port}"})
    same(get(pair.head.at, pair.path("rec", "/hash")).status, 200, "before")
    port = pair.worker.p2p_at[1]
    pair.worker.kill()
    a = get(pair.head.at, pair.path("rec", "/hash"))
    expect(a.status in (502, 503), f"status {a.status} while it is gone")
    worker = Node(run, "again-worker", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}",
                  listen=f"/ip4/127.0.0.1/tcp/{port}")
    same(worker.id, pair.worker.id, "the id of the new process")
    eventually(lambda: get(pair.head.at, pair.path("rec", "/hash")).status == 200, 10, "an answer from the new process")
    worker.stop()
    pair.stop()


def test_twenty_nodes_run_on_one_machine(run):
    first = Node(run, "n0", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}")
    nodes = [Node(run, f"n{i}", "--bootstrap.static", first.p2p[0], wait=False) for i in range(1, 20)]
    for node in nodes:
        node.ready()
    same(len({n.id for n in nodes} | {first.id}), 20, "different ids")
    same(len({n.at for n in nodes}), 19, "different addresses")

    def reach(node):
        return get(node.at, f"/v1/p2p/{first.id}/v1/_service/rec/hash").status == 200

    for node in nodes:
        eventually(lambda: reach(node), 10, f"{node.name} reaches the first node")
    peers = json.loads(get(first.at, "/v1/self").body)["connected_peers"]
    same(set(peers), {n.id for n in nodes}, "peers of the first")
    rss = sorted(n.rss() for n in nodes)
    for node in [first, *nodes]:
        node.signal(signal.SIGTERM)
    for node in [first, *nodes]:
        same(node.wait(10), 0, "exit status")
    return f"{rss[10] / (1 << 20):.1f} MiB resident each"


def test_callers_from_elsewhere_are_refused(run):
    """In a network namespace of its own, or where that is not allowed, by this machine's own address."""
    script = [sys.executable, HERE / "remote_caller.py", run.ocf, home(run, "remote")]
    for prefix in (["unshare", "-n"], ["unshare", "-r", "-n"], None):
        if prefix is None:
            script.append(own_address())
        status, out, err = finish([*(prefix or []), *script], timeout=60, env=clean_env(home(run, "remote")))
        if status == 0:
            break
    expect(status == 0, f"exit status {status}: {err[-800:]}")
    told = json.loads(out.splitlines()[-1])
    for name, got in told.items():
        where, what = name.split()[-2:]
        shut = name.startswith("shut") and where == "far"
        if what == "health":
            same(got, 200, name)
        elif shut:
            same(got, 403, name)
        else:
            expect(got not in (401, 403) and isinstance(got, int), f"{name}: {got}")
    return f"{len(told)} requests, {'namespace' if prefix else 'own address'}"


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing: a datagram socket only picks its source
            address = s.getsockname()[0]
        except OSError:
            raise Failure("no namespace and no address besides loopback") from None
    expect(not address.startswith("127."), "no address besides loopback")
    return address


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]
