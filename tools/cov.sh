#!/bin/bash
# tools/cov.sh [least percent]: line coverage of src/ by the unit tests and the replayed corpora, as a
# table by module and layer; fails when one of layers 0-2, or one of the folders p2p, crdt, registry and
# route, stays below 90 %. Lines that no test program even links count as not covered. The lines
# themselves: build/cov/report.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
least=${1:-90}
[ ! -f build/cov/build.ninja ] || cmake --preset cov >/dev/null # its flags may have changed
tools/build.sh cov all
# Everything in one object, linked or not by any test: what no test touches counts as not covered.
clang -shared -fprofile-instr-generate -Wl,--whole-archive build/cov/libocf_*.a -Wl,--no-whole-archive -o build/cov/all.so
rm -rf build/cov/profiles
mkdir -p build/cov/profiles
# %c: counted in the file itself, so that a test's child that is killed or panics has counted too.
LLVM_PROFILE_FILE="$PWD/build/cov/profiles/%p-%m%c.profraw" ctest --test-dir build/cov -j2 -Q --output-on-failure ||
  { echo "cov: tests failed" >&2; exit 1; }
llvm-profdata merge -sparse build/cov/profiles/*.profraw -o build/cov/all.profdata
rm -r build/cov/profiles
llvm-cov export -summary-only -instr-profile build/cov/all.profdata build/cov/all.so >build/cov/summary.json
llvm-cov show -instr-profile build/cov/all.profdata build/cov/all.so src >build/cov/report.txt
python3 - "$least" <<'P'
import collections, json, os, re, sys

LAYER = {"base": 0, "fmt": 1, "crypto": 1, "multi": 1, "p2p": 2, "http": 2, "crdt": 2, "obs": 3, "registry": 3, "route": 3,
         "node": 4, "store": 5, "io": 5, "sim": 5, "app": 6}
HELD = [0, 1, 2, "p2p", "crdt", "registry", "route"]
lines = collections.defaultdict(lambda: [0, 0])
counted = set()
for f in json.load(open("build/cov/summary.json"))["data"][0]["files"]:
    path = os.path.relpath(f["filename"])
    if not path.startswith("src/") or re.search(r"_(test|fuzz|pair|check)\.[ch]$", path):
        continue
    counted.add(path)
    s = f["summary"]["lines"]
    module = os.path.dirname(path)[4:]
    top = module.split("/")[0]
    if top not in LAYER:
        sys.exit(f"cov: LAYER does not name src/{top}")
    for key in {module, top, LAYER[top]}:
        lines[key][0] += s["covered"]
        lines[key][1] += s["count"]
for root, _, names in os.walk("src"):
    for n in names:
        path = os.path.join(root, n)
        if n.endswith(".c") and not re.search(r"_(test|fuzz|main)\.c$|/ocf_\w+\.c$", path) and path not in counted:
            sys.exit(f"cov: no record of {path}: is it built?")
show = lambda name, c: print(f"{name:18} {c[0]:6} of {c[1]:6} lines  {100 * c[0] / c[1]:5.1f} %")
for k in sorted(k for k in lines if isinstance(k, str)):
    show(k, lines[k])
low = [sum(lines[k][i] for k in (0, 1, 2)) for i in (0, 1)]
for k in sorted(k for k in lines if isinstance(k, int)):
    show(f"layer {k}", lines[k])
show("layers 0-2", low)
bad = [k for k in HELD if not lines[k][1] or 100 * lines[k][0] < float(sys.argv[1]) * lines[k][1]]
for k in bad:
    print(f"cov: {f'layer {k}' if isinstance(k, int) else f'src/{k}'} is below {sys.argv[1]} %")
sys.exit(1 if bad else 0)
P
