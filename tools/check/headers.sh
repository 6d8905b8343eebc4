#!/bin/bash
# tools/check/headers.sh: every header compiles alone under gcc and clang, and its guard is its path.
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${OCF_BUILD_INFO:-build/release} # where ocf_build_info.h lies, should a header want it
one() {
  h=$1 bad=0 flags=(-std=c11 -pedantic-errors -Wall -Wextra -Wconversion -Wno-unused-function -Werror
    -fsyntax-only -Isrc -I. -I"$2" "-DOCF_SOURCE_DIR=\"x\"")
  case $h in src/io/* | src/store/* | src/sim/* | src/app/*) flags+=(-D_GNU_SOURCE) ;; esac
  for cc in gcc clang; do
    # Included and not compiled itself: then "main file" warnings of either compiler do not apply.
    printf '#include "%s"\ntypedef int not_empty;\n' "${h#src/}" | "$cc" "${flags[@]}" -x c - ||
      { echo "$h: does not compile alone with $cc"; bad=1; }
  done
  guard=OCF_$(echo "${h#src/}" | tr 'a-z/.-' 'A-Z___')
  grep -qx "#ifndef $guard" "$h" && grep -qx "#define $guard" "$h" || { echo "$h: its guard is not $guard"; bad=1; }
  return $bad
}
export -f one
list=$(find src testing -name '*.h' | sort)
echo "$list" | xargs -P 2 -I{} bash -c 'one {} '"$build"
code=$?
echo "headers: $(wc -l <<<"$list") headers, two compilers"
exit $code
