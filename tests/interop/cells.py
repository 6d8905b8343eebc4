"""The cells of the matrix: what two connected peers must do together.

A cell is a function of a Pair. It raises Failure, or returns a note for the report (or None).
"""

import threading
import time

from peer import Failure

PING = "/ipfs/ping/1.0.0"
SERVED = {
    PING,
    "/ipfs/id/1.0.0",
    "/ipfs/id/push/1.0.0",
    "/libp2p-http",
    "/ocf/test/echo/1.0.0",
    "/ocf/test/bulk/1.0.0",
    "/ocf/test/halfclose/1.0.0",
    "/ocf/test/reset/1.0.0",
}
SETTLE_SECONDS = 2  # until the other side's counters must tell what has happened
CANCEL_SECONDS = 1  # until a server must have noticed that its client left
PING_SECONDS = 1  # a round trip beside a transfer, on a machine that is busy with it
GONE_MS = 5000  # until a side must have noticed that the other is gone


class Pair:
    """Our peer and the other one, and who dials."""

    def __init__(self, ours, theirs, direction, bulk_bytes):
        self.ours, self.theirs, self.bulk_bytes = ours, theirs, bulk_bytes
        self.dialler, self.listener = (ours, theirs) if direction == "we-dial" else (theirs, ours)

    def each(self):
        """Both orders: who opens the streams, who answers."""
        return (self.ours, self.theirs), (self.theirs, self.ours)

    def connect(self):
        dialler, listener = self.dialler, self.listener
        seen = dialler.cmd("dial", addr=f"{listener.addrs[0]}/p2p/{listener.id}", timeout_ms=15000)
        check_connection(seen, dialler, listener)
        seen = listener.cmd("wait_connected", peer=dialler.id, timeout_ms=15000)
        check_connection(seen, listener, dialler)

    def peers(self):
        return self.ours, self.theirs


def check_connection(seen, at, other):
    got = seen.get("peer"), seen.get("security"), seen.get("muxer")
    expect(got == (other.id, "/noise", "/yamux/1.0.0"), f"{at} reports the connection as {got}")


def expect(holds, otherwise):
    if not holds:
        raise Failure(otherwise)


def settle(peer, done, otherwise, seconds=SETTLE_SECONDS):
    """Polls the counters of `peer` until done(counters); returns the milliseconds that it took."""
    start = time.monotonic()
    while not done(now := peer.cmd("counters")):
        expect(time.monotonic() - start < seconds, f"{otherwise} after {seconds} s: {now}")
        time.sleep(0.01)
    return round((time.monotonic() - start) * 1000)


def connect(pair):
    pair.connect()


def ping(pair):
    times = []
    for a, b in pair.each():
        seen = a.cmd("ping", peer=b.id, n=100)
        expect(seen["n"] == 100, f"{a} made {seen['n']} round trips")
        times.append(str(seen["avg_us"]))
    return f"avg {' / '.join(times)} us"


def identify(pair):
    for a, b in pair.each():
        seen = a.cmd("identify", peer=b.id)
        expect(seen["peer_id"] == b.id, f"{a} identified {seen['peer_id']} instead of {b.id}")
        expect(seen["agent"] == b.agent, f"{a} read the agent {seen['agent']!r}, not {b.agent!r}")
        missing = SERVED - set(seen["protocols"])
        expect(not missing, f"{a} was not told of {sorted(missing)}")
        addrs = [addr.split("/p2p/")[0] for addr in seen["addrs"]]
        expect(b.addrs[0] in addrs, f"{a} was told {addrs}, without {b.addrs[0]}")
        observed = seen["observed"].split("/p2p/")[0]
        expect(observed.startswith("/ip4/127.0.0.1/tcp/"), f"{a} was observed at {observed!r}")
        if a is pair.listener:
            expect(observed == a.addrs[0], f"{a} was observed at {observed}, dialled at {a.addrs[0]}")
        expect(seen["signed_record"] is True, f"{a} got no good signed record")


