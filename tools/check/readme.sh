#!/bin/bash
# tools/check/readme.sh: runs the block of README.md that is marked as tested, as a reader would: in an empty
# folder, with a new HOME and build/ocf on the PATH. The answer has to come from the worker. As root it runs
# in a network of its own, so that its ports are free. The YAML example must be a valid configuration.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" != inside ] && [ "$(id -u)" = 0 ] && unshare --net true 2>/dev/null; then
  exec unshare --net "$0" inside
fi
[ "${1:-}" != inside ] || ip link set lo up
PATH=$PWD/build:$PATH
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
block=$(awk '/^<!-- tested by tools\/check\/readme.sh/{on=1} on && /^```$/{exit} on && body{print} on && /^```sh$/{body=1}' README.md)
[ -n "$block" ] || { echo "readme: the marked block is gone" >&2; exit 1; }
awk '/^```$/{on=0} on{print} /^```yaml$/{on=1}' README.md >"$dir/readme.yaml"
cd "$dir"
export HOME=$dir
[ -s readme.yaml ] && ocf config --config readme.yaml >/dev/null ||
  { echo "readme: the YAML example is not valid" >&2; exit 1; }
# The fixed wait is for readers; a loaded machine may need longer.
eval "$block" >out 2>err
for _ in $(seq 60); do
  grep -q '"hello":"fabric"' out && break
  sleep 0.5
  eval "${block##*$'\n'}" >>out 2>>err
done
if ! grep -q '"hello":"fabric"' out || ! grep -qi "^X-Computing-Node: $WORKER" out; then
  cat out err >&2
  echo "readme: the answer is not the service's, through $WORKER" >&2
  exit 1
fi
echo "readme: the example of two nodes works"
