#!/usr/bin/env python3
"""Asks a node from addresses that are not loopback: remote_caller.py OCF FOLDER [ADDRESS | --rows].

Runs in a network namespace of its own, where it gives the loopback device two more addresses; with
ADDRESS it stays where it is and uses that one. With --rows it writes and reads the node table. Prints
{case: status} as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from processes import Node
from wire import Cut, get

V4, V6 = "10.77.0.1", "fd77::1"
OTHER = "12D3KooWKRyzVWW6ChFjQjK4miCty85Niy49tpPV95XdKu1BcvMA"


class Here:
    def __init__(self, ocf, folder):
        self.ocf, self.folder, self.processes = ocf, Path(folder), []


def status(at, path):
    try:
        return get(at, path, timeout=5).status
    except (OSError, Cut) as err:
        return type(err).__name__


def addresses():
    for command in (["link", "set", "lo", "up"], ["addr", "add", f"{V4}/32", "dev", "lo"],
                    ["-6", "addr", "add", f"{V6}/128", "dev", "lo", "nodad"]):
        subprocess.run(["ip", *command], check=True)
    return {"v4": V4, "v6": V6}


def rows(run):
    node = Node(run, "rows", "--host", "0.0.0.0")
    told, record = {}, b'{"service":[{"name":"s","host":"localhost","port":"9","identity_group":["k=v"]}]}'
    for where, address in (("far", addresses()["v4"]), ("near", "127.0.0.1")):
        at = (address, node.at[1])
        told[f"{where} POST"] = get(at, "/v1/dnt/_node", ["Content-Type: application/json"], "POST", record).status
        told[f"{where} offers"] = "k=v" in get(("127.0.0.1", node.at[1]), "/v1/dnt/table").body.decode()
        told[f"{where} DELETE"] = get(at, "/v1/dnt/_node", method="DELETE").status
    node.kill()
    return told


def main():
    run = Here(sys.argv[1], sys.argv[2])
    if sys.argv[3:] == ["--rows"]:
        print(json.dumps(rows(run)))
        return
    found = {"v4": sys.argv[3]} if len(sys.argv) > 3 else addresses()
    told = {}
    for name, extra in (("shut", []), ("open", ["--p2p_route_open"])):
        for family, address in found.items():
            host = "::" if family == "v6" else "0.0.0.0"
            node = Node(run, f"{name}-{family}", "--host", host, "--service.name", "s", "--service.port", "9", *extra)
            far, near = (address, node.at[1]), ("::1" if family == "v6" else "127.0.0.1", node.at[1])
            for where, at in (("far", far), ("near", near)):
                for what, path in (("health", "/v1/health"), ("self", "/v1/self"), ("metrics", "/metrics"),
                                   ("p2p", f"/v1/p2p/{OTHER}/v1/health"), ("service", "/v1/_service/s/x")):
                    told[f"{name} {family} {where} {what}"] = status(at, path)
            node.kill()
    print(json.dumps(told))


main()
