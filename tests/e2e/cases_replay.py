"""Every recorded HTTP exchange against real nodes: tests/vectors/http-worker-*.json, http-head-*.json, http.json.

Two Go programs were recorded, OCF and OpenTela. An exchange must give what one of them gave, as far as the other end can
tell: statuses, bodies and whether they are whole, the fields that one acts on, what becomes of the connection, and
what a worker gets for a client's request. Where ours differs on purpose, a row below says from what to what, and
why; a row that the recordings would not need is a failure. How many streams a head opens is not compared: OCF opens one a
request, OpenTela keeps them, as ours does.
"""

import re
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from processes import eventually, free_port
from replay import HeadRig, Recorded, Result, WorkerRig, answers_in, exchange, fields_unlike, requests_in, vectors
from wire import expect, get, same

PROGRAMS = ("ocf", "opentela")
BIG = "header block of 1.1 MiB"
SLOW = "engine slow (12 s)"

# What ours gives instead: the statuses, a pattern that the body matches, what becomes of the connection, the number
# of requests at the worker (None: as recorded), whether the last body is whole.
Row = namedtuple("Row", "statuses says after why seen whole", defaults=(None, True))


def refused(code, why, status=400):
    """A request that breaks HTTP, which ends the connection."""
    return Row([status], f'"code":"{code}"', "closed", why)


WORDS = "the status is Go's, the body is in the OpenAI API's error format, which callers parse"
STRICT = "Go is lenient where two readers may differ; what can be smuggled past one of them is refused"
PLANE = "7.1: a caller on /libp2p-http may not have this node act for it (option p2p_route_open); Go dials and answers 200"
METHODS = "7.2, no HEAD: OCF and OpenTela register GET only; ours answers it as a GET without its body"

WORKER_OTHERWISE = {
    "headers seen by the engine": Row(
        [200], r"^(?!.*\bTe:)(?=.*Authorization: Bearer sk-1\r\n)(?=.*X-Custom: y\r\n)(?=.*X-Forwarded-For: 1\.2\.3\.4\r\n)"
               r"(?=.*X-Otela-Client-Wallet: w1\r\n)(?=.*X-Otela-Identity-Group: model=m\r\n)(?=.*X-Otela-Request-Id: r-1\r\n)"
               r"(?!.*X-Hop)POST /v1/headers\?a=b%20c&d=%2F HTTP/1.1\nHost: localhost:8000\n.*X-Request-Id: req-[0-9a-f]{16}\r\n$", "open",
        "TE is hop by hop (RFC 9110, 7.6.1), Go passes it on; ours gives every request an id, and keeps Authorization as OCF does"),
    "host header missing": refused("host_missing", WORDS),
    "malformed request line": refused("bad_method", WORDS),
    "binary garbage": refused("nul", WORDS),
    "bad content-length": refused("cl_invalid", WORDS),
    "two content-lengths": refused("cl_duplicate", WORDS),
    "header with a space before the colon": refused("space_before_colon", WORDS),
    BIG: refused("head_too_large", WORDS, 431),
    "content-length and chunked": refused("cl_and_te", STRICT),
    "folded header": refused("obs_fold", STRICT),
    "bare LF line ends": refused("bare_lf", STRICT),
    "absolute form": refused("host_mismatch", STRICT),
    "dot segments": refused("bad_path", STRICT + "; Go redirects"),
    "bad chunk size": refused("bad_chunk_size", "the caller's fault is not told as ours (500) or the service's (502)"),
    "truncated body then half-close": Row(
        [], "", "reset", "who ends in mid-body has gone (RFC 9112, 8); nobody waits for Go's 500 or 502"),
    "service absent": Row(
        [404], '"code":"service_not_found"', "open", "7.2: 400 and 403 say that the request is wrong; a head must go on to another worker"),
    "service without path": Row(
        [200], '"n":0', "open", "a redirect to a path of this worker leads nowhere for a client behind a head; the service gets /"),
    "HEAD": Row([200], "^$", "open", METHODS),
    "HEAD service": Row([200], "^$", "open", METHODS),
    "OPTIONS": Row([200], '"n":0', "open", "7.1, CORS for all: whether a page may ask is the service's to say, so it gets the request"),
    "unknown route": Row([404], '"code":"not_found"', "open", WORDS),
    "unknown method": Row([405], '"code":"method_not_allowed"', "open", "the path is there; 405 with Allow (RFC 9110, 15.5.6)"),
    "global service on a worker (own model)": Row([403], '"code":"forbidden"', "open", PLANE),
    "p2p to itself": Row([403], '"code":"forbidden"', "open", PLANE),
    "p2p to an unknown peer": Row([403], '"code":"forbidden"', "open", PLANE),
    "p2p to garbage": Row([403], '"code":"forbidden"', "open", PLANE),
    "POST _node empty object": Row([403], '"code":"forbidden"', "open", "7.1: Go lets any peer change the registry this way"),
}

FAILED = Row([502], '"code":"service_failed"', "open", "Go's 502 has no body; ours says in it what failed")
DOWN_OTHERWISE = {"engine down": FAILED, "engine down, GET": FAILED}