def push(pair):
    waits = []
    for a, b in pair.each():
        name = f"/ocf/test/push/{time.monotonic_ns()}"
        b.cmd("wait_protocol", peer=a.id, protocol=name, absent=True, timeout_ms=1000)
        a.cmd("push", add=name)
        waits.append(b.cmd("wait_protocol", peer=a.id, protocol=name, absent=False, timeout_ms=8000)["ms"])
        a.cmd("push", remove=name)
        waits.append(b.cmd("wait_protocol", peer=a.id, protocol=name, absent=True, timeout_ms=8000)["ms"])
    return f"after {waits} ms"


def streams(pair, n, concurrency, size):
    for a, b in pair.each():
        b.counters()
        seen = a.cmd("streams", peer=b.id, n=n, concurrency=concurrency, bytes=size)
        expect(seen["bytes"] == n * size, f"{a} got {seen['bytes']} bytes back")
        now = b.cmd("counters")
        expect(now["echo_streams"] == n, f"{b} saw {now['echo_streams']} of {n} streams")
        expect(now["echo_max_open"] >= concurrency, f"{b} had at most {now['echo_max_open']} open at once")
        settle(b, lambda c: c["open"] == 0, f"{b} still has streams open")


def streams_seq(pair):
    streams(pair, 1000, 1, 1000)


def streams_conc(pair):
    streams(pair, 200, 200, 20000)


def streams_1000(pair):
    # js needs 4 to 12 s for 1,000 on a busy machine, and negotiating a stream may take 10.
    n = 400 if "js" in (pair.ours.kind, pair.theirs.kind) else 1000
    streams(pair, n, n, 2000)


def ping_bulk(pair):
    """Pings overtake the bytes of other streams: none waits for the transfer that runs beside it."""
    n, worst = pair.bulk_bytes, []
    for a, b in pair.each():
        done = []
        transfer = threading.Thread(target=lambda a=a, b=b: done.append(caught(a, b, n)))
        transfer.start()
        rounds = 0
        while transfer.is_alive() or rounds == 0:
            start = time.monotonic()
            b.cmd("ping", peer=a.id, n=5)
            worst.append((time.monotonic() - start) / 5)
            rounds += transfer.is_alive()
            if not transfer.is_alive():
                break
        transfer.join()
        expect(done[0] is None, f"the transfer failed: {done[0]}")
        expect(rounds > 0 or n < 1 << 26, f"{a} was done before a ping was: nothing was measured")
    expect(max(worst) < PING_SECONDS, f"a ping took {max(worst):.2f} s")
    return f"mean of five at worst {1000 * max(worst):.1f} ms, {len(worst)} times"


def caught(a, b, n):
    try:
        seen = a.cmd("bulk", peer=b.id, dir="send", bytes=n, seconds=605)
        return None if seen["bytes"] == n else f"{a} moved {seen['bytes']} bytes"
    except Failure as err:
        return str(err)


def bulk(pair):
    n, rates = pair.bulk_bytes, []
    for a, b in pair.each():
        b.counters()
        for direction in ("send", "recv"):
            seen = a.cmd("bulk", peer=b.id, dir=direction, bytes=n, seconds=605)
            expect(seen["bytes"] == n, f"{a} moved {seen['bytes']} bytes")
            rates.append(f"{n / 1000 / max(seen['ms'], 1):.0f}")
        settle(b, lambda c: (c["bulk_in"], c["bulk_out"]) == (n, n), f"{b} did not count {n} bytes each way")
    return f"{' '.join(rates)} MB/s"


def halfclose(pair):
    n = 1 << 20
    for a, b in pair.each():
        for mode in ("initiator", "responder"):
            b.counters()
            seen = a.cmd("halfclose", peer=b.id, mode=mode, bytes=n)
            expect(seen["bytes"] == n, f"{a} moved {seen['bytes']} bytes")
            settle(b, lambda c: c["halfclose_bytes"] == n, f"{b} did not count {n} bytes ({mode})")
        settle(b, lambda c: c["open"] == 0, f"{b} still has streams open")


