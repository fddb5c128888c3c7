#!/bin/sh
# Independent clients and a peer for the tests, into .cache/peers: the conformance suite and the inspector with a Node of their
# own, fastmcp and linux-mcp-server each in a virtual environment of its own. Where npm is missing, one line says so and those tests skip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/peers
mkdir -p "$cache/node"
if command -v npm >/dev/null 2>&1; then
    if ! cmp -s "$here/node/package-lock.json" "$cache/node/.installed"; then
        cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/"
        cp "$here/node/npmrc" "$cache/node/.npmrc"
        if (cd "$cache/node" && npm ci --ignore-scripts --silent >npm.log 2>&1); then
            cp "$here/node/package-lock.json" "$cache/node/.installed"
        else
            echo "npm could not install the conformance suite and the inspector: their tests skip ($cache/node/npm.log)"
        fi
    fi
else
    echo "npm is missing: the official conformance suite and the inspector are not run"
fi
python=${PYTHON:-python3}
python_peer() { # folder, lock file with versions and hashes
    [ -f "$cache/$1/.installed" ] && return 0
    if "$python" -m venv "$cache/$1" && "$cache/$1/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --only-binary :all: --no-deps -r "$here/$2" >"$cache/$1.log" 2>&1; then
        : >"$cache/$1/.installed"
    else
        echo "$2 could not be installed: its test skips ($cache/$1.log)"
    fi
}
python_peer fastmcp fastmcp.txt
python_peer lms lms.txt
