#!/bin/bash
# tools/build.sh <preset> [target...]: configures when needed, then builds; quiet unless it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
log="build/$preset.log"
mkdir -p build
if ! { [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"$log" 2>&1; }; then
  tail -40 "$log" >&2
  exit 1
fi
if ! ninja -C "build/$preset" "${@:-all}" >"$log" 2>&1; then
  grep -E 'error|warning:|FAILED|undefined' "$log" | head -40 >&2 || tail -40 "$log" >&2
  echo "build of preset $preset failed; the whole log is $log" >&2
  exit 1
fi
