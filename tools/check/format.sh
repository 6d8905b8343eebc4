#!/bin/bash
# tools/check/format.sh [--fix]: clang-format on every C file that we write by hand. Version 14, which
# is Debian 12's: another version lays out some lines in another way.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=$(command -v clang-format-14 || command -v clang-format)
"$tool" --version | grep -q 'version 14\.' || { echo "format: needs clang-format 14, $tool is another" >&2; exit 1; }
mapfile -t files < <(find src testing tests examples -name '*.[ch]' -not -path '*/node_modules/*' 2>/dev/null | sort)
if [ "${1:-}" = --fix ]; then
  "$tool" -i "${files[@]}"
  exit 0
fi
bad=0
for f in "${files[@]}"; do
  "$tool" "$f" | cmp -s - "$f" || { echo "$f: run tools/check/format.sh --fix"; bad=$((bad + 1)); }
done
echo "format: ${#files[@]} files, $bad to format"
[ "$bad" = 0 ]
