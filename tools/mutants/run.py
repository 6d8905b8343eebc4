#!/usr/bin/env python3
"""Plants each fault of tools/mutants/faults.py in a scratch copy and runs the tests that must notice.

    run.py [-k text] [--list]

A fault is noticed when one of its tests fails, crashes or hangs. A fault that nobody notices fails the
run; so does one whose text is no longer in the source, or that does not compile: then it planted
nothing. The tests must pass before anything is planted. The copy, build/mutants, is kept and brought up
to date, so that a second run is quick.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
COPY = os.path.join(ROOT, "build", "mutants", "tree")
BUILD = os.path.join(ROOT, "build", "mutants", "build")
TIMEOUT_S = {True: 300, False: 60}  # of a scenario, of any other test
FLAGS = "-w -O1 -fsanitize=address,undefined -fno-sanitize-recover=all"  # as preset asan
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import FAULTS  # noqa: E402


def sync():
    """Makes COPY the same as the working tree, touching only what differs (so that ninja rebuilds little)."""
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, check=True).stdout
    names = {n for n in out.decode().split("\0") if n and os.path.isfile(os.path.join(ROOT, n))}
    for n in names:
        src, dst = os.path.join(ROOT, n), os.path.join(COPY, n)
        with open(src, "rb") as f:
            data = f.read()
        if os.path.exists(dst):
            with open(dst, "rb") as f:
                if f.read() == data:
                    continue
        os.makedirs(os.path.dirname(dst), exist_ok=True)
        with open(dst, "wb") as f:
            f.write(data)
    for folder, _, files in os.walk(os.path.join(COPY, "src")):
        for f in files:
            if os.path.relpath(os.path.join(folder, f), COPY) not in names:
                os.remove(os.path.join(folder, f))


def configure():
    cmd = ["cmake", "-S", COPY, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_C_FLAGS={FLAGS}"]
    subprocess.run(cmd, check=True, stdout=subprocess.DEVNULL)


def tests_of(modules):
    """(target, command) of every unit test and corpus replay of these modules, as CMake made them; "sim/<name>" is
    the simulator's scenario of that name."""
    found = []
    for m in modules:
        if m.startswith("sim/"):
            found.append(("scenarios_test", [os.path.join(BUILD, "tests", "scenarios", "scenarios_test"), m[len("sim/"):]]))
            continue
        for n in sorted(os.listdir(os.path.join(COPY, "src", m))):
            if not re.search(r"_(test|fuzz)\.c$", n):
                continue
            target = f"ocf_{m.replace('/', '_')}__{n[:-2]}"
            corpus = [os.path.join(COPY, "tests", "corpora", m, n[:-2])] if n.endswith("_fuzz.c") else []
            found.append((target, [os.path.join(BUILD, target), *corpus]))
    return sorted(found, key=lambda t: ("_fuzz" in t[0], is_scenario(t[0])))


def is_scenario(target):
    return target == "scenarios_test"


def build(tests):
    p = subprocess.run(["ninja", "-C", BUILD, *sorted({t for t, _ in tests})], capture_output=True, text=True)
    return p.returncode == 0, p.stdout[-3000:]


def first_failure(tests):
    """The target of the first test that objects, or None."""
    for target, cmd in tests:
        name = "sim/" + cmd[1] if is_scenario(target) else target
        try:
            p = subprocess.run(cmd, cwd=BUILD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               timeout=TIMEOUT_S[is_scenario(target)])
        except subprocess.TimeoutExpired:
            return f"{name} (hung)"
        if p.returncode != 0:
            return name
    return None


def plant(fault):
    """Edits the copy; returns what undoes it, or None when the text is not there exactly once."""
    path = os.path.join(COPY, fault.path)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.count(fault.old) != 1 or fault.old == fault.new:
        return None
    write(path, text.replace(fault.old, fault.new))
    return lambda: write(path, text)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def judge(fault):
    """(verdict, detail)"""
    tests = tests_of(fault.tests)
    undo = plant(fault)
    if undo is None:
        return "stale", f"the text is not exactly once in {fault.path}"
    try:
        for t in tests:  # the first that objects is enough, and saves linking the others
            ok, log = build([t])
            if not ok:
                return "broken", log
            by = first_failure([t])
            if by:
                return "noticed", by
        return "MISSED", f"by {', '.join(sorted({t for t, _ in tests}))}"
    finally:
        undo()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-k", default="", help="only faults whose name or path contains this")
    ap.add_argument("--list", action="store_true", help="print the faults and stop")
    args = ap.parse_args()
    faults = [f for f in FAULTS if args.k in f.name or args.k in f.path]
    if args.list:
        for f in faults:
            print(f"{f.path}: {f.name}")
        return 0
    for tool in ("cmake", "ninja", "gcc"):
        if shutil.which(tool) is None:
            sys.exit(f"mutants: {tool} is missing")
    sync()
    configure()
    whole = tests_of(sorted({m for f in faults for m in f.tests}))
    ok, log = build(whole)
    bad = first_failure(whole) if ok else "the build"
    if bad:
        sys.exit(f"mutants: nothing is planted yet, and {bad} fails\n{log if not ok else ''}")
    counts = {"noticed": 0, "MISSED": 0, "stale": 0, "broken": 0}
    for f in faults:
        start = time.monotonic()
        verdict, detail = judge(f)
        counts[verdict] += 1
        print(f"{verdict:8} {f.name:58} {detail}  {time.monotonic() - start:.1f} s", flush=True)
    build(whole)
    failed = len(faults) - counts["noticed"]
    print(f"mutants: {len(faults)} faults: " + ", ".join(f"{v} {k}" for k, v in counts.items()))
    print(f"{counts['noticed']} passed, {failed} failed, 0 skipped")
    return 1 if failed or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
