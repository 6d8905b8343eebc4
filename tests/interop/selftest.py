#!/usr/bin/env python3
"""Shows that the runner notices faults: a Go peer broken on purpose must fail its cell, and only that.

Each fault of the Go peer (its -fault flag) runs against a sound Go peer, as the side that dials, in the
cells that must fail and in one that must not.
"""

import subprocess
import sys
from pathlib import Path

from peer import BUILD, KINDS

# Fault: the cell that must fail, a part of the error text that the report must show.
FAULTS = {
    "echo-flip": ("streams-seq", "wrong byte"),
    "echo-extra": ("streams-seq", "bytes after the expected end"),
    "echo-one-by-one": ("streams-conc", ""),
    "bulk-flip": ("bulk", "wrong byte"),
    "bulk-short": ("bulk", "1 bytes early"),
    "halfclose-flip": ("halfclose", "wrong byte"),
    "reset-as-end": ("reset", "expected a reset"),
    "push-nothing": ("push", "wait_protocol"),
    "http-flip": ("http-get", "other ones"),
    "http-close": ("http-keepalive", "requests, streams"),
    "sse-held": ("http-sse", "all events within"),
    "cancel-unseen": ("cancel", "did not notice"),
}


def run(fault, cell):
    """The exit status and the output of one run with a broken peer."""
    broken = BUILD / f"broken-{fault}"
    broken.write_text(f"#!/bin/sh\nexec {KINDS['go47'][0]} --fault {fault} \"$@\"\n")
    broken.chmod(0o755)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run.py"), "--c-peer", broken, "--theirs", "go37",
         "--only", f"go37:we-dial:rsa:{cell},go37:we-dial:rsa:ping", "--json", BUILD / "selftest.json"],
        stdout=subprocess.PIPE, text=True, timeout=300, check=False,
    )
    broken.unlink()
    return done.returncode, done.stdout


def main():
    bad = 0
    for fault, (cell, text) in FAULTS.items():
        status, out = run(fault, cell)
        noticed = status == 1 and out.endswith("1 passed, 1 failed, 0 skipped\n") and text in out
        print(f"{'ok  ' if noticed else 'FAIL'} {fault:16} in {cell}", flush=True)
        if not noticed:
            print(out)
            bad += 1
    print(f"{len(FAULTS) - bad} passed, {bad} failed, 0 skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
