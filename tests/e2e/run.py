#!/usr/bin/env python3
"""Everything end to end: real nodes, a real engine, real clients, hostile ones among them.

    run.py [--ocf build/ocf] [--only PATTERN]... [--list] [--serial]

Prints one line per case and `N passed, N failed, N skipped` at the end. The logs of all processes are
in build/e2e/run, what they logged during a failed case is in build/e2e/failed/<case>/.
"""

import argparse
import fnmatch
import importlib
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from processes import BUILD, ROOT, Pair
from service import Service
from wire import Failure

# A suite is a module with CASES and maybe close(run). Suites of the second lane spend their time waiting,
# and run beside the first; those of the last lane measure, and run alone.
LANES = [
    ["cases_cli", "cases_http", "cases_smuggling", "cases_answers", "cases_replay", "cases_engine"],
    ["cases_transport", "cases_slow", "cases_boot", "cases_dev", "cases_mesh"],
]
ALONE = ["cases_measured"]

print_lock = threading.Lock()


def say(text):
    with print_lock:
        print(text, flush=True)


class Run:
    """What cases share: the program, processes, and fixtures that are made when first asked for."""

    def __init__(self, ocf, folder):
        self.ocf, self.folder = ocf, folder
        self.sanitized = b"__asan_init" in ocf.read_bytes()  # keeps freed memory: resident sizes mean nothing
        self.processes, self.fixtures = [], {}
        self.lock = threading.RLock()
        self.results = []

    def fixture(self, name, make):
        with self.lock:
            if name not in self.fixtures:
                self.fixtures[name] = make()
            return self.fixtures[name]

    @property
    def service(self):
        return self.fixture("service", Service)

    @property
    def pair(self):
        """A head and a worker with default options before `service`."""
        services = {"rec": f"http://127.0.0.1:{self.service.port}"}
        return self.fixture("pair", lambda: Pair(self, f"plain{len(self.processes)}", services))

    def the_dead(self):
        """Shared nodes that have ended by themselves; the next case gets new ones."""
        with self.lock:
            pair = self.fixtures.get("pair")
            dead = [n for n in pair.nodes if n.p.poll() is not None] if pair else []
            if dead:
                del self.fixtures["pair"]
                pair.stop()
            return [f"{n.name} ended with status {n.p.poll()}" for n in dead]


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80]


def marks(run):
    return {p.log: p.log.stat().st_size for p in list(run.processes) if p.log.exists()}


def keep_logs(run, name, before, why):
    """What every process logged while the case ran."""
    folder = BUILD / "failed" / slug(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "why").write_text(why)
    for p in list(run.processes):
        with open(p.log, "rb") as log:
            log.seek(before.get(p.log, 0))
            said = log.read()
        if said:
            (folder / f"{p.name}.log").write_bytes(said[-1_000_000:])


def run_case(run, suite, case):
    name = f"{suite}: {case.__name__.removeprefix('test_').replace('_', ' ')}" if callable(case) else f"{suite}: {case[0]}"
    check = case if callable(case) else case[1]
    before, start = marks(run), time.monotonic()
    try:
        note = check(run)
        verdict = "pass"
    except Exception as err:  # noqa: BLE001 - whatever goes wrong in a case is its failure
        verdict, note = "FAIL", str(err) if isinstance(err, Failure) else f"{type(err).__name__}: {err}"
        keep_logs(run, name, before, f"{note}\n{traceback.format_exc()}")
    if dead := run.the_dead():
        verdict, note = "FAIL", f"{'; '.join(dead)}; {note}"
        keep_logs(run, name, before, note)
    run.results.append((name, verdict))
    say(f"{verdict}  {name}  ({time.monotonic() - start:.1f} s)" + (f"  {note[:400]}" if note else ""))


def chosen(args, suites):
    for suite in suites:
        module = importlib.import_module(suite)
        short = suite.removeprefix("cases_")
        cases = [c for c in module.CASES if matches(args, short, c)]
        if cases:
            yield short, module, cases


def matches(args, suite, case):
    name = case.__name__ if callable(case) else case[0]
    full = f"{suite}: {name.removeprefix('test_').replace('_', ' ')}"
    return not args.only or any(fnmatch.fnmatch(full, f"*{p}*") for p in args.only)


def run_lane(run, args, suites):
    for suite, module, cases in chosen(args, suites):
        for case in cases:
            run_case(run, suite, case)
        if hasattr(module, "close"):
            module.close(run)


def raise_file_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16) if hard != resource.RLIM_INFINITY else 1 << 16, hard))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--ocf", default=str(ROOT / "build" / "ocf"), help="the program under test (default: build/ocf)")
    ap.add_argument("--only", action="append", default=[], help="cases that match, such as 'engine: *'")
    ap.add_argument("--list", action="store_true", help="name the cases and end")
    ap.add_argument("--serial", action="store_true", help="one case at a time")
    args = ap.parse_args()
    lanes = [*LANES, ALONE]
    if args.list:
        for suites in lanes:
            for suite, _, cases in chosen(args, suites):
                for c in cases:
                    print(f"{suite}: {c.__name__.removeprefix('test_').replace('_', ' ') if callable(c) else c[0]}")
        return 0
    ocf = Path(args.ocf).resolve()
    if not os.access(ocf, os.X_OK):
        sys.exit(f"run.py: {ocf} is not there; build it with `make build`, or name it with --ocf")
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(BUILD / "failed", ignore_errors=True)
    for old in BUILD.glob("run-*"):
        if time.time() - old.stat().st_mtime > 3600:
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=BUILD))
    run, start = Run(ocf, folder), time.monotonic()
    if args.serial:
        run_lane(run, args, [s for lane in lanes for s in lane])
    else:
        threads = [threading.Thread(target=run_lane, args=(run, args, lane), daemon=True) for lane in LANES]
        for t in threads:
            t.start()
        for t in threads:
            while t.is_alive():
                t.join(0.5)
        run_lane(run, args, ALONE)
    failed = [n for n, v in run.results if v != "pass"]
    wanted = sum(len(cases) for suites in lanes for _, _, cases in chosen(args, suites))
    for p in run.processes:
        if p.p.poll() is None:
            p.p.kill()
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.monotonic() - start:.0f} s" + (f"; logs of failed cases: {BUILD / 'failed'}" if failed else ""))
    print(f"{len(run.results) - len(failed)} passed, {len(failed)} failed, {wanted - len(run.results)} skipped")
    return 1 if failed or wanted != len(run.results) or not run.results else 0


if __name__ == "__main__":
    # Threads that still wait must not hold up the end; children are ended by atexit.
    code = main()
    sys.stdout.flush()
    from processes import _end_all
    _end_all()
    os._exit(code)
