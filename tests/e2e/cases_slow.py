"""Cases that wait for a deadline. They share no process with the others and run beside them."""

import json
import select
import socket
import time

from cases_http import check_error
from processes import Node, Pair, eventually, finish, clean_env
from service import Service
from wire import Client, Cut, Failure, expect, get, same


def test_a_port_in_use_is_named_after_five_seconds(run):
    """Both ports; all tries wait at the same time."""
    import threading
    with socket.socket() as taken, socket.socket() as soon:
        for s in (taken, soon):
            s.bind(("127.0.0.1", 0))
            s.listen()
        port, told = taken.getsockname()[1], {}

        def start(name, *args):
            began = time.monotonic()
            folder = run.folder / f"taken-{name}"
            folder.mkdir()
            told[name] = (*finish([run.ocf, "start", *args], env=clean_env(folder)), time.monotonic() - began)

        rows = {"http": ["--listen", "/ip4/127.0.0.1/tcp/0", "--port", port],
                "p2p": ["--listen", f"/ip4/127.0.0.1/tcp/{port}", "--port", "0"]}
        threads = [threading.Thread(target=start, args=(n, *a), daemon=True) for n, a in rows.items()]
        for t in threads:
            t.start()
        # A port that becomes free within the five seconds is taken.
        late = Node(run, "late", port=soon.getsockname()[1], wait=False)
        time.sleep(2)
        soon.close()
        late.ready()
        late.stop()
        for t in threads:
            t.join(20)
    for name in rows:
        status, out, err, took = told[name]
        same((status, out), (5, ""), f"{name}: exit status and output")
        expect(str(port) in err and "in use" in err, f"{name}: it says {err!r}")
        expect(4 < took < 9, f"{name}: it took {took:.1f} s")


def waiting_node(run):
    return run.fixture("waiting", lambda: Node(
        run, "waiting", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}",
        "--http.header_timeout", "1s", "--http.idle_timeout", "2s", "--http.body_grace", "1s",
        "--http.body_min_rate", "1000", "--http.write_stall_timeout", "2s", "--upstream.idle_timeout", "1s"))


def ends_after(c, low, high, want=None):
    start = time.monotonic()
    got, how = c.rest(high + 3)
    took = time.monotonic() - start
    expect(how != "open", f"still open after {took:.1f} s")
    expect(low <= took <= high, f"it ended after {took:.1f} s, not {low} to {high}")
    if want:
        expect(got.startswith(b"HTTP/1.1 %d " % want), f"it said {got[:60]!r}")


def test_a_slow_head_is_given_up(run):
    """Slow loris: a byte now and then does not help."""
    node = waiting_node(run)
    with Client(node.at) as c:
        start = time.monotonic()
        for byte in c.head("GET", "/v1/health", [f"X: {'y' * 200}"]):
            c.send(bytes([byte]))
            if select.select([c.sock], [], [], 0.05)[0]:
                break
        took = time.monotonic() - start
        same(c.answer().status, 408, "status")
        expect(0.8 < took < 3, f"it was given up after {took:.1f} s")
    with Client(node.at) as c:
        c.send(b"GET / HT")
        ends_after(c, 0.5, 2.5, 408)


def test_an_idle_connection_is_closed(run):
    node = waiting_node(run)
    with Client(node.at) as c:
        c.get("GET", "/v1/health")
        ends_after(c, 1.5, 3.5)
    with Client(node.at) as c:
        ends_after(c, 1.5, 3.5)


def test_a_slow_body_is_given_up_and_cancelled_at_the_service(run):
    node = waiting_node(run)
    with Client(node.at) as c:
        c.send(c.head("POST", "/v1/_service/rec/hash/slow-body", ["Content-Length: 1000000"]))
        start = time.monotonic()
        try:
            while time.monotonic() - start < 8:
                c.send(b"x" * 10)
                time.sleep(0.1)
        except OSError:
            pass
        took = time.monotonic() - start
        expect(0.8 < took < 5, f"100 bytes a second were taken for {took:.1f} s")
    rq = run.service.seen("/hash/slow-body")
    eventually(lambda: rq and rq[0].gone, 2, "the service's connection is closed")


