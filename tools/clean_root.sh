#!/bin/bash
# tools/clean_root.sh [command...]: a Debian 12 with git, make and nothing else of ours, made with
# debootstrap in a scratch folder; in it a clone of the last commit, in which the commands run, by default
# `make demo` and `make test`. Needs root and debootstrap; takes 3 GB and some minutes. The folder is
# removed at the end unless KEEP=1 is set.
#
# What it takes from this machine: the network, and how packages are reached (apt's sources and proxies,
# pip's and npm's configuration, certificates, the environment variables named below).
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "clean_root: must be root (debootstrap, chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "clean_root: apt-get install debootstrap" >&2; exit 1; }
[ $# -gt 0 ] || set -- "make demo" "make test"

root=$(mktemp -d "${TMPDIR:-/var/tmp}/ocf-root.XXXXXX")
cleanup() { [ "${KEEP:-}" = 1 ] && echo "clean_root: kept in $root" || rm -rf --one-file-system "$root"; }
trap cleanup EXIT

mirror=${MIRROR:-http://deb.debian.org/debian}
echo "clean_root: debootstrap from $mirror"
debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
  { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
chmod 755 "$root" # apt drops its rights to download
rm -f "$root/etc/apt/sources.list" # this machine's are given below
give() { # a file or folder of this machine, at the same place in there
  [ -e "$1" ] || return 0
  mkdir -p "$root${1%/*}"
  rm -rf --one-file-system "${root:?}$1" # first: its links would lead out of there
  cp -aLT "$1" "$root$1"
}
for f in /etc/resolv.conf /etc/hosts /etc/apt/apt.conf.d /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/auth.conf.d \
  /etc/pip.conf /etc/npmrc /usr/etc/npmrc /etc/ssl/certs /usr/local/share/ca-certificates; do
  give "$f"
done
rm -f "$root"/etc/apt/apt.conf.d/*docker* # settings of images that do not belong to a plain Debian
env=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM="${TERM:-dumb}")
while IFS= read -r name; do
  env+=("$name=${!name}")
done < <(compgen -e | grep -iE '^(https?_proxy|no_proxy|all_proxy|pip_(cert|index_url|extra_index_url|trusted_host|default_timeout)|npm_config_.*|goproxy|gosumdb|gonosumdb|goflags|ssl_cert_(file|dir)|node_extra_ca_certs|curl_ca_bundle|requests_ca_bundle|git_ssl_cainfo)$')
git clone -q --no-local . "$root/root/ocf"
echo "clean_root: $(git rev-parse --short HEAD) in $(chroot "$root" cat /etc/debian_version)"

# Mounts and processes of their own, so that all is gone at the end. No standard input, no terminal.
inside() {
  unshare --mount --pid --fork --kill-child bash -c '
    mount --bind "$0" "$0" && cd "$0" && mount -t proc proc proc && mount --rbind /dev dev && mount --make-rslave dev &&
      mount -t tmpfs tmpfs tmp && shift 0 && exec chroot . /usr/bin/env -i "$@"' "$root" "${env[@]}" \
    bash -c "cd /root/ocf && $1" </dev/null
}
failed=0
for command in "$@"; do
  start=$SECONDS
  echo "clean_root: $command"
  inside "$command" && code=0 || code=$?
  echo "clean_root: $command: exit $code after $((SECONDS - start)) s"
  [ "$code" = 0 ] || failed=1
done
exit $failed
