#!/usr/bin/env python3
"""Breaks the Go nodes of our side in known ways, and expects the runner to notice each, in the cell that is there for it."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULT = HERE.parents[2] / "build" / "interop" / "mesh" / "selftest.json"

# Flags of the broken nodes, the cell that must fail, and what else is run before it in the same mesh and must pass.
FAULTS = [
    ("", None, ["boot-ours:join", "boot-ours:put", "boot-ours:update", "boot-ours:route", "boot-ours:delete", "boot-ours:restart"]),
    ("--fault deaf", "boot-theirs:join", []),
    ("--announce never", "boot-theirs:join", []),
    ("--fault late", "boot-theirs:put", []),
    ("--fault mute", "boot-theirs:put", []),
    ("--fault differs", "boot-theirs:update", ["boot-theirs:join"]),
    ("--fault any-worker", "boot-ours:route", ["boot-ours:join"]),
    ("--fault stays", "boot-theirs:delete", ["boot-theirs:join", "boot-theirs:route"]),
    ("--fault again-deaf", "boot-theirs:restart", ["boot-theirs:join"]),
    ("--no-serve", "history:history", []),
]


def run(fault, cells):
    """The rows of one run of the runner."""
    RESULT.unlink(missing_ok=True)
    command = [str(HERE / "run.py"), "--loopback", "--ours", "faulty", f"--fault={fault}", "--puts", "12", "--updates", "1",
               "--history", "40", "--only", ",".join(cells), "--json", str(RESULT)]
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    return p.returncode, json.loads(RESULT.read_text())["rows"], p.stdout


def main():
    noticed = 0
    for fault, must_fail, must_pass in FAULTS:
        status, rows, output = run(fault, [*must_pass, *([must_fail] if must_fail else [])])
        failed = {f"{row['mesh']}:{row['cell']}" for row in rows if not row["ok"]}
        wanted = {must_fail} if must_fail else set()
        good = failed == wanted and (status != 0) == bool(wanted)
        noticed += good
        print(f"{'ok  ' if good else 'FAIL'} {fault or 'nothing broken':22} failed: {', '.join(sorted(failed)) or 'nothing'}", flush=True)
        if not good:
            print(output)
    print(f"{noticed} passed, {len(FAULTS) - noticed} failed, 0 skipped")
    return 0 if noticed == len(FAULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
