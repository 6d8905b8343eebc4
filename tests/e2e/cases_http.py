"""HTTP/1.1 through both hops: what a well-behaved client may do, and what it must get."""

import hashlib
import json
import socket
import threading
import time

from processes import Node, Pair, eventually
from service import Service
from wire import Client, Cut, Failure, expect, get, same

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def told(answer):
    return json.loads(answer.body)


def field_values(fields, name):
    return [v for n, v in fields if n.lower() == name.lower()]


def test_a_request_reaches_the_service_and_its_answer_comes_back(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/hash/a%20b?x=1&y=%2F"), ["X-Mine: kept"], "POST", b"hello")
    same(a.status, 200, "status")
    same(told(a)["target"], "/hash/a%20b?x=1&y=%2F", "the target at the service")
    same(told(a)["length"], 5, "body bytes at the service")
    same(field_values(told(a)["fields"], "X-Mine"), ["kept"], "our own field")
    same(field_values(told(a)["fields"], "Host"), [f"127.0.0.1:{run.service.port}"], "Host at the service")


def test_every_method_is_passed_on(run):
    with Client(run.pair.head.at) as c:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"):
            a = c.get(method, run.pair.path("rec", "/hash"), body=b"x" if method in ("POST", "PUT") else None)
            same(told(a)["method"], method, "the method at the service")


def test_a_worker_answers_for_its_own_services(run):
    a = get(run.pair.worker.at, "/v1/_service/rec/hash/here")
    same((a.status, told(a)["target"]), (200, "/hash/here"), "the worker's own route")
    a = get(run.pair.worker.at, f"/v1/p2p/{run.pair.worker.id}/v1/_service/rec/hash/self")
    same((a.status, told(a)["target"]), (200, "/hash/self"), "the worker's own id in the path")


def test_the_computing_node_is_named_and_cannot_be_forged(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/fields"))
    same(a.all("X-Computing-Node"), [run.pair.worker.id], "X-Computing-Node")


def test_a_request_id_is_taken_over_echoed_and_logged_on_both_nodes(run):
    mine = "case-id-4711"
    a = get(run.pair.head.at, run.pair.path("rec", "/hash"), [f"X-Request-Id: {mine}"])
    same(a.all("X-Request-Id"), [mine], "X-Request-Id")
    same(field_values(told(a)["fields"], "X-Request-Id"), [mine], "X-Request-Id at the service")
    for node in run.pair.nodes:
        eventually(lambda: f"id={mine}" in node.text(), 5, f"{mine} in the log of {node.name}")


def test_a_request_id_is_made_when_there_is_none_or_a_bad_one(run):
    made = set()
    for fields in ([], ["X-Request-Id: a b"], ["X-Request-Id: " + "x" * 200], ["X-Request-Id: a", "X-Request-Id: b"]):
        a = get(run.pair.head.at, run.pair.path("rec", "/hash"), fields)
        rid = a.get("X-Request-Id")
        expect(rid and rid not in made and rid not in ("a", "b", "a b"), f"request id {rid!r} for {fields}")
        made.add(rid)
        same(field_values(told(a)["fields"], "X-Request-Id"), [rid], "X-Request-Id at the service")
        eventually(lambda: all(f"id={rid}" in n.text() for n in run.pair.nodes), 5, "the id in both logs")


def test_traceparent_is_passed_on(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/hash"), [f"traceparent: {TRACEPARENT}", "tracestate: a=b"])
    same(field_values(told(a)["fields"], "traceparent"), [TRACEPARENT], "traceparent")
    same(field_values(told(a)["fields"], "tracestate"), ["a=b"], "tracestate")


def test_hop_by_hop_fields_are_dropped_both_ways(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/hash"), [
        "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=9", "Proxy-Authorization: Basic eA==",
        "TE: trailers", "Proxy-Connection: keep-alive", "X-End: 2"])
    fields = told(a)["fields"]
    for name in ("X-Hop", "Keep-Alive", "Proxy-Authorization", "TE", "Proxy-Connection"):
        same(field_values(fields, name), [], f"{name} at the service")
    same(field_values(fields, "X-End"), ["2"], "X-End at the service")
    a = get(run.pair.head.at, run.pair.path("rec", "/fields"))
    for name in ("X-Hop", "Proxy-Authenticate", "Upgrade"):
        same(a.all(name), [], f"{name} at the client")
    same(a.all("X-End"), ["kept"], "X-End at the client")
    same(a.all("Set-Cookie"), ["a=1", "b=2"], "Set-Cookie at the client")
    expect(a.get("X-Request-Id") != "forged", "the service's X-Request-Id replaced ours")


def test_a_connection_is_kept_and_serves_100_requests(run):
    with Client(run.pair.head.at) as c:
        for i in range(100):
            a = c.get("POST" if i % 2 else "GET", run.pair.path("rec", f"/hash/keep{i}"), body=b"x" * i if i % 2 else None)
            same((a.status, told(a)["target"]), (200, f"/hash/keep{i}"), "answer")


def test_pipelined_requests_are_answered_in_order(run):
    path = run.pair.path
    with Client(run.pair.head.at) as c:
        c.send(c.head("GET", path("rec", "/slow/first?ms=300"))
               + b"".join(c.head("POST", path("rec", f"/hash/{i}"), ["Content-Length: 3"]) + b"abc" for i in range(20))
               + c.head("GET", "/v1/health") + c.head("GET", path("rec", "/hash/last")))
        same(c.answer().body, b'{"slow":true}', "the first answer")
        for i in range(20):
            same(told(c.answer())["target"], f"/hash/{i}", "the next answer")
        same(told(c.answer()), {"status": "ok"}, "the node's own answer")
        same(told(c.answer())["target"], "/hash/last", "the last answer")


def test_connection_close_is_honoured(run):
    with Client(run.pair.head.at) as c:
        a = c.get("GET", run.pair.path("rec", "/hash"), ["Connection: close"])
        expect(a.closes, "the answer does not say Connection: close")
        c.must_end()


def test_a_slow_reader_sees_the_end_of_an_answer_that_closes(run):
    """Much of the answer waits in the node when the request is over; the end follows the last byte at once."""
    size = 8 << 20
    for version, fields in (("1.1", ["Connection: close"]), ("1.0", [])):
        with Client(run.pair.head.at, rcvbuf=4096) as c:
            c.ask("GET", run.pair.path("rec", f"/big?n={size}"), fields, version=version)
            head = c.answer_head()
            got, c.buffer = len(c.buffer), b""
            while got < size:
                data = c.sock.recv(1 << 14)
                expect(data, f"cut after {got} bytes")
                got += len(data)
                time.sleep(0.0005)
            same((head.status, got), (200, size), "status and bytes")
            c.must_end(3)


def test_chunked_bodies_pass_both_ways(run):
    for sizes in ([1], [1] * 50, [100_000, 3], [0]):
        with Client(run.pair.head.at) as c:  # an answer that begins before its request ended may close
            c.send(c.head("POST", run.pair.path("rec", "/echo"), ["Transfer-Encoding: chunked"]))
            sent = b""
            for k, n in enumerate(s for s in sizes if s):
                data = bytes([65 + k % 26]) * n
                sent += data
                c.send(b"%x;ext=1\r\n%s\r\n" % (n, data))
            c.send(b"0\r\nX-Trailer: dropped\r\n\r\n")
            a = c.answer()
            same((a.status, a.all("Transfer-Encoding"), a.body), (200, ["chunked"], sent), "the echo")
    with Client(run.pair.head.at) as c:  # one that has read it all does not
        for n in (1, 5, 70_000):
            c.send(c.head("POST", run.pair.path("rec", "/hash"), ["Transfer-Encoding: chunked"])
                   + b"%x\r\n%s\r\n0\r\n\r\n" % (n, b"k" * n))
            same(told(c.answer())["length"], n, "bytes at the service")
    a = get(run.pair.head.at, run.pair.path("rec", "/chunked"))
    same(a.body, b"onetwo" + b"x" * 70000, "the chunked answer; its trailer dropped")


def test_an_answer_until_close_is_framed_anew(run):
    with Client(run.pair.head.at) as c:
        for _ in range(2):
            a = c.get("GET", run.pair.path("rec", "/until-close"))
            same((a.body, a.all("Transfer-Encoding")), (b"until the end", ["chunked"]), "answer")


def test_head_has_the_length_and_no_body(run):
    with Client(run.pair.head.at) as c:
        for path in (run.pair.path("rec", "/length"), "/v1/health"):
            whole = c.get("GET", path)
            a = c.get("HEAD", path)
            same((a.status, a.body), (200, b""), "answer to HEAD")
            same(a.all("Content-Length"), [str(len(whole.body))], "its length")


def test_204_and_304_have_no_body(run):
    with Client(run.pair.head.at) as c:
        for code in (204, 304):
            a = c.get("POST", run.pair.path("rec", f"/status?code={code}"), body=b"ab")
            same((a.status, a.body, a.all("Transfer-Encoding")), (code, b"", []), "answer")
        same(c.get("GET", "/v1/health").status, 200, "the next answer")


def test_http_1_0_gets_what_it_understands(run):
    with Client(run.pair.head.at) as c:
        a = c.get("GET", run.pair.path("rec", "/chunked"), version="1.0")
        same((a.body, a.all("Transfer-Encoding")), (b"onetwo" + b"x" * 70000, []), "a chunked answer for HTTP/1.0")
        c.must_end()
    with Client(run.pair.head.at) as c:
        a = c.get("POST", run.pair.path("rec", "/hash"), ["Connection: keep-alive"], b"hello", version="1.0")
        same((a.status, told(a)["length"]), (200, 5), "answer")
        same(c.get("GET", "/v1/health", version="1.0").status, 200, "the second answer on a kept connection")
        c.must_end()


def test_expect_100_continue_is_answered_before_the_body(run):
    with Client(run.pair.head.at) as c:
        c.send(c.head("POST", run.pair.path("rec", "/hash"), ["Expect: 100-continue", "Content-Length: 5"]))
        same(c.answer_head().status, 100, "the interim answer")
        c.send(b"hello")
        a = c.answer()
        same((a.status, told(a)["length"]), (200, 5), "the answer")
        same(field_values(told(a)["fields"], "Expect"), [], "Expect at the service")
        # A body that does not wait is fine as well.
        c.send(c.head("POST", run.pair.path("rec", "/hash"), ["Expect: 100-continue", "Content-Length: 5"]) + b"HELLO")
        a = c.answer()
        same((a.status, told(a)["length"]), (200, 5), "the answer to an early body")
        c.send(c.head("POST", "/v1/_service/none/x", ["Expect: 100-continue", "Content-Length: 5"]))
        a = c.answer_head()
        same(a.status, 404, "a refusal comes without 100")


def test_upgrade_is_ignored(run):
    with Client(run.pair.head.at) as c:
        a = c.get("GET", run.pair.path("rec", "/hash"), [
            "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"])
        same(a.status, 200, "status")
        for name in ("Upgrade", "HTTP2-Settings", "Connection"):
            same([v for v in field_values(told(a)["fields"], name) if v.lower() != "keep-alive"], [], f"{name} at the service")
        a = c.get("GET", run.pair.path("rec", "/hash"), [
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
        expect(a.status in (200, 426, 501), f"WebSocket is answered {a.status}")
        same(a.all("Upgrade") if a.status == 200 else [], [], "Upgrade in the answer")


def test_heads_below_the_limits_pass(run):
    fields = [f"X-{i:02}: {'v' * 250}" for i in range(90)]
    a = get(run.pair.head.at, run.pair.path("rec", "/hash?" + "q" * 7000), fields)
    same(a.status, 200, "status")
    same(len([n for n, _ in told(a)["fields"] if n.startswith("X-") and n[2:].isdigit()]), 90, "fields at the service")


def echo(c, path, size, chunked):
    """Sends `size` bytes and reads them back at the same time; returns both hashes and the answer."""
    block = hashlib.sha512(b"seed").digest() * 1024
    want, got, n = hashlib.sha256(), hashlib.sha256(), [0]
    failed = []

    def send():
        try:
            framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
            c.send(c.head("POST", path, [framing]))
            left = size
            while left:
                data = block[:left]
                want.update(data)
                c.send(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
                left -= len(data)
            if chunked:
                c.send(b"0\r\n\r\n")
        except OSError as err:
            failed.append(err)

    def take(data):
        got.update(data)
        n[0] += len(data)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    a = c.answer_head()
    same(a.status, 200, "status")
    c.body(a, sink=take)
    sender.join(10)
    expect(not failed, f"sending failed: {failed}")
    same((n[0], got.hexdigest()), (size, want.hexdigest()), "the echo")


def test_200_kb_are_echoed_through_both_hops(run):
    for chunked in (False, True):
        for _ in range(5):
            with Client(run.pair.head.at) as c:
                echo(c, run.pair.path("rec", "/echo"), 200_000, chunked)


def test_64_mib_are_echoed_through_both_hops(run):
    before = [n.rss() for n in run.pair.nodes]
    with Client(run.pair.head.at, timeout=60) as c:
        start = time.monotonic()
        echo(c, run.pair.path("rec", "/echo"), 64 << 20, False)
        took = time.monotonic() - start
    grown = [(n.rss() - b) / (1 << 20) for n, b in zip(run.pair.nodes, before)]
    expect(run.sanitized or max(grown) < 48, f"resident memory grew by {grown} MiB: the body was gathered, not streamed")
    return f"{64 / took:.0f} MiB/s each way"


def test_events_arrive_as_they_are_sent(run):
    with Client(run.pair.head.at) as c:
        c.ask("GET", run.pair.path("rec", "/sse/live?n=5&gap_ms=150"))
        a = c.answer_head()
        same((a.status, a.get("Content-Type")), (200, "text/event-stream"), "head")
        times = []
        while data := c.chunk():
            times.append(time.monotonic())
            last = data
    same(last, b"data: [DONE]\n\n", "the last event")
    same(len(times), 6, "chunks")
    gaps = [b - a for a, b in zip(times, times[1:])]
    expect(min(gaps) > 0.05, f"events came together: {gaps}")


def test_a_target_that_is_not_there_is_named_in_the_error_contract(run):
    other = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy49tpPV95XdKu1BcvMA"
    rows = [
        (run.pair.path("none", "/x"), 404, "service_not_found"),
        (f"/v1/p2p/{other}/v1/_service/rec/hash", (502, 503), None),
        ("/v1/p2p/nonsense/v1/health", 400, "bad_peer_id"),
        ("/v1/p2p/", 400, "bad_peer_id"),
        ("/nothing", 404, "not_found"),
        ("/v1/_service/none/x", 404, "service_not_found"),
        (run.pair.path("127.0.0.1:22", "/x"), 404, "service_not_found"),
    ]
    for path, status, code in rows:
        a = get(run.pair.head.at, path)
        expect(a.status in (status if isinstance(status, tuple) else (status,)), f"{path}: status {a.status}")
        check_error(a, code)


def check_error(answer, code=None):
    """The error contract: one JSON object with these members."""
    expect((answer.get("Content-Type") or "").startswith("application/json"), f"type {answer.get('Content-Type')}")
    error = json.loads(answer.body)["error"]
    same(set(error), {"message", "type", "param", "code", "request_id"}, "members of the error")
    expect(error["message"] and error["type"] and error["code"], f"an empty error: {error}")
    if code:
        same(error["code"], code, "code")
    if answer.get("X-Request-Id"):
        same(error["request_id"], answer.get("X-Request-Id"), "request id")


def test_a_peer_may_use_services_and_nothing_more(run):
    """Through the head, the worker is asked by a peer: it must not reach further, nor look inside."""
    worker = f"/v1/p2p/{run.pair.worker.id}"
    same(get(run.pair.head.at, f"{worker}/v1/health").status, 200, "health")
    for path in ("/v1/self", "/metrics", f"/v1/p2p/{run.pair.head.id}/v1/health"):
        a = get(run.pair.head.at, worker + path)
        same(a.status, 403, path)
        check_error(a)


def test_a_known_path_refuses_other_methods_with_allow(run):
    for path in ("/v1/health", "/healthz", "/readyz", "/metrics", "/v1/self"):
        a = get(run.pair.head.at, path, method="DELETE")
        same(a.status, 405, path)
        expect("GET" in (a.get("Allow") or ""), f"{path}: Allow is {a.get('Allow')!r}")
        check_error(a)
        same(get(run.pair.head.at, path).status, 200, f"GET {path}")


def test_a_service_on_a_unix_socket_is_reached(run):
    socket_path = run.folder / "s.sock"
    service = Service(unix=str(socket_path))
    pair = Pair(run, "unix", {"u": f"unix:{socket_path}"})
    a = get(pair.head.at, pair.path("u", "/hash/by-unix"))
    same(told(a)["target"], "/hash/by-unix", "the target at the service")
    pair.stop()
    service.stop()


def test_a_kept_connection_that_the_service_broke_is_replaced(run):
    """The service resets a connection on its second request: the request is sent once more on a new one."""
    before = run.pair.worker.total("ocf_http_retries_total")
    for i in range(6):
        a = get(run.pair.head.at, run.pair.path("rec", f"/stale/{i}"), method="POST", body=b"held")
        same((a.status, told(a)["length"]), (200, 4), f"answer {i}")
    expect(run.pair.worker.total("ocf_http_retries_total") > before, "no retry was counted")


def test_a_request_is_tried_three_times_and_then_fails(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/mute/retried"), method="POST", body=b"x")
    same(a.status, 502, "status")
    check_error(a)
    n = len(run.service.seen("/mute/retried"))
    expect(2 <= n <= 3, f"the service saw {n} attempts")


def test_a_body_beyond_the_hold_is_never_sent_twice(run):
    a = get(run.pair.head.at, run.pair.path("rec", "/mute/large"), method="POST", body=b"x" * 100_000)
    same(a.status, 502, "status")
    same(len(run.service.seen("/mute/large")), 1, "attempts")


def test_retries_can_be_switched_off(run):
    node = Node(run, "once", f"--services=name=rec,url=http://127.0.0.1:{run.service.port}", "--no-retry.enabled")
    a = get(node.at, "/v1/_service/rec/mute/once", method="POST", body=b"x")
    same((a.status, len(run.service.seen("/mute/once"))), (502, 1), "status and attempts")
    node.stop()


def test_a_service_that_is_down_is_a_502(run):
    from processes import free_port
    node = Node(run, "down", f"--services=name=s,url=http://127.0.0.1:{free_port()}")
    a = get(node.at, "/v1/_service/s/x")
    same(a.status, 502, "status")
    check_error(a)
    same(get(node.at, "/readyz").status, 503, "/readyz of a worker without a well service")
    node.kill()


def test_many_connections_at_once_are_served(run):
    def work(i, out):
        try:
            with Client(run.pair.head.at) as c:
                for k in range(10):
                    a = c.get("POST", run.pair.path("rec", f"/hash/many{i}-{k}"), body=b"y" * 1000)
                    out.append(a.status == 200 and told(a)["target"] == f"/hash/many{i}-{k}")
        except (Failure, Cut, OSError) as err:
            out.append(err)

    out = []
    threads = [threading.Thread(target=work, args=(i, out), daemon=True) for i in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    bad = [o for o in out if o is not True]
    same((len(out), bad), (500, []), "answers")


def test_two_planes_serve_one_identity(run):
    services = {"rec": f"http://127.0.0.1:{run.service.port}"}
    pair = Pair(run, "planes", services, head=["--planes", "2"], worker=["--planes", "2"])
    for i in range(20):
        a = eventually(lambda: ok(get(pair.head.at, pair.path("rec", f"/hash/planes{i}"))), 5, "an answer")
        same(told(a)["target"], f"/hash/planes{i}", "the target at the service")
    pair.stop()


def ok(answer):
    return answer if answer.status == 200 else None


def test_ipv6_listeners_work(run):
    node = Node(run, "six", "--host", "::1", listen="/ip6/::1/tcp/0")
    same(node.at[0], "::1", "HTTP host of the ready line")
    same(get(node.at, "/v1/health").status, 200, "status")
    node.stop()


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]
