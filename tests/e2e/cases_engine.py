"""llama.cpp's server behind a worker and the official openai client in front of the head."""

import json
import signal
import threading
import time

import openai

import engine as fetcher
import tiny_model
from processes import BUILD, Engine, Pair, eventually
from wire import Client, Failure, expect, get, same

CHAT, EMBED = "tiny-chat", "tiny-embed"
SILENCE = 1.0  # http.chunk_timeout of the impatient pair, in seconds


class Stack:
    """Both engines, a worker with a service for each, and a head."""

    def __init__(self, run):
        self.run = run
        self.server = fetcher.fetch(BUILD / "engine")
        self.chat_model, self.embed_model = tiny_model.make(BUILD / "models")
        self.chat = self.start_chat("engine-chat")
        self.embed = Engine(run, "engine-embed", self.server, self.embed_model, EMBED, "-c", "256",
                            "--embeddings", "--pooling", "mean")
        self.pair = Pair(run, "real", {"llm": self.chat.url, "embed": self.embed.url})

    def start_chat(self, name):
        return Engine(self.run, name, self.server, self.chat_model, CHAT, "-c", "8192", "-np", "4")

    def client(self, service="llm", pair=None, timeout=30):
        return openai.OpenAI(base_url=(pair or self.pair).base_url(service), api_key="none", max_retries=0, timeout=timeout)


def stack(run):
    return run.fixture("stack", lambda: Stack(run))


def ask(client, n, stream=False, **more):
    return client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "hello"}], max_tokens=n,
                                          temperature=0, stream=stream, **more)


def test_models_are_listed(run):
    same([m.id for m in stack(run).client().models.list()], [CHAT], "models of llm")
    same([m.id for m in stack(run).client("embed").models.list()], [EMBED], "models of embed")


def test_a_chat_is_answered_as_by_the_engine_itself(run):
    s = stack(run)
    direct = openai.OpenAI(base_url=f"{s.chat.url}/v1", api_key="none", max_retries=0)
    ours, theirs = ask(s.client(), 12), ask(direct, 12)
    same(ours.choices[0].message.content, theirs.choices[0].message.content, "the text")
    same((ours.usage.completion_tokens, ours.choices[0].finish_reason), (12, "length"), "usage and end")


def test_a_chat_streams_to_its_end_with_usage(run):
    s = stack(run)
    want = ask(s.client(), 40).choices[0].message.content
    text, usage, ends, times = "", None, [], []
    for chunk in ask(s.client(), 40, True, stream_options={"include_usage": True}):
        times.append(time.monotonic())
        for choice in chunk.choices:
            text += choice.delta.content or ""
            ends += [choice.finish_reason] if choice.finish_reason else []
        usage = chunk.usage or usage
    same((text, ends), (want, ["length"]), "the streamed text and its end")
    same(usage.completion_tokens, 40, "usage")
    expect(times[-1] - times[0] > 0.05, "all chunks came at once")


def test_the_head_names_the_worker_that_computed_it(run):
    s = stack(run)
    raw = s.client().chat.completions.with_raw_response.create(
        model=CHAT, messages=[{"role": "user", "content": "hi"}], max_tokens=2)
    same(raw.headers["x-computing-node"], s.pair.worker.id, "X-Computing-Node")
    rid = raw.headers["x-request-id"]
    for node in s.pair.nodes:
        eventually(lambda: f"id={rid}" in node.text(), 5, f"{rid} in the log of {node.name}")


def test_embeddings_come_from_the_second_service(run):
    s = stack(run)
    direct = openai.OpenAI(base_url=f"{s.embed.url}/v1", api_key="none", max_retries=0)
    for encoding in ("float", "base64"):
        got = s.client("embed").embeddings.create(model=EMBED, input=["a cat", "a dog"], encoding_format=encoding)
        want = direct.embeddings.create(model=EMBED, input=["a cat", "a dog"], encoding_format=encoding)
        same([e.embedding for e in got.data], [e.embedding for e in want.data], "vectors")


def test_eight_streams_share_four_slots(run):
    s, out = stack(run), []

    def one():
        try:
            out.append("".join(c.choices[0].delta.content or "" for c in ask(s.client(), 10, True) if c.choices))
        except Exception as err:  # noqa: BLE001 - told below
            out.append(err)

    threads = [threading.Thread(target=one, daemon=True) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    same((len(out), {len(o) if isinstance(o, str) else repr(o) for o in out}), (8, {10}), "streams and their characters")


def test_the_engines_errors_pass_unchanged(run):
    s = stack(run)
    rows = [
        ("POST", "/v1/nothing", b"{}", 404),
        ("POST", "/v1/chat/completions", b"{nonsense", 400),
        ("POST", "/v1/chat/completions", b"{}", 400),
        ("POST", "/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": "q" * 6000}]}).encode(), 400),
        ("POST", "/v1/chat/completions", json.dumps({"stream": True, "messages": [
            {"role": "user", "content": "q" * 6000}]}).encode(), 400),
        ("POST", "/v1/embeddings", json.dumps({"input": "x"}).encode(), 501),
    ]
    for method, path, body, status in rows:
        fields = ["Content-Type: application/json"]
        ours = get(s.pair.head.at, s.pair.path("llm", path), fields, method, body)
        theirs = get(s.chat.at, path, fields, method, body)
        same((ours.status, ours.status), (theirs.status, status), f"status of {path}")
        same(ours.body, theirs.body, f"body of {path}")
        same(ours.get("Content-Type"), theirs.get("Content-Type"), f"type of {path}")
    expect(b"exceed_context_size_error" in get(s.pair.head.at, s.pair.path("llm", rows[3][1]), [], "POST", rows[3][2]).body,
           "the context error is not there")


