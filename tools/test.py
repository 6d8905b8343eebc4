#!/usr/bin/env python3
"""Runs the tests: `tools/test.py unit|interop|e2e|all`, and ends with one plain line of counts.

unit     the dev preset's ctest: unit tests, recorded vectors, fuzz corpora
interop  tests/interop/run.py against Go and js peers
mesh     tests/interop/mesh/run.py: our nodes and Go nodes in one mesh, in network namespaces (needs root)
e2e      tests/e2e/run.py: build/ocf with a real engine and real clients
all      the parts in ALL, in that order

A part that prints no counts, or skips anything, has failed. So has a part of ALL that is gone, and one
that is there and not in ALL: nothing can drop out of `make test` unseen.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def tool_env():
    """PATH with the project's own tools behind the system's, or before them where those are old."""
    env = dict(os.environ)
    venv = os.path.join(ROOT, "build", "tools", "venv", "bin")
    env["OCF_PYTHON"] = os.path.join(venv, "python") if os.path.exists(venv) else sys.executable
    own = [n for n in ("go", "node") if os.path.exists(os.path.join(venv, n))]
    env["PATH"] = f"{venv}:{env['PATH']}" if own else f"{env['PATH']}:{venv}"
    return env


def stream(cmd, env):
    """Runs cmd, passes its output on as it comes, and returns (exit code, output)."""
    p = subprocess.Popen(cmd, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    lines = []
    for line in p.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return p.wait(), "".join(lines)


def quiet_layout(preset):
    """A prefix that turns address randomisation off for tsan: gcc 12's fails under some kernels' default."""
    cmd = ["setarch", os.uname().machine, "-R"]
    if preset != "tsan" or subprocess.run([*cmd, "true"], capture_output=True).returncode != 0:
        return []
    return cmd


def run_unit(args, env):
    preset = args.preset
    subprocess.run(["tools/build.sh", preset], cwd=ROOT, env=env, check=True)
    cmd = [*quiet_layout(preset), "ctest", "--test-dir", f"build/{preset}", "-j2", "--output-on-failure", "--no-tests=error"]
    if preset == "tsan":
        cmd += ["-LE", "sim"]  # a simulated world is one thread
    code, out = stream(cmd, env)
    m = re.search(r"(\d+) tests failed out of (\d+)", out)
    if not m:
        return 0, 1, 0
    failed, total = int(m.group(1)), int(m.group(2))
    skipped = len(re.findall(r"\*\*\*(?:Skipped|Not Run)", out))
    return total - failed - skipped, max(failed, 1 if code else 0), skipped


def from_counts(cmd, env):
    code, out = stream(cmd, env)
    found = COUNTS.findall(out)
    if not found:
        print(f"{cmd[1]}: printed no counts", file=sys.stderr)
        return 0, 1, 0
    passed, failed, skipped = (int(x or 0) for x in found[-1])
    return passed, max(failed, 1 if code else 0), skipped


def run_interop(args, env):
    subprocess.run(["tests/interop/peers.sh"], cwd=ROOT, env=env, check=True)
    subprocess.run(["tools/build.sh", "release", "ocf_interop_cpeer"], cwd=ROOT, env=env, check=True)
    return from_counts([sys.executable, "tests/interop/run.py", "--repeat", str(args.repeat),
                        "--bulk-bytes", str(size(args.bulk))], env)


def run_mesh(args, env):
    subprocess.run(["tests/interop/peers.sh", "mesh47", "mesh37"], cwd=ROOT, env=env, check=True)
    subprocess.run(["tools/build.sh", "release", "ocf"], cwd=ROOT, env=env, check=True)
    return from_counts([sys.executable, "tests/interop/mesh/run.py", "--repeat", str(args.repeat)], env)


def run_e2e(args, env):
    return from_counts([env["OCF_PYTHON"], "tests/e2e/run.py"], env)


def size(text):
    m = re.fullmatch(r"(\d+)(KiB|MiB|GiB)?", text)
    if not m:
        sys.exit(f"--bulk: give bytes, or a size such as 64MiB, not {text!r}")
    return int(m.group(1)) << {None: 0, "KiB": 10, "MiB": 20, "GiB": 30}[m.group(2)]


# A part, and the file that it cannot be without.
PARTS = {"unit": (run_unit, "src/*/*/*_test.c"), "interop": (run_interop, "tests/interop/c_peer*.c"),
         "mesh": (run_mesh, "tests/interop/mesh/run.py"), "e2e": (run_e2e, "tests/e2e/run.py")}
ALL = ["unit", "interop", "mesh", "e2e"]


def run_part(name, args, env):
    run, needs = PARTS[name]
    if not glob.glob(os.path.join(ROOT, needs)):
        print(f"{name}: {needs} is gone", file=sys.stderr)
        return 0, 1, 0
    try:
        return run(args, env)
    except subprocess.CalledProcessError as e:
        print(f"{name}: {' '.join(e.cmd)} failed", file=sys.stderr)
        return 0, 1, 0


def chosen(part):
    """The parts to run, and how many of PARTS exist but are not in ALL."""
    if part != "all":
        return [part], 0
    lost = [n for n, (_, needs) in PARTS.items() if n not in ALL and glob.glob(os.path.join(ROOT, needs))]
    for n in lost:
        print(f"{n}: {PARTS[n][1]} exists, but ALL in tools/test.py does not name this part", file=sys.stderr)
    return ALL, len(lost)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("part", choices=[*PARTS, "all"])
    ap.add_argument("--preset", default="dev", help="of the unit tests (default: dev)")
    ap.add_argument("--repeat", type=int, default=1, help="rounds of the interop matrix")
    ap.add_argument("--bulk", default="64MiB", help="bytes of each bulk transfer against Go")
    args = ap.parse_args()
    parts, lost = chosen(args.part)
    env, totals = tool_env(), [0, lost, 0]
    for name in parts:
        start = time.monotonic()
        print(f"== {name}", flush=True)
        got = run_part(name, args, env)
        totals = [a + b for a, b in zip(totals, got)]
        print(f"== {name}: {got[0]} passed, {got[1]} failed, {got[2]} skipped, "
              f"{time.monotonic() - start:.0f} s", flush=True)
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped", flush=True)
    return 1 if totals[1] or totals[2] or totals[0] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
