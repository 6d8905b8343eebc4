#!/usr/bin/env python3
"""Runs meshes of our nodes and Go nodes, and checks them; see README.md."""

import argparse
import atexit
import fnmatch
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from cells import CELLS, Mesh
from hostile import HOSTILE
from nodes import BUILD, FAULT, PROGRAMS, Failure
from places import Loopback, NetError, Switch

# A mesh: its name, the kinds of its nodes (the first is the bootstrap peer), and its cells in order.
Plan = namedtuple("Plan", "name kinds cells")


def plans(args):
    a, b = args.ours, args.theirs
    mixed = ("join", "put", "update", "route", "delete", "restart")
    cut = () if args.loopback else ("partition",)
    ten = [a] * 10 + [b[i % len(b)] for i in range(3)]
    all_plans = [
        Plan("boot-ours", [a, b[0], a, b[1 % len(b)], a, b[2 % len(b)]], mixed + cut),
        Plan("boot-theirs", [b[0], a, b[1 % len(b)], a, b[2 % len(b)], a], mixed + (cut if args.long else ())),
        Plan("history", [args.source, a, a, args.source], ("history",)),
        Plan("ten-boot-ours", ten, ("join", "put")),
    ]
    if a == "ours":
        all_plans.append(Plan("hostile", [a, b[0], a], tuple(f.__name__ for f in HOSTILE)))
    if args.long:
        all_plans.append(Plan("ten-boot-theirs", [ten[-1], *ten[:-1]], ("join", "put", "update")))
    return all_plans


class Runner:
    def __init__(self, args):
        self.args, self.rows, self.meshes = args, [], set()
        self.logs = args.json.with_name(args.json.stem + "-logs")
        shutil.rmtree(self.logs, ignore_errors=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="ocf-mesh-"))
        atexit.register(self.end)

    def network(self):
        return Loopback() if self.args.loopback else Switch()

    def end(self):
        for mesh in list(self.meshes):
            mesh.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def interrupted(self, signum, _frame):
        self.end()
        os._exit(128 + signum)

    def add(self, round_no, plan, cell, error, seconds, note):
        self.rows.append({"round": round_no, "mesh": plan.name, "nodes": plan.kinds, "cell": cell, "ok": error is None,
                          "ms": round(seconds * 1000), "note": note, "error": error})
        verdict = "ok  " if error is None else "FAIL"
        print(f"{verdict} {round_no:3} {plan.name:15} {cell:10} {seconds:6.1f} s  {error or note or ''}", flush=True)

    def plan(self, round_no, plan, wanted):
        """Runs the cells of one mesh; after a failed one the next cell gets a fresh mesh."""
        mesh, tries, failed = None, 0, False
        for cell in plan.cells:
            if cell not in wanted:
                continue
            start, note, error = time.monotonic(), None, None
            try:
                if mesh is None:
                    tries += 1
                    mesh = self.fresh(round_no, plan, tries)
                    if cell not in ("join", "history"):
                        mesh.start()
                        mesh.see(mesh.everyone(), self.args.patience * 40)
                        start = time.monotonic()
                note = CELLS[cell](mesh, self.args)
            except (Failure, NetError, KeyError, ValueError) as err:
                error = str(err) if isinstance(err, (Failure, NetError)) else f"an answer without or with a wrong {err!r}"
                failed = True
                self.drop(mesh)
                mesh = None
            self.add(round_no, plan, cell, error, time.monotonic() - start, note)
        if mesh is not None:
            failed |= not self.finish(round_no, plan, mesh)
        if not failed:
            shutil.rmtree(self.logs / f"{round_no}-{plan.name}", ignore_errors=True)

    def fresh(self, round_no, plan, tries):
        where = f"{round_no}-{plan.name}"
        mesh = Mesh(self, plan.name, plan.kinds, self.scratch / where / str(tries), self.logs / where / str(tries))
        self.meshes.add(mesh)
        return mesh

    def drop(self, mesh):
        if mesh is not None:
            mesh.close()
            self.meshes.discard(mesh)

    def finish(self, round_no, plan, mesh):
        """Ends a mesh politely; what does not end in order is a failure of its own."""
        start = time.monotonic()
        try:
            mesh.end()
            return True
        except Failure as err:
            self.add(round_no, plan, "end", str(err), time.monotonic() - start, None)
            return False
        finally:
            self.drop(mesh)