ERROR_200 = "7.2: OCF answers 200 with ERROR in the body, OpenTela 502 in other words; callers retry on the code"
UNREACHABLE = Row([502], '"code":"workers_unreachable"', "open", ERROR_200)
NO_GUESS = "Go guesses a Content-Type where the worker gave none; ours adds nothing to an answer"

HEAD_OTHERWISE = {
    "worker closes without answer": UNREACHABLE,
    "worker resets without answer": UNREACHABLE,
    "worker sends garbage": UNREACHABLE,
    "worker hangs 3 s then resets": UNREACHABLE,
    "worker answers with short body then reset": Row([200], "^half$", "closed", NO_GUESS, whole=False),
    "worker SSE then reset": Row(
        [200], "^data:1", "closed", "7.2: Go ends the stream as if it were complete; ours leaves the framing unfinished", whole=False),
    "worker answers HTTP/1.0": Row([200], "^ten$", "open", NO_GUESS),
    "worker 100 then 200": Row(
        [200], '^{"ok":true}$', "open", "the client expected no 100; Go passes it on with fields, and OCF loses the answer"),
    "GET models": Row([200], '^{"ok":true}$', "open", "7.2: what has no model in it can be routed by the service's name", seen=1),
}


def judge(got, recorded, row):
    """Compares an outcome with those of both programs, or with the row that stands in for them."""
    unlike = {p: got.unlike(r) for p, r in recorded.items()}
    if row is None:
        expect(not all(unlike.values()), f"{unlike}; ours: {got}")
        return None
    expect(all(unlike.values()), f"as recorded, the row is not needed: {got}")
    same([m.status for m in got.messages], row.statuses, f"statuses ({got})")
    body = got.messages[-1].body.decode("latin-1") if got.messages else ""
    expect(re.search(row.says, body, re.S), f"body {body[:500]!r} does not match {row.says}")
    same((got.after, got.behind), (row.after, b""), "afterwards")
    same(all(m.whole for m in got.messages), row.whole, "whole")
    return row.why


def table(kind):
    """{name: {program: what was expected}}"""
    rows = {}
    for program in PROGRAMS:
        for v in vectors(f"http-{kind}-{program}"):
            rows.setdefault(v["name"], {})[program] = v["expected"]
    return rows


# ---- workers ----


def request_of(name, expected, worker_id):
    """The recorded bytes, with our worker's name where the recorded one stood."""
    text = expected["request_text"]
    if name == BIG:  # written short in the table
        text = text.removesuffix("...") + "a" * int(1.1 * (1 << 20)) + "\r\n\r\n"
    return re.sub(r"\bQm[1-9A-HJ-NP-Za-km-z]{44}\b", worker_id, text).encode("latin-1")


class Worker:
    """Our worker before the recorded service; all its exchanges run at once, since one takes 12 s."""

    def __init__(self, run):
        self.rig = WorkerRig(run, "replay", Recorded().port)
        eventually(lambda: b"m-ocf" in get(self.rig.worker.at, "/v1/dnt/table").body, 10, "the model is offered")
        pool, rows = ThreadPoolExecutor(6), table("worker")
        names = [SLOW, *(n for n in rows if n != SLOW)]
        self.made = {n: pool.submit(self.play, n, rows[n]["ocf"]) for n in names}

    def play(self, name, expected):
        request = request_of(name, expected, self.rig.worker.id)
        return exchange(self.rig.at, request, half_close="half-close" in name)


def worker_case(name, rows):
    def check(run):
        made = run.fixture("replay worker", lambda: Worker(run))
        recorded = {p: worker_result(name, e, made.rig) for p, e in rows.items()}
        return judge(made.made[name].result(30), recorded, WORKER_OTHERWISE.get(name))
    return f"worker, {name}", check


def worker_result(name, expected, rig):
    found = Result.recorded(expected["response_text"], request_of(name, expected, rig.worker.id), expected["stream_after"])
    for m in found.messages:
        m.body = m.body.replace(b'"m-ot"', b'"m-ocf"')  # the two services' models
    return found


def down_case(name, rows):
    def check(run):
        rig = run.fixture("replay down", lambda: WorkerRig(run, "replay-down", free_port()))
        recorded = {p: worker_result(name, e, rig) for p, e in rows.items()}
        got = exchange(rig.at, request_of(name, rows["ocf"], rig.worker.id))
        return judge(got, recorded, DOWN_OTHERWISE.get(name))
    return f"worker, {name}", check


# ---- heads ----


def head_rig(run):
    return run.fixture("replay head", lambda: HeadRig(run))


def ours(text, rig):
    """A recorded text with our worker's and our client's names."""
    return re.sub(r"10\.77\.0\.(9|1[0-3]|[5-8])\b", "127.0.0.1", re.sub(r"\b(12D3KooW|Qm)[1-9A-HJ-NP-Za-km-z]{44}\b", rig.worker.id, text))


def request_unlike(got, wanted):
    """The first difference of two requests; None where there is none."""
    if got.start != wanted.start or got.body != wanted.body:
        return f"{got.start!r} {got.body[:200]!r}, recorded {wanted.start!r} {wanted.body[:200]!r}"
    return fields_unlike(got, wanted)


