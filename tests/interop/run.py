#!/usr/bin/env python3
"""Runs the interoperability matrix of README.md."""

import argparse
import atexit
import fnmatch
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cells import CELLS, Pair
from peer import BUILD, KINDS, Failure, Peer, make_key

Combination = namedtuple("Combination", "theirs direction key")

DIRECTIONS = ("we-dial", "they-dial")
KEYS = ("rsa", "ed25519")


def combinations(kinds):
    """All pairs of the matrix: each kind with both directions and both key types of theirs.

    The production variants of the Go peers have the key type of the production network only.
    """
    return [
        Combination(kind, direction, key)
        for kind in kinds
        for direction in DIRECTIONS
        for key in KEYS
        if key == "rsa" or not kind.endswith("p")
    ]


def our_key(combination):
    """Our key type, so that all pairs of types occur, and both of ours in both roles."""
    if combination.direction == "they-dial":
        return combination.key
    return "ed25519" if combination.key == "rsa" else "rsa"


def matrix(kinds, only):
    """The cells to run, as (combination, cell name), in order."""
    return [
        (combination, name)
        for combination in combinations(kinds)
        for name, _, _ in CELLS
        if not only or any(fnmatch.fnmatch(":".join((*combination, name)), pattern) for pattern in only)
    ]


