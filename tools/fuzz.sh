#!/bin/bash
# tools/fuzz.sh <seconds> [name]: runs every libFuzzer target (or those whose name contains `name`)
# from its corpus for so long, two at a time. New inputs go to build/fuzz-new, never to the corpus.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10} name=${2:-}
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null || exit 1
tools/build.sh fuzz $(cut -d' ' -f1 build/fuzz/fuzz-targets.txt) || exit 1
mkdir -p build/fuzz-new build/fuzz-log
list=$(find build/fuzz -maxdepth 1 -type f -executable -name '*_fuzz' | sort | grep -F -- "$name")
[ -n "$list" ] || { echo "no fuzz target matches '$name'" >&2; exit 1; }
one() {
  bin=$1 seconds=$2 base=$(basename "$1")
  src=$(grep -m1 "^$base " build/fuzz/fuzz-targets.txt | cut -d' ' -f2)
  mkdir -p "build/fuzz-new/$base"
  if "$bin" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="build/fuzz-new/$base-" "build/fuzz-new/$base" "tests/corpora/$src" >"build/fuzz-log/$base" 2>&1; then
    printf 'ok    %-55s %s runs\n' "$base" "$(awk '/number_of_executed_units/{print $2}' "build/fuzz-log/$base")"
  else
    printf 'FAIL  %s\n' "$base"
    tail -25 "build/fuzz-log/$base"
    return 1
  fi
}
export -f one
out=$(printf '%s\n' $list | xargs -P 2 -I{} bash -c 'one {} '"$seconds")
code=$?
echo "$out"
echo "$(grep -c '^ok' <<<"$out") passed, $(grep -c '^FAIL' <<<"$out") failed, 0 skipped"
exit $code
