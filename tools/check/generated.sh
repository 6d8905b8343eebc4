#!/bin/sh
# Fails when a generated file is not what its source gives now.
# usage: tools/check/generated.sh <build folder>
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:?usage: tools/check/generated.sh <build folder>}
"$build/ocf_gen_docs" check "$root"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# The generators in tools/gen/ write into the tree they stand in: run them in a copy.
mkdir "$copy/src"
(cd "$root" && tar -cf - config src/http tests/vectors tests/corpora tools) | tar -xf - -C "$copy"
(cd "$copy" && for g in tools/gen/*.py; do python3 "$g" >/dev/null; done)
diff -r -q -x __pycache__ "$root/src/http" "$copy/src/http"
diff -r -q "$root/tests/vectors/gen" "$copy/tests/vectors/gen"
# Seeds: those that generators make; what fuzzing found stands beside them.
diff -r -q "$copy/tests/corpora" "$root/tests/corpora" | grep -v '^Only in' && exit 1
echo "generated files are current"
