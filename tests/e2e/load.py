"""Clients that ask heads for chat completions at a steady rate, and what became of each request."""

import json
import threading
import time

from wire import Client, Cut, Failure, expect

ROUTE = "/v1/service/llm/v1/chat/completions"


class Outcome:
    """One request. `how` is one of
    ok      answered to its end
    told    its answer had begun, and a stream ended with the error event
    torn    the same inside an event, which an error event would have made look whole
    cut     its answer had begun, and broke off without a word
    silent  a stream ended in order without [DONE]
    refused an error status
    lost    the connection ended, or nothing came, before the answer began
    """

    def __init__(self, how, at, head, node=None, text=""):
        self.how, self.at, self.head, self.node, self.text = how, at, head, node, text

    def __repr__(self):
        return f"{self.how} at {self.at:.2f} s of {self.head}: {self.text}"


def body_of(model, tokens=4, stream=False, pad=0):
    return json.dumps({**({"pad": "x" * pad} if pad else {}), "model": model, "max_tokens": tokens, "stream": stream,
                       "messages": [{"role": "user", "content": "Hello"}]}).encode()


def post(client, body, target=ROUTE, fields=()):
    return client.get("POST", target, ["Content-Type: application/json", *fields], body)


def judge_stream(client, head):
    """Reads events to the end; how it ended."""
    try:
        text = client.body(head).decode()
    except Cut as cut:
        torn = cut.got and not cut.got.endswith(b"\n\n")
        return ("told" if b'data: {"error"' in cut.got else "torn" if torn else "cut"), str(cut)
    return ("ok", "") if "data: [DONE]" in text else ("silent", text[-200:])


def one(client, body, stream):
    """(how, node, text) of one request on a kept connection."""
    try:
        client.ask("POST", ROUTE, ["Content-Type: application/json"], body)
        head = client.answer_head()
    except (Cut, OSError, Failure) as err:
        return "lost", None, str(err)
    node = head.get("X-Computing-Node")
    try:
        if head.status == 200 and stream:
            how, text = judge_stream(client, head)
            return how, node, text
        said = client.body(head)
    except (Cut, OSError, Failure) as err:
        return ("cut" if head.status == 200 else "refused"), node, str(err)
    return ("ok", node, "") if head.status == 200 else ("refused", node, f"{head.status} {said[:200]!r}")


class Load:
    """`rate` requests a second for one model, by turns at `heads`, every second one streamed."""

    def __init__(self, heads, model, rate=200, clients=20, tokens=4):
        self.heads, self.outcomes, self.ending = heads, [], threading.Event()
        self.bodies = [body_of(model, tokens, s) for s in (False, True)]
        self.start = time.monotonic()
        self.threads = [threading.Thread(target=self._run, args=(i, clients / rate), daemon=True) for i in range(clients)]
        for t in self.threads:
            t.start()

    def _run(self, i, period):
        head, client, n = self.heads[i % len(self.heads)], None, i
        due = self.start + period * i / len(self.threads)
        while not self.ending.wait(max(0.0, due - time.monotonic())):
            due, n = max(due + period, time.monotonic() - 1), n + 1
            at = time.monotonic() - self.start
            try:
                client = client or Client(head.at, timeout=10)
            except OSError as err:
                self.outcomes.append(Outcome("lost", at, head.name, None, str(err)))
                continue
            how, node, text = one(client, self.bodies[n // 2 % 2], n // 2 % 2 == 1)
            self.outcomes.append(Outcome(how, at, head.name, node, text))
            if how != "ok":
                client.close()
                client = None
        if client:
            client.close()

    def since(self, at):
        return [o for o in list(self.outcomes) if self.start + o.at >= at]

    def end(self):
        self.ending.set()
        for t in self.threads:
            t.join(20)
        return self.outcomes

    def must_hold(self, least):
        """No request failed whose answer had not begun, and no stream ended as if it were whole."""
        done = self.end()
        counts = {}
        for o in done:
            counts[o.how] = counts.get(o.how, 0) + 1
        bad = [o for o in done if o.how in ("refused", "lost", "silent", "cut")]
        expect(not bad, f"{counts}, for example {bad[:3]}")
        expect(counts.get("ok", 0) >= least, f"only {counts} of {least}: the load was not there")
        return ", ".join(f"{n} {how}" for how, n in sorted(counts.items()))
