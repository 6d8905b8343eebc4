#!/usr/bin/env python3
"""Shows that faults are noticed: a Go peer broken on purpose must fail its cell, and only that.

Each fault of the Go peer (its -fault flag) runs against a sound peer, as the side that dials, in the cell
that must fail and in one that must not. The sound one is the Go peer 0.37 (what the runner notices), or the
kind named as argument: `selftest.py c` shows that our own peer checks what it is sent.
"""

import subprocess
import sys
from pathlib import Path

from peer import BUILD, KINDS

# Fault: the cell that must fail; a part of the error text that the report must show when the sound peer is
# the Go peer, and when it is ours.
FAULTS = {
    "echo-flip": ("streams-seq", "wrong byte", "wrong or too many bytes came back"),
    "echo-extra": ("streams-seq", "bytes after the expected end", "wrong or too many bytes came back"),
    "echo-one-by-one": ("streams-conc", "", "not done in time"),
    "bulk-flip": ("bulk", "wrong byte", "wrong or too many bulk bytes"),
    "bulk-short": ("bulk", "1 bytes early", "bulk: ended after"),
    "halfclose-flip": ("halfclose", "wrong byte", "wrong, too many or too early bytes"),
    "reset-as-end": ("reset", "expected a reset", "an end instead of a reset"),
    "push-nothing": ("push", "wait_protocol", "wait_protocol"),
    "http-flip": ("http-get", "other ones", "not the answer that it should be"),
    "http-close": ("http-keepalive", "requests, streams", "the stream cannot be used again"),
    "sse-held": ("http-sse", "all events within", "all events within"),
    "cancel-unseen": ("cancel", "did not notice", "did not notice"),
}


def run(fault, cell, sound, c_peer):
    """The exit status and the output of one run with a broken peer."""
    broken = BUILD / f"broken-{fault}"
    broken.write_text(f"#!/bin/sh\nexec {KINDS['go47'][0]} --fault {fault} \"$@\"\n")
    broken.chmod(0o755)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run.py"), "--kind", f"broken={broken}", "--ours", "broken",
         "--theirs", sound, *(["--c-peer", c_peer] if c_peer else []),
         "--only", f"{sound}:we-dial:rsa:{cell},{sound}:we-dial:rsa:ping", "--json", BUILD / "selftest.json"],
        stdout=subprocess.PIPE, text=True, timeout=300, check=False,
    )
    broken.unlink()
    return done.returncode, done.stdout


def main():
    sound = sys.argv[1] if len(sys.argv) > 1 else "go37"
    c_peer = sys.argv[2] if len(sys.argv) > 2 else None
    bad = 0
    for fault, (cell, in_go, in_ours) in FAULTS.items():
        text = in_ours if sound == "c" else in_go
        status, out = run(fault, cell, sound, c_peer)
        noticed = status == 1 and out.endswith("1 passed, 1 failed, 0 skipped\n") and text in out
        print(f"{'ok  ' if noticed else 'FAIL'} {fault:16} in {cell}", flush=True)
        if not noticed:
            print(out)
            bad += 1
    print(f"{len(FAULTS) - bad} passed, {bad} failed, 0 skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
