"""The libp2p port against clients that are hostile, broken or many."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from processes import BUILD, Node, Pair, eventually, finish
from wire import Client, Failure, expect, get, same

HERE = Path(__file__).resolve().parent
GREETING = b"\x13/multistream/1.0.0\n"
NOISE = b"\x07/noise\n"
UPGRADE_SECONDS = 15


def node(run):
    """The node under attack."""
    def make():
        n = Node(run, "attacked", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}")
        return n
    return run.fixture("attacked", make)


def settled(n):
    """Nothing of earlier clients is left: no connection, no peer."""
    eventually(lambda: n.total("ocf_p2p_connections") == 0 and n.total("ocf_p2p_peers") == 0, 20, "all peers are gone")


def program(run):
    def build():
        out = BUILD / "hostile"
        done = subprocess.run([os.environ.get("GO", "go"), "build", "-buildvcs=false", "-trimpath", "-mod=readonly",
                               "-o", str(out), "."], cwd=HERE / "hostile", text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        expect(done.returncode == 0, f"go build: {done.stdout[-800:]}")
        return out
    return run.fixture("hostile", build)


def hostile(run, n, case, *more):
    at = f"{n.p2p_at[0]}:{n.p2p_at[1]}"
    status, out, err = finish([program(run), "-addr", at, "-peer", n.id, "-case", case, *more], timeout=60)
    expect(status == 0, f"{case}: {err.strip()[-400:]}")
    return json.loads(out)


def still_serves(n):
    same(get(n.at, "/v1/health").status, 200, "health afterwards")


def greeted(s):
    """Reads the other side's greeting; False when it never comes."""
    s.settimeout(10)
    got = b""
    while len(got) < len(GREETING):
        try:
            data = s.recv(len(GREETING) - len(got))
        except ConnectionError:
            return False
        if not data:
            return False
        got += data
    same(got, GREETING, "greeting")
    return True


def connects(n, count, together=64):
    """So many TCP connections one right after the other; each must be greeted."""
    socks = []
    try:
        for i in range(count):
            s = socket.create_connection(n.p2p_at, 10)
            s.sendall(GREETING)
            socks.append(s)
            if len(socks) == together or i == count - 1:
                for s in socks:
                    expect(greeted(s), f"connection {i} of {count} was closed")
                    s.close()
                socks.clear()
    finally:
        for s in socks:
            s.close()


def test_2000_rapid_connects_all_succeed(run):
    """Bare TCP connections that are greeted and left, then complete ones with an identity each."""
    n, start = node(run), time.monotonic()
    connects(n, 2000)
    bare = 2000 / (time.monotonic() - start)
    told = hostile(run, n, "rapid", "-n", "2000")
    same((told["ok"], told["errors"]), (2000, {}), "connections with a ping")
    still_serves(n)
    return f"{bare:.0f} bare and {told['a_second']} complete ones a second"


def held_open(at, count):
    """So many connections that say nothing, those that the other side keeps."""
    crowd = [socket.create_connection(at, 10) for _ in range(count)]
    time.sleep(0.3)
    kept = []
    for s in crowd:
        s.setblocking(False)
        try:
            said = s.recv(len(GREETING))
        except BlockingIOError:
            said = b"-"
        except ConnectionResetError:
            said = b""
        kept.append(bool(said))
    return crowd, sum(kept)


def test_2000_connections_are_held_and_a_crowd_beyond_the_limit_is_refused(run):
    """Connections from loopback that say nothing: 2,000 at once are kept, 5,000 are not all; a peer that is there
    keeps being served, and the rest recovers."""
    pair = Pair(run, "crowded", {"rec": f"http://127.0.0.1:{run.service.port}"})
    before = pair.worker.live_bytes()
    for count in (2000, 5000):
        crowd, kept = held_open(pair.worker.p2p_at, count)
        each = (pair.worker.live_bytes() - before) / kept
        expect(kept == 2000 if count == 2000 else 4000 <= kept <= 4096, f"{kept} of {count} are kept")
        expect(each < 4096, f"{each:.0f} bytes for each")
        for _ in range(20):
            same(get(pair.head.at, pair.path("rec", "/hash")).status, 200, "a request while the crowd is there")
        for s in crowd:
            s.close()
        eventually(lambda: hostile(run, pair.worker, "handshakes", "-n", "20")["ok"] == 20, 3, "new peers afterwards")
    pair.stop()
    return f"{each:.0f} live bytes for each"