def test_the_openai_client_understands_our_errors(run):
    s = stack(run)
    try:
        ask(s.client("none"), 5)
        raise Failure("a service that is not there answered")
    except openai.NotFoundError as err:
        same((err.code, err.type), ("service_not_found", "not_found_error"), "code and type")
        expect(err.body["request_id"], "no request id")


def test_a_cancelled_stream_frees_its_slot(run):
    s = stack(run)
    for _ in range(3):
        stream = ask(s.client(), 1500, True)
        for i, _ in enumerate(stream):
            if i == 3:
                break
        same(s.chat.busy(), 1, "busy slots in the middle")
        stream.close()
        start = time.monotonic()
        eventually(lambda: s.chat.busy() == 0, 3, "no slot is busy")
    return f"free {1000 * (time.monotonic() - start):.0f} ms after the client left"


def test_four_cancelled_at_once_free_all_slots(run):
    s = stack(run)
    streams = [ask(s.client(), 1500, True) for _ in range(4)]
    for stream in streams:
        next(iter(stream))
    same(s.chat.busy(), 4, "busy slots")
    for stream in streams:
        stream.close()
    eventually(lambda: s.chat.busy() == 0, 3, "no slot is busy")


def broken_stream(stream, act, seconds):
    """Reads some chunks, does `act`, reads on; returns the error that the client sees."""
    start = None
    try:
        for i, _ in enumerate(stream):
            if i == 3:
                act()
                start = time.monotonic()
    except (openai.APIError, openai.APIConnectionError) as err:
        took = time.monotonic() - start
        expect(took < seconds, f"the failure came after {took:.1f} s")
        return f"{type(err).__name__} after {took:.2f} s: {str(err)[:80]}"
    except Exception as err:  # noqa: BLE001 - the HTTP library's own, for broken framing
        name = type(err).__name__
        expect(start is not None and ("Protocol" in name or "Read" in name or "Connection" in name), f"{name}: {err}")
        took = time.monotonic() - start
        expect(took < seconds, f"the failure came after {took:.1f} s")
        return f"{name} after {took:.2f} s"
    raise Failure("the stream ended in silence, as if it were complete")


def test_an_engine_killed_in_a_stream_is_a_failure_for_the_client(run):
    s = stack(run)
    victim = s.start_chat("engine-victim")
    pair = Pair(run, "victim", {"llm": victim.url})
    note = broken_stream(ask(s.client(pair=pair), 1500, True), victim.kill, 3)
    try:  # and one that is not streamed: the engine is gone by now
        ask(s.client(pair=pair), 5)
        raise Failure("a dead engine answered")
    except openai.APIStatusError as err:
        same(err.status_code, 502, "status without an engine")
    pair.stop()
    return note


def test_an_engine_killed_before_its_answer_is_a_502(run):
    s = stack(run)
    victim = s.start_chat("engine-victim2")
    pair = Pair(run, "victim2", {"llm": victim.url}, worker=["--no-retry.enabled"])
    timer = threading.Timer(0.5, victim.kill)
    timer.start()
    try:
        ask(s.client(pair=pair), 1900)
        raise Failure("a killed engine answered")
    except openai.APIStatusError as err:
        same(err.status_code, 502, "status")
    pair.stop()


def test_an_engine_that_stops_in_a_stream_is_a_failure_for_the_client(run):
    """SIGSTOP: the connection stays, nothing comes."""
    s = stack(run)
    frozen = s.start_chat("engine-frozen")
    pair = Pair(run, "frozen", {"llm": frozen.url}, worker=["--http.chunk_timeout", f"{SILENCE:.0f}s"])
    try:
        return broken_stream(ask(s.client(pair=pair), 1500, True), lambda: frozen.signal(signal.SIGSTOP), SILENCE + 3)
    finally:
        frozen.kill()
        pair.stop()


def test_the_worker_killed_in_a_stream_is_a_failure_for_the_client(run):
    s = stack(run)
    pair = Pair(run, "lostworker", {"llm": s.chat.url})
    note = broken_stream(ask(s.client(pair=pair), 1500, True), pair.worker.kill, 3)
    eventually(lambda: s.chat.busy() == 0, 3, "the engine's slot is free")
    pair.stop()
    return note


def test_an_engine_that_ends_in_a_stream_is_a_failure_for_the_client(run):
    """SIGTERM: llama.cpp goes silent, then closes without an end."""
    s = stack(run)
    leaving = s.start_chat("engine-leaving")
    pair = Pair(run, "leaving", {"llm": leaving.url}, worker=["--http.chunk_timeout", f"{SILENCE:.0f}s"])
    try:
        return broken_stream(ask(s.client(pair=pair), 1500, True), lambda: leaving.signal(signal.SIGTERM), SILENCE + 3)
    finally:
        leaving.kill()
        pair.stop()


CASES = [v for k, v in list(globals().items()) if k.startswith("test_")]


def close(run):
    s = run.fixtures.get("stack")
    if s:
        s.pair.stop()
        s.chat.kill()
        s.embed.kill()