def seen_unlike(seen, expected, rig):
    """What the worker got against what one program's worker got."""
    raw = "".join(ours(r, rig) for r in expected["requests_seen_by_worker"] or []).encode("latin-1")
    wanted = requests_in(raw)
    if len(seen) != len(wanted):
        return f"{len(seen)} requests, recorded {len(wanted)}"
    return next((told for a, b in zip(seen, wanted) if (told := request_unlike(a, b))), None)


def head_case(name, rows):
    def check(run):
        rig, row, why = head_rig(run), HEAD_OTHERWISE.get(name), None
        requests = {ours(e["client_request"], rig).replace("10.77.0.1:", "h:").replace("10.77.0.3:", "h:") for e in rows.values()}
        for text in sorted(requests):
            request, e = text.encode("latin-1"), rows["ocf"]
            got, seen = rig.play(request, (e["worker_answer"] or "").encode("latin-1"), e["worker_mode"])
            recorded = {p: Result.recorded(ours(e["client_response"], rig), request, e["client_connection"]) for p, e in rows.items()}
            why = judge(got, recorded, row)
            expect_seen(seen, rows, rig, row)
        return why
    return f"head, {name}", check


def expect_seen(seen, rows, rig, row):
    if row and row.seen is not None:
        same(len(seen), row.seen, "requests at the worker")
        return
    unlike = {p: seen_unlike(seen, e, rig) for p, e in rows.items()}
    expect(not all(unlike.values()), f"at the worker: {unlike}")


# ---- streams of whole runs ----


def said_by(side, expected):
    """The bytes of one side of a recorded stream behind its protocol's name."""
    if "segments" in expected:
        raw = b"".join(bytes.fromhex(s["hex"]) for s in expected["segments"] if s["from"] == side)
        for token in (b"\x13/multistream/1.0.0\n", b"\x0d/libp2p-http\n"):
            raw = raw.removeprefix(token)
        return raw
    text = expected[f"text_from_{side}"]
    if "bytes in all" not in text:
        return text.encode("latin-1")
    head = text.partition("\r\n\r\n")[0]
    return f"{head}\r\n\r\n".encode() + bytes(int(re.search(r"Content-Length: (\d+)", head)[1]))


def as_client(m, rig):
    """The client's request that makes a head send m."""
    method, target, version = m.start.split(" ")
    path = target.replace("/v1/_service/", "/v1/service/", 1) if "/_service/" in target else f"/v1/p2p/{rig.worker.id}{target}"
    kept = [f"{n}: {v}" for n, v in m.fields if n not in ("host", "x-forwarded-for", "x-otela-request-id")]
    return "\r\n".join([f"{method} {path} {version}", "Host: h", *kept, "", ""]).encode() + m.body


def stream_case(vector):
    def check(run):
        rig, expected = head_rig(run), vector["expected"]
        opener = expected["opened_by"]
        other = "harness" if opener == "node" else "node"
        asked = requests_in(said_by(opener, expected))
        answered, behind, whole = answers_in(said_by(other, expected), ["GET"] * len(asked), True)
        expect(asked and whole and not behind, f"the recording is not {len(asked)} exchanges")
        for m, answer in zip(asked, answered):
            raw = "\r\n".join([answer.start, *(f"{n}: {v}" for n, v in answer.fields), "", ""]).encode() + answer.body
            got, seen = rig.play(as_client(m, rig), raw, still=0.01)
            told = got.unlike(Result([answer], b"", "open"))
            expect(told is None, f"{told}; ours: {got}")
            same(len(seen), 1, "requests at the worker")
            m.fields = [(n, ours(v, rig) if n != "host" or len(v) > 40 else rig.worker.id) for n, v in m.fields]
            told = request_unlike(seen[0], with_forwarded(m))
            expect(told is None, f"at the worker: {told}")
        return f"{len(asked)} exchanges" if len(asked) > 1 else None
    return f"stream, {vector['name']}", check


def with_forwarded(m):
    """A relayed request was the harness's own; one that a head sends says for whom."""
    if m.get("x-forwarded-for") is None:
        m.fields.append(("x-forwarded-for", "127.0.0.1"))
    return m


def test_every_row_belongs_to_a_recorded_exchange(run):
    for rows, kind in ((WORKER_OTHERWISE, "worker"), (DOWN_OTHERWISE, "worker-down"), (HEAD_OTHERWISE, "head")):
        same(sorted(set(rows) - set(table(kind))), [], f"rows of no exchange, {kind}")


def close(run):
    for name in ("replay worker", "replay down", "replay head"):
        made = run.fixtures.pop(name, None)
        if made:
            getattr(made, "rig", made).close()


WORKERS = table("worker")
CASES = [worker_case(n, r) for n, r in WORKERS.items() if n != SLOW]
CASES += [down_case(n, r) for n, r in table("worker-down").items()]
CASES += [head_case(n, r) for n, r in table("head").items()]
CASES += [stream_case(v) for v in vectors("http")]
CASES += [worker_case(SLOW, WORKERS[SLOW]), test_every_row_belongs_to_a_recorded_exchange]
