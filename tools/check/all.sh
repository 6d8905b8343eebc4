#!/bin/bash
# tools/check/all.sh [build folder]: every check of the sources and of the archives that a build (by
# default build/release, which must be there) made of them. Runs all, then says which failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/release}
failed=()
check() { "$@" || failed+=("$*"); }
check tools/check/selftest.py
check tools/check/layers.py
check tools/check/format.sh
check env OCF_BUILD_INFO="$build" tools/check/headers.sh
check tools/check/generated.sh "$build"
check tools/check/words.py
check tools/check/links.py
check tools/check/symbols.py "$build"
! command -v promtool >/dev/null || check tools/check/metrics.sh "$build"
[ ${#failed[@]} -eq 0 ] && { echo "checks: all passed"; exit 0; }
echo "checks: failed: ${failed[*]}" >&2
exit 1
