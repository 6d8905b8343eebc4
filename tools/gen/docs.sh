#!/bin/sh
# Rewrites what is made from the option table and the commands: docs/configuration.md,
# docs/config.schema.json, docs/cli.md, config/cfg.sample.yaml.
# usage: tools/gen/docs.sh [<build folder>]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/dev}
[ -f "$build/build.ninja" ] || cmake --preset dev -S "$root" -B "$build" >/dev/null
ninja -C "$build" ocf_gen_docs >/dev/null
"$build/ocf_gen_docs" write "$root"
