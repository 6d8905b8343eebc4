#!/bin/bash
# tools/gen/all.sh: runs every generator beside it. What they write is checked in; tools/check/generated.sh
# fails when a run changes anything.
set -euo pipefail
cd "$(dirname "$0")/../.."
for g in tools/gen/*.py; do
  python3 "$g" >/dev/null || { echo "gen: $g failed" >&2; exit 1; }
done
[ ! -x tools/gen/docs.sh ] || tools/gen/docs.sh >/dev/null # option table and commands; builds a part of preset dev
