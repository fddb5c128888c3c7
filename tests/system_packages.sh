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
need nats-server nats-server
need groff groff-base
need zsh zsh
need fish fish
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
# Prometheus (and its promtool), Alertmanager and node-exporter from packages that are not installed: that would start servers.
cache=$(cd "$(dirname "$0")/.." && pwd)/.cache/prometheus
unpacked() {
    command -v "$2" >/dev/null 2>&1 || [ -x "$cache/usr/bin/$2" ] || ! command -v apt-get >/dev/null 2>&1 && return 0
    mkdir -p "$cache"
    { (cd "$cache" && apt-get download -qq "$1" && dpkg-deb -x "$1"_*.deb . && rm -f "$1"_*.deb) >/dev/null 2>&1; } ||
        echo "$2 could not be had (its tests skip)"
}
unpacked prometheus promtool
unpacked prometheus-alertmanager prometheus-alertmanager
unpacked prometheus-node-exporter prometheus-node-exporter
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