class Report:
    """Prints a line per cell and remembers everything."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rows = []

    def add(self, round_no, combination, cell, error, seconds, note):
        row = {
            "round": round_no, **combination._asdict(), "cell": cell, "ok": error is None,
            "ms": round(seconds * 1000), "note": note, "error": error,
        }
        with self.lock:
            self.rows.append(row)
            verdict = "ok  " if error is None else "FAIL"
            where = f"{combination.theirs:6} {combination.direction:9} {combination.key:8} {cell:15}"
            print(f"{verdict} {round_no:3} {where} {row['ms']:7} ms  {error or note or ''}", flush=True)


class Runner:
    def __init__(self, args):
        self.args = args
        self.report = Report()
        self.logs = args.json.with_name(args.json.stem + "-logs")
        shutil.rmtree(self.logs, ignore_errors=True)
        self.peers = set()  # running ones, ended when we end
        self.scratch = Path(tempfile.mkdtemp(prefix="ocf-interop-"))
        atexit.register(self.end)

    def end(self):
        for peer in list(self.peers):
            peer.kill()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def interrupted(self, signum, _frame):
        """Ends at once, without waiting for the threads that still talk to peers."""
        self.end()
        os._exit(128 + signum)

    def keys(self, round_no):
        """New keys of both types for both sides."""
        files = {}
        for side in ("ours", "theirs"):
            for kind in KEYS:
                files[side, kind] = self.scratch / f"{round_no}-{side}-{kind}.key"
                make_key(kind, files[side, kind])
        return files

    def round(self, round_no, todo):
        keys = self.keys(round_no)
        groups = {}
        for combination, name in todo:
            groups.setdefault(combination, []).append(name)
        with ThreadPoolExecutor(self.args.jobs) as pool:
            jobs = [pool.submit(self.combination, round_no, c, names, keys) for c, names in groups.items()]
            for job in jobs:
                job.result()

    def combination(self, round_no, combination, names, keys):
        """Runs the cells of one pair of peers; a failed cell gets the next one fresh peers."""
        logs = self.logs / f"{round_no}-{'-'.join(combination)}"
        logs.mkdir(parents=True, exist_ok=True)
        pair, failed = None, False
        for name, cell, seconds in CELLS:
            if name not in names:
                continue
            start, note, error = time.monotonic(), None, None
            try:
                if pair is None:
                    pair = self.pair(combination, keys, logs)
                    if name != "connect":
                        pair.connect()
                for peer in pair.peers():
                    peer.deadline = time.monotonic() + seconds
                note = cell(pair)
            except (Failure, KeyError) as err:
                error = f"no {err} in the answer" if isinstance(err, KeyError) else str(err)
                failed = True
                self.drop(pair)
                pair = None
            self.report.add(round_no, combination, name, error, time.monotonic() - start, note)
        if pair is not None:
            failed |= not self.quit(pair, round_no, combination)
        if not failed:
            shutil.rmtree(logs, ignore_errors=True)

    def pair(self, combination, keys, logs):
        ours = Peer("ours", self.args.ours, keys["ours", our_key(combination)], logs / "ours.log")
        theirs = Peer("theirs", combination.theirs, keys["theirs", combination.key], logs / "theirs.log")
        bulk = self.args.bulk_bytes_js if "js" in (ours.kind, theirs.kind) else self.args.bulk_bytes
        pair = Pair(ours, theirs, combination.direction, bulk)
        for peer in pair.peers():
            self.peers.add(peer)
            try:
                peer.start()
            except Failure:
                self.drop(pair)
                raise
        return pair

    def drop(self, pair):
        for peer in pair.peers() if pair is not None else ():
            peer.kill()
            self.peers.discard(peer)

    def quit(self, pair, round_no, combination):
        """Ends a pair politely. True when both exit with status 0; otherwise the failure is a row."""
        start = time.monotonic()
        try:
            for peer in pair.peers():
                peer.deadline = None
                peer.quit()
            return True
        except Failure as err:
            self.report.add(round_no, combination, "quit", str(err), time.monotonic() - start, None)
            return False
        finally:
            self.drop(pair)


def size(text):
    """Bytes from 64MiB, 1GiB, 500k, 1000."""
    match = re.fullmatch(r"(\d+)\s*(?:([kmg])(?:i?b)?)?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size")
    return int(match[1]) << {None: 0, "k": 10, "m": 20, "g": 30}[match[2]]


def names(text):
    return [name for name in text.split(",") if name]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default="c", help="the kind of peer on our side")
    parser.add_argument("--theirs", type=names, default=["go47", "go37", "js", "go47p", "go37p"],
                        help="kinds of peers on the other side, separated by commas")
    parser.add_argument("--only", type=names, default=[],
                        help="patterns of THEIRS:DIRECTION:KEY:CELL, separated by commas; a cell runs when one fits")
    parser.add_argument("--repeat", type=int, default=1, help="rounds of the whole matrix, each with new keys")
    parser.add_argument("--bulk-bytes", type=size, default=64 << 20)
    parser.add_argument("--bulk-bytes-js", type=size, default=16 << 20, help="the same where js takes part")
    parser.add_argument("--jobs", type=int, default=1, help="pairs of peers that run at the same time")
    parser.add_argument("--c-peer", metavar="PROGRAM", help="our peer, when it is not the one of the release build")
    parser.add_argument("--kind", metavar="NAME=PROGRAM", action="append", default=[], help="a further kind of peer")
    parser.add_argument("--json", type=Path, default=BUILD / "result.json", help="where the results go")
    args = parser.parse_args()
    for kind in args.kind:
        name, _, program = kind.partition("=")
        KINDS[name] = [program]
    unknown = {args.ours, *args.theirs} - set(KINDS)
    if unknown:
        parser.error(f"unknown peers {sorted(unknown)}")
    return args


def main():
    args = arguments()
    if args.c_peer:
        KINDS["c"][:] = [args.c_peer]
    todo = matrix(args.theirs, args.only)
    runner = Runner(args)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, runner.interrupted)
    start = time.monotonic()
    for round_no in range(1, args.repeat + 1):
        runner.round(round_no, todo)
    rows = runner.report.rows
    ran = {(row["round"], row["theirs"], row["direction"], row["key"], row["cell"]) for row in rows}
    missing = [
        (round_no, *combination, name)
        for round_no in range(1, args.repeat + 1)
        for combination, name in todo
        if (round_no, *combination, name) not in ran
    ]
    for cell in missing:
        print("MISSING", *cell)
    passed = sum(row["ok"] for row in rows)
    failed = len(rows) - passed + len(missing)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({
        "ours": args.ours, "bulk_bytes": args.bulk_bytes, "bulk_bytes_js": args.bulk_bytes_js,
        "passed": passed, "failed": failed, "missing": missing, "seconds": round(time.monotonic() - start, 1),
        "rows": rows,
    }, indent=1) + "\n")
    print(f"{time.monotonic() - start:.0f} s, details in {args.json}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
