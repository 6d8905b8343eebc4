#!/usr/bin/env python3
"""A worker that cannot be dialled, behind a relay: relay_hop.py OCF FOLDER, in a network namespace of its own.

The worker and its model live in a further namespace, which only the relay's second address reaches. The head
knows the relay. Prints what was seen as JSON.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from load import ROUTE, body_of, post
from processes import Node, Process, eventually, spawn
from wire import Client, get

OURS, THEIRS = "10.78.0.1", "10.78.0.2"


class Here:
    def __init__(self, ocf, folder):
        self.ocf, self.folder, self.processes = ocf, Path(folder), []


def ip(*command, inside=()):
    subprocess.run([*inside, "ip", *command], check=True)


def another_place():
    """A namespace that a cable leads to; the command prefix to be in it."""
    holder = spawn(["unshare", "-n", "sleep", "300"])
    inside = ["nsenter", "-t", str(holder.pid), "-n"]
    ip("link", "set", "lo", "up")
    ip("link", "add", "c0", "type", "veth", "peer", "name", "c1")
    eventually(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink(), 5, "a namespace")
    ip("link", "set", "c1", "netns", str(holder.pid))
    ip("addr", "add", f"{OURS}/24", "dev", "c0")
    ip("link", "set", "c0", "up")
    ip("link", "set", "lo", "up", inside=inside)
    ip("addr", "add", f"{THEIRS}/24", "dev", "c1", inside=inside)
    ip("link", "set", "c1", "up", inside=inside)
    return inside


def main():
    run, inside = Here(Path(sys.argv[1]).resolve(), sys.argv[2]), another_place()
    relay = Node(run, "relay", "--role", "relay", listen=f"/ip4/127.0.0.1/tcp/0,/ip4/{OURS}/tcp/0")
    near = next(a for a in relay.p2p if "/127.0.0.1/" in a)
    far = next(a for a in relay.p2p if OURS in a)
    head = Node(run, "head", "--role", "head", "--bootstrap.static", near)
    mock = Process(run, "mock", [*inside, run.ocf, "mock-openai", "--quiet", "--model", "hidden", "--token-delay", "2ms"])
    port = json.loads(mock.line(10))["http"].rpartition(":")[2]
    worker = Node(run, "worker", "--bootstrap.static", far, "--service.name", "llm", "--service.port", port,
                  "--registry.relay_peer", relay.id, prefix=inside)

    def ask(stream=False, fields=()):
        with Client(head.at) as c:
            a = post(c, body_of("hidden", stream=stream), ROUTE, fields)
        return a.status, a.get("X-Computing-Node") == worker.id, a.body

    eventually(lambda: ask()[0] == 200, 10, "the head reaches the worker")
    told = {"answers": [], "connected": worker.id in json.loads(get(head.at, "/v1/self").body)["connected_peers"]}
    for i in range(20):
        status, named, body = ask(stream=i % 2 == 1)
        told["answers"].append([status, named, i % 2 == 0 or b"data: [DONE]" in body])
        time.sleep(0.05)
    told["hops"] = {n.name: n.total("ocf_http_requests_total") for n in (head, relay)}
    around = get(head.at, "/v1/p2p/" + "/v1/p2p/".join([relay.id, head.id] * 20) + "/v1/health")
    told["round and round"] = [around.status, json.loads(around.body)["error"]["code"]]
    worker.kill()
    time.sleep(0.5)
    status, _, body = ask()
    told["without it"] = [status, body.decode()]
    print(json.dumps(told))


main()
