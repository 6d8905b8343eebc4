#!/bin/sh
# Gives the fullest /metrics page that the metrics test can make to promtool.
# usage: tools/check/metrics.sh <folder of a build with tests>
# Exit: 0 fine; 1 promtool objects; 77 promtool is not installed (Debian: package prometheus).
set -eu
build=${1:?usage: tools/check/metrics.sh <build folder>}
promtool=$(command -v promtool) || {
  echo "metrics: promtool is not installed" >&2
  exit 77
}
page=$(mktemp)
trap 'rm -f "$page"' EXIT
OCF_METRICS_PAGE="$page" "$build/ocf_obs_metric__metric_test" >/dev/null
"$promtool" check metrics <"$page"
echo "metrics: $(wc -l <"$page") lines, promtool agrees"
