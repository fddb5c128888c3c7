#!/bin/sh
# Runs as a hook of mmdebstrap, with its apt: fetch the cloud kernel of each suite, unpacked nowhere.
# usage: kernels.sh DIRECTORY SUITE...
set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
directory=$1
shift
for suite; do
    mkdir -p "$directory/$suite"
    cd "$directory/$suite"
    package=$(apt-cache show "linux-image-cloud-amd64/$suite" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
    apt-get download "$package/$suite" || apt-get download "$package"
done
