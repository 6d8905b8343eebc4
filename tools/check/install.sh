#!/bin/bash
# tools/check/install.sh: installs the library into a scratch folder and builds examples/ from nothing
# but what lies there: each program must build by the pkg-config line that its comment shows, and run.
# Every installed header must compile alone from there too: none may include one that is not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
tools/build.sh release all
cmake --install build/release --prefix "$prefix/first" >/dev/null
mv "$prefix/first" "$prefix/moved" # an installed tree may be moved
pc=$(find "$prefix/moved" -name ocf-p2p.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -ra cflags <<<"$(pkg-config --cflags ocf-p2p)"
read -ra libs <<<"$(pkg-config --libs ocf-p2p)"
include=$prefix/moved/include/ocf
n=0
while read -r h; do
  printf '#include "%s"\n' "$h" | gcc -std=c11 -fsyntax-only "${cflags[@]}" -x c - ||
    { echo "install: $h does not compile from the installed tree" >&2; exit 1; }
  n=$((n + 1))
done < <(cd "$include" && find . -name '*.h' | cut -c 3- | sort)
for example in examples/*.c; do
  for cc in gcc clang; do
    program=$prefix/$(basename "$example" .c)-$cc
    (cd "$prefix" && "$cc" -std=c11 -Wall -Wextra -Werror "$OLDPWD/$example" "${cflags[@]}" "${libs[@]}" -o "$program")
    "$program" >"$program.out" || { cat "$program.out"; echo "install: $program failed" >&2; exit 1; }
  done
  echo "$example: $(tail -1 "$program.out")"
done
[ ! -f src/app/ocf_main.c ] || "$prefix/moved/bin/ocf" version >/dev/null
echo "install: $n headers, $(ls examples/*.c | wc -l) examples built from the installed tree"
