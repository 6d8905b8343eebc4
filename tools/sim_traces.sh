#!/bin/bash
# tools/sim_traces.sh <ocf-sim> <ocf-sim> [seed]: runs every scenario in two builds of the simulator, one by
# another compiler say, and compares what each prints: one line for each scenario with the hash of its trace.
set -uo pipefail
[ $# -ge 2 ] || { echo "usage: tools/sim_traces.sh <ocf-sim> <ocf-sim> [seed]" >&2; exit 2; }
seed=${3:-1}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1" --seed "$seed" >"$dir/one" 2>&1 & first=$!
"$2" --seed "$seed" >"$dir/two" 2>&1
b=$?
wait "$first"
a=$?
n=$(grep -c ' trace [0-9a-f]\{16\}' "$dir/one")
if [ "$a" != 0 ] || [ "$b" != 0 ] || [ "$n" = 0 ]; then
  echo "sim_traces: the runs themselves failed ($a, $b)"
  grep -h '^FAIL' "$dir/one" "$dir/two"
  exit 1
fi
differ=$(diff <(grep ' trace ' "$dir/one") <(grep ' trace ' "$dir/two"))
if [ -n "$differ" ]; then
  echo "sim_traces: same seed, other trace:"
  echo "$differ"
  exit 1
fi
echo "$n scenarios take the same course in both builds, seed $seed"
