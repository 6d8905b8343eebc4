"""What becomes of answers that break off, fall silent or lie, and of clients that leave."""

import json
import threading
import time

from cases_http import check_error
from processes import Pair, eventually
from wire import Client, Cut, Failure, expect, get, same

SILENCE = 1.0  # http.chunk_timeout of the impatient nodes, in seconds
CANCEL_MS = 100  # after a client has left, its work at the service may go on for so long


def events(data):
    return [e for e in data.decode().split("\n\n") if e]


def stream(at, path, timeout=15):
    """Reads a stream to its end; returns (events, request id, how it ended: "end" or the Cut)."""
    with Client(at, timeout) as c:
        c.ask("GET", path)
        head = c.answer_head()
        same(head.status, 200, "status")
        try:
            return events(c.body(head)), head.get("X-Request-Id"), "end"
        except Cut as cut:
            return events(cut.got), head.get("X-Request-Id"), cut


def must_fail_visibly(at, path, want_events, code=None):
    """The events that came, one error event with the request id, broken framing, no [DONE]."""
    got, rid, how = stream(at, path)
    expect(how != "end", f"the framing ended in order after {got}")
    expect("data: [DONE]" not in got, "a fabricated [DONE]")
    errors = [e for e in got if '"error"' in e]
    same(len(errors), 1, f"error events in {got}")
    same(got[-1], errors[0], "the last event")
    same(got[:want_events], [f'data: {{"i":{i}}}' for i in range(want_events)], "the events before it")
    error = json.loads(errors[0].removeprefix("data: "))["error"]
    same(error["request_id"], rid, "request id in the event")
    expect(error["message"] and error["code"], f"an empty error: {error}")
    if code:
        same(error["code"], code, "code")
    return error


def test_a_service_that_dies_in_a_stream_is_reported(run):
    must_fail_visibly(run.pair.head.at, run.pair.path("rec", "/sse/a?n=9&after=3&how=die"), 3, "upstream_failed")


def test_a_service_that_closes_in_a_stream_is_reported(run):
    must_fail_visibly(run.pair.head.at, run.pair.path("rec", "/sse/b?n=9&after=3&how=close"), 3, "upstream_failed")


def test_a_service_that_stops_in_the_middle_of_an_event_never_makes_it_look_whole(run):
    """What ends inside an event is dropped by every reader of event streams; a blank line, or anything that brings
    one, would hand the part on as an event. So nothing follows, and the framing breaks off."""
    with Client(run.pair.head.at) as c:
        c.ask("GET", run.pair.path("rec", "/sse/c?n=9&after=2&how=half"))
        head = c.answer_head()
        try:
            got, how = c.body(head), "end"
        except Cut as cut:
            got, how = cut.got, "cut"
    same((got, how), (b'data: {"i":0}\n\ndata: {"i":1}\n\ndata: {"i":', "cut"), "the stream, and how it ended")


def test_the_worker_reports_the_same_on_its_own_port(run):
    must_fail_visibly(run.pair.worker.at, "/v1/_service/rec/sse/w?n=9&after=3&how=die", 3)


def test_an_answer_with_a_length_that_breaks_off_is_cut(run):
    service = run.service
    service.raw["short"] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500
    with Client(run.pair.head.at) as c:
        try:
            a = c.get("GET", run.pair.path("rec", "/raw?id=short"))
        except Cut as cut:
            same(cut.got, b"x" * 500, "what came before")
            return
    raise Failure(f"a whole answer came: {a.status}, {len(a.body)} bytes")


