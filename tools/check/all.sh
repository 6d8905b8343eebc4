#!/bin/bash
# tools/check/all.sh [build folder]: every check of the sources. With a build folder (its release
# archives), the symbol audit too. Runs all of them and then says which failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:-}
failed=()
check() { "$@" || failed+=("$1"); }
check tools/check/selftest.py
check tools/check/layers.py
check tools/check/format.sh
check tools/check/headers.sh
check tools/check/generated.sh
check tools/check/words.py
check tools/check/links.py
[ -z "$build" ] || check tools/check/symbols.py "$build"
[ ${#failed[@]} -eq 0 ] && { echo "checks: all passed"; exit 0; }
echo "checks: failed: ${failed[*]}" >&2
exit 1