def names(text):
    return [name for name in text.split(",") if name]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", default="ours", choices=sorted(PROGRAMS), help="the kind of node on our side")
    parser.add_argument("--theirs", type=names, default=["go47", "go37"], help="kinds on the other side, between commas")
    parser.add_argument("--source", default="go37", choices=("go47", "go37"), help="the Go kind at the ends of the history")
    parser.add_argument("--loopback", action="store_true", help="127.0.0.1 instead of namespaces: no root, no cut links")
    parser.add_argument("--long", action="store_true", help="a 2-minute cut, 5,000 blocks, more of everything")
    parser.add_argument("--only", type=names, default=[], help="patterns of MESH:CELL, between commas")
    parser.add_argument("--repeat", type=int, default=int(os.environ.get("REPEAT", "1")), help="rounds of everything (REPEAT)")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on every time limit, for slow machines and sanitizers")
    parser.add_argument("--puts", type=int, help="writes of the cell put (20; long 100)")
    parser.add_argument("--updates", type=int, help="rounds of the cell update (3; long 10)")
    parser.add_argument("--history", type=int, help="blocks of the history (2000; long 5000; 300 where ours is a Go node)")
    parser.add_argument("--cut", type=float, help="seconds without a link (15; long 120)")
    parser.add_argument("--go-rebroadcast", default="1.5s", help="of the Go nodes' heads; 5s in the running network, see README.md")
    parser.add_argument("--ocf", metavar="PROGRAM", help="our program, when it is not the one of the release build")
    parser.add_argument("--fault", default="", help="flags of the nodes of the kind faulty, for selftest.py")
    parser.add_argument("--json", type=Path, default=BUILD / "result.json", help="where the results go")
    args = parser.parse_args()
    if unknown := set(args.theirs) - {"go47", "go37"}:
        parser.error(f"unknown kinds {sorted(unknown)}")
    args.puts = args.puts or (100 if args.long else 20)
    args.updates = args.updates or (10 if args.long else 3)
    args.history = args.history or (300 if args.ours != "ours" else 5000 if args.long else 2000)
    args.cut = args.cut or (120 if args.long else 15)
    args.heal = 90 if args.long else 45
    FAULT[:] = args.fault.split()
    if args.ocf:
        PROGRAMS["ours"] = args.ocf
    return args


def main():
    args = arguments()
    for kind in {args.ours, *args.theirs, args.source}:
        if not os.access(PROGRAMS[kind], os.X_OK):
            print(f"{PROGRAMS[kind]} is not there: build it first (README.md)", file=sys.stderr)
            print("0 passed, 1 failed, 0 skipped")
            return 1
    runner = Runner(args)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, runner.interrupted)
    start = time.monotonic()
    wanted = {
        plan: [c for c in plan.cells if not args.only or any(fnmatch.fnmatch(f"{plan.name}:{c}", p) for p in args.only)]
        for plan in map(lambda p: p._replace(kinds=tuple(p.kinds)), plans(args))
    }
    for round_no in range(1, args.repeat + 1):
        for plan, cells in wanted.items():
            if cells:
                runner.plan(round_no, plan, cells)
    ran = {(row["round"], row["mesh"], row["cell"]) for row in runner.rows}
    missing = [(r, plan.name, c) for r in range(1, args.repeat + 1) for plan, cells in wanted.items() for c in cells
               if (r, plan.name, c) not in ran]
    for cell in missing:
        print("MISSING", *cell)
    passed = sum(row["ok"] for row in runner.rows)
    failed = len(runner.rows) - passed + len(missing)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({
        "ours": args.ours, "theirs": args.theirs, "loopback": args.loopback, "long": args.long, "passed": passed,
        "failed": failed, "missing": missing, "seconds": round(time.monotonic() - start, 1), "rows": runner.rows,
    }, indent=1) + "\n")
    print(f"{time.monotonic() - start:.0f} s, details in {args.json}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