def test_a_chunked_answer_that_breaks_off_is_cut(run):
    run.service.raw["shortchunk"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    with Client(run.pair.head.at) as c:
        try:
            a = c.get("GET", run.pair.path("rec", "/raw?id=shortchunk"))
        except Cut as cut:
            same(cut.got, b"hello", "what came before")
            return
    raise Failure(f"a whole answer came: {a.status}, {a.body!r}")


# Answers that break HTTP/1.1: the client must get a 502, or a cut where the head was good.
LIES = {
    "Content-Length and Transfer-Encoding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two different lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "an unknown transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "a folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an early 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyy\r\n" * 5000,
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


def lie(name, text):
    def check(run):
        key = name.replace(" ", "-").lower()
        run.service.raw[key] = text
        a = get(run.pair.head.at, run.pair.path("rec", f"/raw/{key}?id={key}"))
        same(a.status, 502, "status")
        check_error(a)
        same(get(run.pair.head.at, run.pair.path("rec", "/hash/after")).status, 200, "the next request")
    return f"an answer with {name} is a 502", check


def test_bytes_behind_an_answer_never_reach_another_client(run):
    run.service.raw["smuggled"] = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
                                   b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    for i in range(5):
        a = get(run.pair.head.at, run.pair.path("rec", "/raw?id=smuggled&keep=1"))
        same((a.status, a.body), (200, b"{}"), "the answer")
        for _ in range(3):
            a = get(run.pair.head.at, run.pair.path("rec", f"/hash/next{i}"))
            same(json.loads(a.body)["target"], f"/hash/next{i}", "the next client's answer")


def test_a_204_with_a_body_keeps_nothing_for_the_next(run):
    run.service.raw["fat204"] = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    a = get(run.pair.head.at, run.pair.path("rec", "/raw?id=fat204&keep=1"))
    same((a.status, a.body), (204, b""), "the answer")
    a = get(run.pair.head.at, run.pair.path("rec", "/hash/after204"))
    same(json.loads(a.body)["target"], "/hash/after204", "the next answer")


def test_interim_answers_are_not_the_answer(run):
    run.service.raw["hints"] = (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    a = get(run.pair.head.at, run.pair.path("rec", "/raw?id=hints&keep=1"))
    same((a.status, a.body), (200, b"{}"), "the answer")


# ---- silence ----

def impatient_worker(run):
    return run.fixture("impatient worker", lambda: Pair(
        run, "impatient-w", {"rec": f"http://127.0.0.1:{run.service.port}"},
        worker=["--http.chunk_timeout", f"{SILENCE}s".replace(".0s", "s")]))


def impatient_head(run):
    return run.fixture("impatient head", lambda: Pair(
        run, "impatient-h", {"rec": f"http://127.0.0.1:{run.service.port}"},
        head=["--http.chunk_timeout", f"{SILENCE}s".replace(".0s", "s"), "--http.response_header_timeout", "1s"]))


def silent(run, pair, how):
    start = time.monotonic()
    error = must_fail_visibly_ignoring_comments(pair.head.at, pair.path("rec", f"/sse/q?n=9&after=2&how={how}"))
    took = time.monotonic() - start
    expect(SILENCE * 0.9 < took < SILENCE + 2, f"it took {took:.1f} s")
    same(error["code"], "upstream_silent", "code")


def must_fail_visibly_ignoring_comments(at, path):
    got, rid, how = stream(at, path)
    expect(how != "end", f"the framing ended in order after {got}")
    got = [e for e in got if not e.startswith(":")]
    same(got[:2], ['data: {"i":0}', 'data: {"i":1}'], "the events before")
    same(len(got), 3, f"events: {got}")
    error = json.loads(got[2].removeprefix("data: "))["error"]
    same(error["request_id"], rid, "request id in the event")
    return error


def test_silence_is_reported_by_the_worker(run):
    silent(run, impatient_worker(run), "silent")


def test_silence_is_reported_by_the_head(run):
    silent(run, impatient_head(run), "silent")


def test_comments_do_not_count_as_sound_for_the_worker(run):
    silent(run, impatient_worker(run), "comments")


def test_comments_do_not_count_as_sound_for_the_head(run):
    silent(run, impatient_head(run), "comments")


def test_a_service_that_never_answers_is_a_504(run):
    pair = impatient_head(run)
    a = get(pair.head.at, pair.path("rec", "/hang/504"), method="POST", body=b"x")
    same(a.status, 504, "status")
    check_error(a)
    rq = run.service.wait_for("/hang/504")
    same(len(rq), 1, "attempts")
    eventually(lambda: rq[0].gone, 2, "the service's connection is closed")


# ---- clients that leave ----

def leave(run, path, how, first):
    """Leaves in the middle; returns the ms until the service's connection was closed."""
    c = Client(run.pair.head.at)
    c.ask("POST", run.pair.path("rec", path), body=b"x")
    rq = run.service.wait_for(path)
    expect(rq, "the request reached the service")
    if first:
        head = c.answer_head()
        same(head.status, 200, "status")
        c.chunk()
    else:
        time.sleep(0.05)
    left = time.monotonic()
    c.reset() if how == "reset" else c.close()
    eventually(lambda: rq[0].gone, 5, "the service's connection is closed", every=0.002)
    return (rq[0].gone - left) * 1000


def leaves(run, kind, make_path, first):
    """The median of several, since this machine may be busy; a delay by design shows in each."""
    for how in ("close", "reset"):
        took = sorted(leave(run, make_path(f"{kind}-{how}-{i}"), how, first) for i in range(7))
        expect(took[3] <= CANCEL_MS, f"{how}: closed after {took[3]:.0f} ms, all: {[round(t) for t in took]}")
    return f"median {took[3]:.1f} ms"


def test_a_client_that_leaves_a_stream_cancels_it_at_the_service(run):
    return leaves(run, "stream", lambda k: f"/sse/{k}?n=10000&gap_ms=20", True)


def test_a_client_that_leaves_before_the_answer_cancels_it_at_the_service(run):
    return leaves(run, "whole", lambda k: f"/hang/{k}", False)


def test_200_clients_that_leave_at_once_leave_nothing_behind(run):
    clients = []
    for i in range(200):
        c = Client(run.pair.head.at)
        c.ask("POST", run.pair.path("rec", f"/hang/crowd{i}."), body=b"x")
        clients.append(c)
    came = run.service.wait_for("/hang/crowd", 200, 10)
    same(len(came), 200, "requests at the service")
    for i, c in enumerate(clients):
        c.reset() if i % 2 else c.close()
    eventually(lambda: all(rq.gone for rq in came), 3, "all of the service's connections are closed")
    for node in run.pair.nodes:
        eventually(lambda: node.total("ocf_http_requests_in_flight") <= 1, 3, f"{node.name}: nothing in flight")


def test_a_client_that_leaves_during_its_upload_cancels_it(run):
    with Client(run.pair.head.at) as c:
        c.send(c.head("POST", run.pair.path("rec", "/hash/half-upload"), ["Content-Length: 1000000"]) + b"x" * 1000)
        rq = run.service.wait_for("/hash/half-upload")
    eventually(lambda: rq[0].gone, 2, "the service's connection is closed")
    expect(not rq[0].complete, "the service saw a whole body")


# ---- answers before the request was read ----

def test_an_answer_before_a_large_body_was_read_is_whole(run):
    """The service streams its answer and only then reads the body."""
    body = b"b" * 3_000_000
    for i in range(5):
        with Client(run.pair.head.at) as c:
            sender = threading.Thread(target=send_quietly, args=(c, run.pair.path("rec", f"/early/large{i}?n=50"), body),
                                      daemon=True)
            sender.start()
            got = events(c.answer().body)
            same((len(got), got[-1]), (51, "data: [DONE]"), "events")
            sender.join(10)


def send_quietly(c, path, body):
    try:
        c.ask("POST", path, body=body)
    except OSError:
        pass  # the connection may be closed once the answer is there


def test_a_refusal_before_the_body_was_read_is_seen(run):
    """A 401 while the client still sends."""
    for size in (10, 50_000, 2_000_000):
        with Client(run.pair.head.at) as c:
            sender = threading.Thread(target=send_quietly, args=(c, run.pair.path("rec", "/refuse"), b"z" * size), daemon=True)
            sender.start()
            a = c.answer()
            same((a.status, a.body), (401, b'{"error":"no"}'), "the answer")
            sender.join(10)


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]
CASES += [lie(*row) for row in LIES.items()]


def close(run):
    for name in ("impatient worker", "impatient head"):
        if name in run.fixtures:
            run.fixtures.pop(name).stop()
