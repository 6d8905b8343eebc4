"""Requests that two HTTP implementations may read differently, through a real head and worker.

Each row is a case: the bytes, and the statuses that are right. The head must answer with one of them,
say `Connection: close`, close, and let nothing reach the service: neither the request nor what is
hidden behind it. V-70 to V-78 are the classes of known faults that the rows come from.
"""

import time

from cases_http import check_error
from wire import Client, Cut, Failure, expect, get, same

HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
BAD = (400,)


def post(*fields, body=b"", target=None, version=b"1.1", host=b"Host: h\r\n"):
    """A POST to the service with these field lines and bytes behind the head."""
    def make(path):
        lines = b"".join(f + b"\r\n" for f in fields)
        return b"POST " + (target or path) + b" HTTP/" + version + b"\r\n" + host + lines + b"\r\n" + body
    return make


def raw(text):
    """The bytes as they are; PATH stands for the way to the service."""
    return lambda path: text.replace(b"PATH", path)


def chunked(body):
    return post(b"Transfer-Encoding: chunked", body=body)


LINE = b"GET PATH HTTP/1.1\r\nHost: h\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
ROWS = [
    # V-70: two lengths, odd lengths.
    ("V-70 Content-Length and Transfer-Encoding", post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nX" + HIDDEN), BAD),
    ("V-70 Transfer-Encoding and Content-Length", post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKS + HIDDEN), BAD),
    ("V-70 Content-Length twice, equal", post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"), BAD),
    ("V-70 Content-Length twice, different", post(b"Content-Length: 0", b"Content-Length: 44", body=HIDDEN), BAD),
    ("V-70 Content-Length +5", post(b"Content-Length: +5", body=b"hello"), BAD),
    ("V-70 Content-Length -5", post(b"Content-Length: -5", body=b"hello"), BAD),
    ("V-70 Content-Length 0x5", post(b"Content-Length: 0x5", body=b"hello"), BAD),
    ("V-70 Content-Length with a space inside", post(b"Content-Length: 1 0", body=b"0123456789"), BAD),
    ("V-70 Content-Length 5,5", post(b"Content-Length: 5,5", body=b"hello"), BAD),
    ("V-70 Content-Length empty", post(b"Content-Length:", body=HIDDEN), BAD),
    ("V-70 Content-Length over 2^63", post(b"Content-Length: 9223372036854775808", body=HIDDEN), BAD),
    ("V-70 Content-Length over 2^64", post(b"Content-Length: 18446744073709551621", body=b"hello"), BAD),
    ("V-70 Content-Length with a point", post(b"Content-Length: 5.0", body=b"hello"), BAD),
    # V-71: lines and names.
    ("V-71 space before the colon", post(b"Content-Length : 5", body=b"hello"), BAD),
    ("V-71 space before the colon of Transfer-Encoding", post(b"Transfer-Encoding : chunked", b"Content-Length: 5", body=CHUNKS), BAD),
    ("V-71 line that begins with a space", raw(b"GET PATH HTTP/1.1\r\n X: y\r\nHost: h\r\n\r\n"), BAD),
    ("V-71 folded field", raw(LINE + b"X: a\r\n b\r\n\r\n"), BAD),
    ("V-71 folded Transfer-Encoding", post(b"Transfer-Encoding:\r\n chunked", body=CHUNKS), BAD),
    ("V-71 NUL in a value", raw(LINE + b"X: a\0b\r\n\r\n"), BAD),
    ("V-71 NUL in a name", raw(LINE + b"X\0: b\r\n\r\n"), BAD),
    ("V-71 bare CR in a value", raw(LINE + b"X: a\rTransfer-Encoding: chunked\r\n\r\n"), BAD),
    ("V-71 bare LF between fields", raw(LINE + b"X: a\nY: b\r\n\r\n"), BAD),
    ("V-71 bare LF everywhere", raw(b"GET PATH HTTP/1.1\nHost: h\n\n"), BAD),
    ("V-71 name that is no token", raw(LINE + b"X(y): b\r\n\r\n"), BAD),
    ("V-71 name of other letters", raw(LINE + b"X\xc3\xa9: b\r\n\r\n"), BAD),
    ("V-71 empty name", raw(LINE + b": b\r\n\r\n"), BAD),
    ("V-71 line without a colon", raw(LINE + b"nothing\r\n\r\n"), BAD),
    ("V-71 vertical tab before chunked", post(b"Transfer-Encoding:\x0bchunked", body=CHUNKS), BAD),
    ("V-71 tab between method and target", raw(b"GET\tPATH\tHTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    # V-72: Transfer-Encoding.
    ("V-72 Transfer-Encoding twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS), BAD),
    ("V-72 Transfer-Encoding chunked, identity", post(b"Transfer-Encoding: chunked, identity", body=CHUNKS), (400, 501)),
    ("V-72 Transfer-Encoding identity", post(b"Transfer-Encoding: identity", body=HIDDEN), (400, 501)),
    ("V-72 Transfer-Encoding xchunked", post(b"Transfer-Encoding: xchunked", body=CHUNKS), (400, 501)),
    ("V-72 Transfer-Encoding gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS), (400, 501)),
    ("V-72 Transfer-Encoding chunked;q=1", post(b"Transfer-Encoding: chunked;q=1", body=CHUNKS), (400, 501)),
    ("V-72 Transfer-Encoding quoted", post(b'Transfer-Encoding: "chunked"', body=CHUNKS), (400, 501)),
    ("V-72 Transfer-Encoding empty", post(b"Transfer-Encoding:", body=CHUNKS), BAD),
    ("V-72 Transfer-Encoding in HTTP/1.0", post(b"Transfer-Encoding: chunked", body=CHUNKS, version=b"1.0"), BAD),
    ("V-72 no-break space before chunked", post(b"Transfer-Encoding: \xa0chunked", body=CHUNKS), (400, 501)),
    # V-73: chunks. The head is good, so it may have been forwarded; the body never completes there.
    ("V-73 chunk size over 2^64", chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size 0x5", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size +5", chunked(b"+5\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size -5", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size empty", chunked(b"\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size with a space before", chunked(b" 5\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size with a space behind", chunked(b"5 \r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk size ended by LF only", chunked(b"5\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk ended by LF only", chunked(b"5\r\nhello\n0\r\n\r\n"), BAD),
    ("V-73 chunk longer than its size", chunked(b"3\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 chunk without an end", chunked(b"5\r\nhello0\r\n\r\n"), BAD),
    ("V-73 bare CR in an extension", chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), BAD),
    ("V-73 endless extension", chunked(b"5;" + b"a" * (1 << 20)), BAD),
    ("V-73 many small extensions", chunked((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 5000), BAD),
    ("V-73 trailer without a colon", chunked(b"5\r\nhello\r\n0\r\nfoo\r\n\r\n"), BAD),
    ("V-73 request in place of the trailer", chunked(b"5\r\nhello\r\n0\r\n" + HIDDEN), BAD),
    ("V-73 endless trailer", chunked(b"0\r\n" + b"X: y\r\n" * 20000), (400, 431)),
    # V-74: Expect.
    ("V-74 Expect obfuscated", post(b"Expect: x 100-continue", b"Content-Length: 5", body=b"hello"), (400, 417)),
    ("V-74 Expect unknown", post(b"Expect: y", b"Content-Length: 44", body=HIDDEN), (417,)),
    ("V-74 Expect twice", post(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 5", body=b"hello"), (400, 417)),
    # V-75: tunnels.
    ("V-75 CONNECT", raw(b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n" + HIDDEN), (400, 405, 501)),
    ("V-75 HTTP/2 preface", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (400, 505)),
    # V-76: Connection.
    ("V-76 Connection that is no list of tokens", raw(LINE + b"Connection: a b\r\n\r\n"), BAD),
    # V-77, V-80: Host.
    ("V-80 no Host", post(body=b"", host=b""), BAD),
    ("V-80 Host twice", post(b"Host: other"), BAD),
    ("V-80 Host with user and path", post(host=b"Host: u@h/x\r\n"), BAD),
    ("V-80 absolute target unlike Host", raw(b"GET http://otherPATH HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    # V-78: paths.
    ("V-78 path with ..", raw(b"GET PATH/../../x HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 path with %2e%2e", raw(b"GET PATH/%2e%2e/x HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 path with %00", raw(b"GET PATH%00 HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 path with a backslash", raw(b"GET PATH\\x HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 path with an encoded line end", raw(b"GET PATH%0d%0aX:y HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 fragment", raw(b"GET PATH#x HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("V-78 target without a slash", raw(b"GET x HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    # V-81 and sizes.
    ("V-81 9 KiB target", raw(b"GET PATH?" + b"a" * 9216 + b" HTTP/1.1\r\nHost: h\r\n\r\n"), (414,)),
    ("V-81 endless target", raw(b"GET PATH?" + b"a" * (1 << 20)), (414, 431)),
    ("V-81 300 query parameters", raw(b"GET PATH?" + b"a=b&" * 300 + b" HTTP/1.1\r\nHost: h\r\n\r\n"), (414,)),
    ("V-81 40 KiB of fields", raw(LINE + (b"X: " + b"v" * 1000 + b"\r\n") * 40 + b"\r\n"), (431,)),
    ("V-81 8 MiB field", raw(LINE + b"X: " + b"v" * (8 << 20)), (431,)),
    ("V-81 101 field lines", raw(LINE + b"X: y\r\n" * 100 + b"\r\n"), (431,)),
    ("V-81 100,000 cookies", raw(LINE + b"Cookie: " + b"a=b; " * 6000 + b"\r\n\r\n"), (431,)),
    # Versions and methods.
    ("HTTP/0.9", raw(b"GET PATH\r\n\r\n"), (400, 505)),
    ("HTTP/2.0 in the request line", raw(b"GET PATH HTTP/2.0\r\nHost: h\r\n\r\n"), (505,)),
    ("HTTP/1.10", raw(b"GET PATH HTTP/1.10\r\nHost: h\r\n\r\n"), BAD),
    ("method of 40 letters", raw(b"A" * 40 + b" PATH HTTP/1.1\r\nHost: h\r\n\r\n"), (400, 501)),
    ("method with a bracket", raw(b"GE(T PATH HTTP/1.1\r\nHost: h\r\n\r\n"), BAD),
    ("TLS on the plain port", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 32), BAD),
    ("many empty lines first", raw(b"\r\n\r\n\r\n\r\n" + LINE + b"\r\n"), BAD),
]


def refused(run, make, statuses, at, path):
    """Sends the row and what hides behind it; wants a refusal, the end, and nothing at the service."""
    mark = path.rsplit("/", 1)[1]
    before = len(run.service.seen("hidden"))
    with Client(at, timeout=10) as c:
        try:
            c.send(make(path.encode()) + HIDDEN)
        except OSError:
            pass  # closed before all of it was read, as it may be
        try:
            a = c.answer()
        except Cut as cut:
            raise Failure(f"no answer: {cut}") from None
        expect(a.status in statuses, f"status {a.status}, not one of {statuses}")
        expect(a.closes, f"{a.status} without Connection: close")
        check_error(a)
        got, how = c.rest(5)
        expect(how != "open" and not got, f"after the refusal: {how}, {got[:80]!r}")
    time.sleep(0.005)
    whole = [rq for rq in run.service.seen(mark) if rq.complete]
    same(whole, [], "complete requests at the service")
    same(len(run.service.seen("hidden")), before, "hidden requests at the service")


def case(name, make, statuses, number):
    def check(run):
        path = run.pair.path("rec", f"/hash/row{number}end")
        refused(run, make, statuses, run.pair.head.at, path)
        # A kept connection is read no less strictly.
        with Client(run.pair.head.at) as c:
            same(c.get("GET", "/v1/health").status, 200, "a good request first")
            try:
                c.send(make(path.encode()) + HIDDEN)
            except OSError:
                pass  # as above
            a = c.answer()
            expect(a.status in statuses and a.closes, f"as the second request: {a.status}")
    return name, check


def test_all_rows_left_the_service_untouched(run):
    time.sleep(0.2)
    same(run.service.seen("hidden"), [], "hidden requests")
    same([rq for rq in run.service.seen("/row") if rq.complete], [], "complete requests")
    same(run.service.seen("GET /x"), [], "requests for other paths")


def test_a_body_of_a_get_is_framed_and_never_read_as_a_request(run):
    """V-74: bodies where none is usual."""
    with Client(run.pair.head.at) as c:
        for method in ("GET", "DELETE", "OPTIONS"):
            a = c.get(method, run.pair.path("rec", "/hash/bodied"), body=HIDDEN)
            same(a.status, 200, f"{method} with a body")
        a = c.get("HEAD", run.pair.path("rec", "/length"), body=HIDDEN)
        same(a.status, 200, "HEAD with a body")
        same(c.get("GET", "/v1/health").status, 200, "the next request")
    same({rq.length for rq in run.service.seen("/bodied")}, {len(HIDDEN)}, "bytes at the service")
    same(run.service.seen("/v1/hidden"), [], "hidden requests")


def test_an_unread_body_is_never_the_next_request(run):
    """V-74: an answer made before the body was read; the rest of it is read away or the connection ends."""
    for size in (44, 20_000, 2_000_000):
        body = HIDDEN * (size // len(HIDDEN))
        with Client(run.pair.head.at) as c:
            c.ask("POST", "/v1/_service/none/x", body=body[:1000] if size > 1_000_000 else body)
            same(c.answer().status, 404, "status") if size <= 1_000_000 else None
            if size > 1_000_000:
                same(c.answer().status, 404, "an early status")
        same(run.service.seen("/v1/hidden"), [], "hidden requests")
    with Client(run.pair.head.at) as c:
        a = c.get("POST", run.pair.path("rec", "/refuse"), body=HIDDEN * 100)
        same(a.status, 401, "the service's early answer")
        try:
            same(c.get("GET", "/v1/health").status, 200, "the next request")
        except (Cut, OSError):
            pass  # closing is right as well
    same(run.service.seen("/v1/hidden"), [], "hidden requests")


def test_bytes_behind_an_upgrade_are_a_request_of_their_own(run):
    """V-75: nothing is switched, so what follows is HTTP and is answered as such."""
    with Client(run.pair.head.at) as c:
        c.send(c.head("GET", run.pair.path("rec", "/hash/up"), ["Connection: Upgrade", "Upgrade: websocket"])
               + b"\x81\x05hello" + HIDDEN)
        a = c.answer()
        expect(a.status in (200, 426, 501), f"status {a.status}")
        if not a.closes:
            a = c.answer()
            same((a.status, a.closes), (400, True), "the bytes behind it")
        c.must_end()
    same(run.service.seen("/v1/hidden"), [], "hidden requests")


def test_connection_cannot_name_fields_that_matter(run):
    """V-76: identity, framing and trace fields stay although Connection names them."""
    import json
    fields = ["Authorization: Bearer x", "X-Request-Id: mine-76", "Content-Type: text/plain", "Cookie: a=b",
              "X-Other: gone", "CONNECTION: close, authorization, X-Request-ID, content-type, Content-Length",
              "connection: cookie, x-other, host, transfer-encoding"]
    with Client(run.pair.head.at) as c:
        a = c.get("POST", run.pair.path("rec", "/hash"), fields, b"hello")
    same(a.status, 200, "status")
    told = json.loads(a.body)
    names = {n.lower() for n, _ in told["fields"]}
    for name in ("authorization", "content-type", "cookie", "host"):
        expect(name in names, f"{name} was dropped")
    expect("x-other" not in names, "a named field was passed on")
    same((told["length"], a.get("X-Request-Id")), (5, "mine-76"), "body bytes and id")


def test_fields_that_shadow_ours_are_dropped(run):
    """V-77: names that a CGI-like service would read as one that we set."""
    import json
    with Client(run.pair.head.at) as c:
        a = c.get("GET", run.pair.path("rec", "/hash"), ["X_Request_Id: forged", "X_Forwarded_For: 1.2.3.4",
                                                        "Transfer_Encoding: chunked", "content_length: 44"])
    same(a.status, 200, "status")
    shadows = [n for n, _ in json.loads(a.body)["fields"] if "_" in n]
    same(shadows, [], "fields with underscores at the service")


def test_a_victim_behind_an_attacker_gets_its_own_answer(run):
    """Many clients, half of them sending rows, share the head's streams and the worker's connections."""
    import json
    import threading
    wrong = []

    def victim(k):
        for i in range(40):
            name = f"/hash/victim-{k}-{i}"
            try:
                a = get(run.pair.head.at, run.pair.path("rec", name), method="POST", body=name.encode())
                told = json.loads(a.body) if a.status == 200 else {}
            except (Cut, Failure, OSError) as err:
                wrong.append((name, err))
                continue
            if told.get("target") != name or told.get("length") != len(name):
                wrong.append((name, a.status, told))

    def attacker(k):
        for _, make, _ in ROWS[k::4]:
            try:
                with Client(run.pair.head.at, timeout=10) as c:
                    c.send(make(run.pair.path("rec", "/hash/rowattack").encode()) + HIDDEN)
                    c.answer()
            except (Cut, OSError):
                pass  # what the attacker gets is the other cases' business

    threads = [threading.Thread(target=f, args=(k,), daemon=True) for k in range(4) for f in (victim, attacker)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    same(wrong[:3], [], "wrong answers")
    same(run.service.seen("/v1/hidden"), [], "hidden requests")


CASES = [case(*row, number) for number, row in enumerate(ROWS)]
CASES += [v for k, v in list(globals().items()) if k.startswith("test_")]