def test_200_simultaneous_handshakes_all_succeed(run):
    told = hostile(run, node(run), "handshakes", "-n", "200")
    same((told["ok"], told["errors"]), (200, {}), "handshakes")
    return f"slowest {told['slowest_ms']} ms"


def test_a_handshake_cut_at_every_byte_leaves_nothing(run):
    told = hostile(run, node(run), "truncated")
    expect(told["cuts"] > 150, f"only {told['cuts']} cuts")
    still_serves(node(run))
    return f"{told['cuts']} cuts"


def test_a_handshake_with_any_bit_flipped_never_ends_in_a_connection(run):
    told = hostile(run, node(run), "flips")
    expect(told["flips"] > 150, f"only {told['flips']} flips")
    same(told["accepted"], [], "bytes whose change was not noticed")
    still_serves(node(run))
    return f"{told['flips']} flips"


def closed_case(case, *more):
    def check(run):
        told = hostile(run, node(run), case, *more)
        expect(told["end"] in ("closed", "reset"), f"the other side: {told}")
        still_serves(node(run))
        return told.get("told")
    return check


def test_a_window_that_is_overrun_ends_the_connection(run):
    n = node(run)
    before = n.rss()
    told = hostile(run, n, "overrun", "-path", "/v1/_service/rec/stuck")
    same(told["end"], "closed", "the end")
    expect(n.rss() - before < 16 << 20, f"resident memory grew by {(n.rss() - before) >> 20} MiB")
    still_serves(n)


def test_200_streams_without_a_protocol_hurt_nobody(run):
    told = hostile(run, node(run), "flood", "-n", "200")
    still_serves(node(run))
    return str(told)


def test_a_window_that_overflows_hurts_nobody(run):
    hostile(run, node(run), "window-overflow")
    still_serves(node(run))


def deadline(n, name, pieces, gap, low, high):
    """Sends the pieces `gap` seconds apart, and wants the connection to end within low..high seconds."""
    start = time.monotonic()
    with socket.create_connection(n.p2p_at, 10) as s:
        s.settimeout(gap)
        pieces = list(pieces)
        while time.monotonic() - start < high + 2:
            try:
                if pieces:
                    s.sendall(pieces.pop(0))
                if not s.recv(4096):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
            time.sleep(gap if pieces else 0)
        took = time.monotonic() - start
    expect(low <= took <= high, f"{name}: it ended after {took:.1f} s, not {low} to {high}")
    return took


def test_garbage_ends_the_connection_at_once(run):
    rows = {
        "an HTTP request": b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: " + b"a" * 100 + b"\r\n\r\n",
        "TLS": bytes.fromhex("16030102000100") + b"\xaa" * 64,
        "zeros": bytes(64),
        "a token of 1 MiB": b"\x80\x80\x40" + b"a" * 1000,
        "a length that is not minimal": b"\x93\x00" + GREETING[1:],
        "another greeting": b"\x13/multistream/9.0.0\n",
        "a token without a line end": b"\x13/multistream/1.0.00",
        "Noise without a handshake": GREETING + NOISE + b"\x00\x05hello",
        "an empty Noise message": GREETING + NOISE + b"\x00\x00",
        "a Noise message of the wrong size": GREETING + NOISE + b"\x00\x21" + bytes(33),
    }
    for name, data in rows.items():
        deadline(node(run), name, [data], 0.5, 0, 3)
    still_serves(node(run))


