#!/bin/sh
# Programs the tests drive for real. Installed by root from Debian's packages; elsewhere what is missing is named, and the
# tests that need it skip with a line of their own.
set -eu
missing=
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"; }
need sshd openssh-server
need ssh openssh-client
need busybox busybox
need gawk gawk
need mawk mawk
need original-awk original-awk
need strace strace
need shellcheck shellcheck
need dropbear dropbear-bin
need groff groff-base
need zsh zsh
need fish fish
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
# promtool from the package of Prometheus, which is not installed: that would start a server.
cache=$(cd "$(dirname "$0")/.." && pwd)/.cache/prometheus
if ! command -v promtool >/dev/null 2>&1 && [ ! -x "$cache/usr/bin/promtool" ] && command -v apt-get >/dev/null 2>&1; then
    mkdir -p "$cache"
    { (cd "$cache" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb) >/dev/null 2>&1; } ||
        echo "promtool could not be had (its test skips)"
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing"
    # shellcheck disable=SC2086 # a list of names
    { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; }; } >/dev/null 2>&1 ||
        echo "could not install:$missing (tests that need them skip)"
else
    echo "missing:$missing (tests that need them skip)"
fi
