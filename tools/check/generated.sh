#!/bin/bash
# tools/check/generated.sh: generated files are what their generators make of today's sources. Works in
# a tree with changes too: it compares the files before and after, and not with the last commit.
set -euo pipefail
cd "$(dirname "$0")/../.."
# A generator may write a file that is new: so everything that git does not ignore is compared.
state() { git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null | sort -k 2; }
before=$(state)
tools/gen/all.sh
changed=$(diff <(echo "$before") <(state) | sed -n 's/^[<>] [0-9a-f]*  //p' | sort -u)
if [ -n "$changed" ]; then
  echo "generated: these were stale, and are fresh now; look at them and commit them:" >&2
  echo "$changed" >&2
  exit 1
fi
echo "generated: $(ls tools/gen/*.py | wc -l) generators, nothing stale"