def test_connections_that_dawdle_are_closed_by_the_upgrade_deadline(run):
    """All at once: silent, half a greeting, greeting byte by byte, stuck in Noise, asking for ever."""
    import threading
    n, told = node(run), {}
    endless = [GREETING] + [b"\x05/no!\n"[:6]] * 100
    rows = {
        "silent": ([], 1),
        "half a greeting": ([GREETING[:7]], 1),
        "a byte a second": ([bytes([b]) for b in GREETING * 3], 1),
        "greeting only": ([GREETING], 1),
        "stuck in Noise": ([GREETING + NOISE, b"\x00\x20" + bytes(31)], 1),
        "asking on and on": (endless, 0.2),
    }

    def one(name, pieces, gap):
        try:
            low = 0 if name == "asking on and on" else UPGRADE_SECONDS - 1.5
            told[name] = deadline(n, name, pieces, gap, low, UPGRADE_SECONDS + 2)
        except Exception as err:  # noqa: BLE001 - told below
            told[name] = err

    threads = [threading.Thread(target=one, args=(k, *v), daemon=True) for k, v in rows.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join(40)
    bad = {k: str(v) for k, v in told.items() if isinstance(v, Exception)}
    same((len(told), bad), (len(rows), {}), "ends")
    return ", ".join(f"{k} {v:.1f} s" for k, v in told.items())


def test_a_peer_with_another_id_is_not_taken_for_the_one_wanted(run):
    """The address of one node with the id of another: the dial fails, and nothing is sent there."""
    n = node(run)
    other = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy49tpPV95XdKu1BcvMA"
    wrong = n.p2p[0].replace(n.id, other)
    asker = Node(run, "misled", "--bootstrap.static", wrong)
    for _ in range(3):
        a = get(asker.at, f"/v1/p2p/{other}/v1/health")
        expect(a.status in (502, 503), f"status {a.status}")
        time.sleep(0.3)
    same(json.loads(get(asker.at, "/v1/self").body)["connected_peers"], [], "peers of the asker")
    asker.kill()


def test_a_dead_address_of_a_peer_does_not_hold_up_the_good_one(run):
    n = node(run)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        dead = n.p2p[0].replace(f"/tcp/{n.p2p_at[1]}/", f"/tcp/{s.getsockname()[1]}/")
        asker = Node(run, "twoways", "--bootstrap.static", dead, "--bootstrap.static", n.p2p[0])
        eventually(lambda: get(asker.at, f"/v1/p2p/{n.id}/v1/health").status == 200, 5, "an answer by the good address")
    asker.kill()


def attacks(run, n):
    for case, *more in ATTACKS:
        hostile(run, n, case, *more)
    connects(n, 500)


ATTACKS = [
    ("handshakes",), ("rapid",), ("truncated",), ("flips",), ("syn-0",), ("duplicate-syn",), ("bad-type",), ("huge-frame",),
    ("oversized-token",), ("overrun", "-path", "/v1/_service/rec/stuck"), ("ping-flood",),
]


def mapped(n):
    """Resident bytes of files, that is of the libraries' code: the system may drop them at any time."""
    return int(re.search(r"RssFile:\s+(\d+)", Path(f"/proc/{n.pid}/status").read_text())[1]) * 1024


def back_after_attacks(run, name, *options, warm=0):
    """A fresh node, attacked in rounds: a few seconds after each, live bytes are within 5 % and resident memory
    within 1.2 times of what they were after the first `warm` ones. Code of libraries that the attacks were the
    first to use is counted as if it had been there from the start."""
    n = Node(run, name, f"--services=name=rec,url=http://127.0.0.1:{run.service.port}", *options)
    still_serves(n)
    for _ in range(warm):
        attacks(run, n)
        settled(n)
    time.sleep(2.5)
    base, rss, code = n.live_bytes(), n.rss(), mapped(n)
    told = []

    def back():
        now = n.live_bytes(), n.rss() - max(0, mapped(n) - code)
        told.append(f"{int(now[0]) >> 10} live, {now[1] >> 10} resident")
        return abs(now[0] / base - 1) <= 0.05 and (run.sanitized or now[1] <= 1.2 * rss)

    for _ in range(3):
        attacks(run, n)
        settled(n)
        try:
            eventually(back, 10, "memory is given back")
        except Failure as err:
            raise Failure(f"{err}: KiB {int(base) >> 10} live, {rss >> 10} resident at first, then {told[-1]}") from err
        told[:-1] = []
    n.stop()
    return f"KiB {int(base) >> 10} live, {rss >> 10} resident at first, then {told[-1]}"


def test_memory_is_back_where_it_was_after_attacks(run):
    return back_after_attacks(run, "measured", "--no-registry.enabled")


def test_a_member_of_the_mesh_grows_at_the_first_attack_only(run):
    """Its tables of peers stay as large as they once had to be."""
    return back_after_attacks(run, "measured-member", warm=1)


class SlowLine:
    """A TCP line in front of a node that brings what the node says slowly, and what it is told at once."""

    def __init__(self, to, piece=8192, gap=0.01):
        self.to, self.piece, self.gap = to, piece, gap
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = self.listener.getsockname()
        self.reset = False
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        near, _ = self.listener.accept()
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        far.connect(self.to)
        threading.Thread(target=self.pump, args=(near, far, 1 << 16, 0), daemon=True).start()
        self.pump(far, near, self.piece, self.gap)

    def pump(self, a, b, piece, gap):
        try:
            while data := a.recv(piece):
                b.sendall(data)
                time.sleep(gap)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset = True


def test_a_node_that_ends_costs_no_answer_its_tail(run):
    """The worker is told to end while the last of its answer is still in the kernel's buffer, before a slow line.
    Window updates that reach a closed socket would be answered by a reset, and what is in the buffer be lost."""
    worker = Node(run, "ending", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}")
    line = SlowLine(worker.p2p_at)
    head = Node(run, "ending-head", "--role", "head", "--bootstrap.static", f"/ip4/127.0.0.1/tcp/{line.at[1]}/p2p/{worker.id}")
    eventually(lambda: head.total("ocf_p2p_peers") == 1, 5, "the head has found the worker")
    with Client(head.at) as c:
        c.ask("GET", f"/v1/p2p/{worker.id}/v1/_service/rec/big?n=250000")
        a = c.answer_head()
        worker.signal(signal.SIGTERM)
        same(len(c.body(a)), 250000, "bytes")
    same(worker.wait(3), 0, "the worker's exit status")
    expect(not line.reset, "the line was reset")
    head.kill()


CASES = [
    test_200_simultaneous_handshakes_all_succeed,
    test_2000_rapid_connects_all_succeed,
    test_2000_connections_are_held_and_a_crowd_beyond_the_limit_is_refused,
    test_a_handshake_cut_at_every_byte_leaves_nothing,
    test_a_handshake_with_any_bit_flipped_never_ends_in_a_connection,
    ("SYN on stream 0 ends the connection", closed_case("syn-0")),
    ("SYN on a stream of the other side's parity ends the connection", closed_case("syn-even")),
    ("a second SYN on a stream ends the connection", closed_case("duplicate-syn")),
    ("another yamux version ends the connection", closed_case("bad-version")),
    ("an unknown frame type ends the connection", closed_case("bad-type")),
    ("a frame larger than any window ends the connection", closed_case("huge-frame")),
    ("a flood of pings ends the connection", closed_case("ping-flood")),
    ("a protocol name without end ends the stream", closed_case("oversized-token")),
    test_a_window_that_is_overrun_ends_the_connection,
    test_a_window_that_overflows_hurts_nobody,
    test_200_streams_without_a_protocol_hurt_nobody,
    test_garbage_ends_the_connection_at_once,
    test_connections_that_dawdle_are_closed_by_the_upgrade_deadline,
    test_a_peer_with_another_id_is_not_taken_for_the_one_wanted,
    test_a_dead_address_of_a_peer_does_not_hold_up_the_good_one,
    test_a_node_that_ends_costs_no_answer_its_tail,
    test_memory_is_back_where_it_was_after_attacks,
    test_a_member_of_the_mesh_grows_at_the_first_attack_only,
]


def close(run):
    if "attacked" in run.fixtures:
        run.fixtures.pop("attacked").kill()