def test_a_client_that_stops_reading_is_disconnected(run):
    node = waiting_node(run)
    with Client(node.at, rcvbuf=4096) as c:
        c.ask("GET", f"/v1/_service/rec/big/stalled?n={256 << 20}")
        rq = run.service.wait_for("/big/stalled")[0]
        time.sleep(0.5)
        eventually(lambda: rq.gone, 8, "the service's connection is closed")


def test_idle_connections_to_the_service_are_closed(run):
    service = Service()
    node = Node(run, "poolidle", f"--services=name=rec,url=http://127.0.0.1:{service.port}", "--upstream.idle_timeout", "1s")
    a = get(node.at, "/v1/_service/rec/hash")
    first = json.loads(a.body)["conn"]
    same(json.loads(get(node.at, "/v1/_service/rec/hash").body)["conn"], first, "the connection of the second request")
    time.sleep(2.2)
    expect(json.loads(get(node.at, "/v1/_service/rec/hash").body)["conn"] != first, "an old connection was used")
    node.stop()
    service.stop()


def test_a_service_that_comes_and_goes_changes_readiness(run):
    service = Service()
    port = service.port
    node = Node(run, "health", f"--services=name=s,url=http://127.0.0.1:{port}", "--service.health_interval", "200ms",
                "--service.health_failures", "2")
    eventually(lambda: get(node.at, "/readyz").status == 200, 5, "ready with a healthy service")
    service.stop()
    eventually(lambda: get(node.at, "/readyz").status == 503, 5, "not ready without it")
    same(node.total("ocf_service_up", service="s"), 0, "ocf_service_up")
    service = Service(port=port)
    eventually(lambda: get(node.at, "/readyz").status == 200, 5, "ready again")
    node.stop()
    service.stop()


def test_p2p_streams_outlive_their_idle_times(run):
    """The head's pool forgets streams before the worker does: no request is lost around either limit."""
    pair = Pair(run, "streams", {"rec": f"http://127.0.0.1:{run.service.port}"},
                worker=["--p2p.stream_server_idle", "2s"], head=["--p2p.stream_client_idle", "1s"])
    for wait in (0, 0.9, 1.0, 1.1, 1.9, 2.0, 2.1):
        time.sleep(wait)
        same(get(pair.head.at, pair.path("rec", "/hash")).status, 200, f"after {wait} s")
    racing = Pair(run, "racing", {"rec": f"http://127.0.0.1:{run.service.port}"},
                  worker=["--p2p.stream_server_idle", "1s"], head=["--p2p.stream_client_idle", "60s"])
    for wait in (0, 0.98, 1.0, 1.02, 1.05):  # set up wrongly on purpose: a retry hides it
        time.sleep(wait)
        same(get(racing.head.at, racing.path("rec", "/hash"), method="POST", body=b"x").status, 200, f"after {wait} s")
    pair.stop()
    racing.stop()


def test_a_small_memory_limit_sheds_a_burst_and_serves_again(run):
    """The limit is so low that the buffers of a burst alone would pass its 85 %: they are given back."""
    node = Node(run, "frugal", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}", "--limits.memory", "2MiB")
    refused = 0

    def serves():
        try:
            return get(node.at, "/v1/_service/rec/hash").status == 200
        except (Cut, Failure, OSError):
            return False

    for _ in range(2):
        clients = [Client(node.at, rcvbuf=4096) for _ in range(100)]
        for c in clients:
            c.ask("GET", f"/v1/_service/rec/big/frugal?n={4 << 20}")
        time.sleep(0.3)
        for c in clients:
            try:
                refused += c.answer_head().status == 503
            except (Cut, Failure, OSError):
                refused += 1
            c.reset()
        eventually(serves, 4, "it serves again", every=0.2)
    expect(refused > 0, "nothing was refused: the burst was too small for this test")
    node.stop()
    return f"{refused} of 200 refused"


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]


def close(run):
    if "waiting" in run.fixtures:
        run.fixtures.pop("waiting").kill()