def reset(pair):
    for a, b in pair.each():
        b.counters()
        a.cmd("reset", peer=b.id, mode="initiator")
        settle(b, lambda c: c["reset_seen"] == 1 and c["open"] == 0, f"{b} did not see the reset")
        a.cmd("reset", peer=b.id, mode="responder")
        a.cmd("ping", peer=b.id, n=1)
        settle(b, lambda c: c["open"] == 0, f"{b} still has streams open")


def http_get(pair):
    for a, b in pair.each():
        b.counters()
        a.cmd("http", peer=b.id, op="get")
        now = b.cmd("counters")
        got = now["http_streams"], now["http_requests"]
        expect(got == (1, 1), f"{b} counted {got[0]} streams and {got[1]} requests")


def http_post(pair):
    n = 256 << 10
    for a, b in pair.each():
        for chunked in (False, True):
            seen = a.cmd("http", peer=b.id, op="post", bytes=n, chunked=chunked)
            expect(seen["bytes"] == n, f"{a} got {seen['bytes']} bytes back")


def http_sse(pair):
    n, delay = 20, 20
    spans = []
    for a, b in pair.each():
        seen = a.cmd("http", peer=b.id, op="sse", n=n, delay_ms=delay)
        expect(seen["events"] == n and seen["done"] is True, f"{a} read {seen}")
        # An answer that was held back and came at once would have no span.
        span = seen["last_ms"] - seen["first_ms"]
        expect(span >= 0.6 * (n - 1) * delay, f"{a} read all events within {span} ms")
        spans.append(f"{seen['first_ms']}..{seen['last_ms']}")
    return f"events at {' and '.join(spans)} ms"


def http_keepalive(pair):
    for a, b in pair.each():
        b.counters()
        seen = a.cmd("http", peer=b.id, op="keepalive", n=100)
        now = b.cmd("counters")
        got = seen["n"], seen["streams"], now["http_streams"], now["http_requests"]
        expect(got == (100, 1, 1, 100), f"requests, streams, streams and requests seen: {got}")


def cancel(pair):
    waits = []
    for a, b in pair.each():
        b.counters()
        seen = a.cmd("cancel", peer=b.id, events=3, delay_ms=10)
        expect(seen["events"] == 3, f"{a} read {seen['events']} events")
        waits.append(settle(b, lambda c: c["sse_cancelled"] == 1, f"{b} did not notice", CANCEL_SECONDS))
        a.cmd("ping", peer=b.id, n=1)
    return f"noticed after {waits} ms"


def restart(pair):
    for victim, other in pair.each():
        victim.kill()
        other.cmd("wait_gone", peer=victim.id, timeout_ms=GONE_MS)
        victim.start()
        pair.connect()
        use(pair)
    pair.dialler.cmd("disconnect", peer=pair.listener.id)
    for a, b in pair.each():
        a.cmd("wait_gone", peer=b.id, timeout_ms=GONE_MS)
    pair.connect()
    use(pair)


def use(pair):
    """Shows that a fresh connection works in both directions."""
    for a, b in pair.each():
        a.cmd("ping", peer=b.id, n=3)
        a.cmd("http", peer=b.id, op="get")


# Name, function, seconds that the cell may take.
CELLS = [
    ("connect", connect, 40),
    ("ping", ping, 30),
    ("identify", identify, 20),
    ("push", push, 30),
    ("streams-seq", streams_seq, 90),
    ("streams-conc", streams_conc, 60),
    ("streams-1000", streams_1000, 60),
    ("bulk", bulk, 1200),
    ("ping-bulk", ping_bulk, 700),
    ("halfclose", halfclose, 60),
    ("reset", reset, 30),
    ("http-get", http_get, 20),
    ("http-post", http_post, 30),
    ("http-sse", http_sse, 30),
    ("http-keepalive", http_keepalive, 30),
    ("cancel", cancel, 30),
    ("restart", restart, 90),
]
