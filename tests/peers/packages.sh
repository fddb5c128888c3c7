#!/bin/sh
# Independent clients for the tests, into .cache/peers: the official conformance suite and the inspector with a Node of their
# own, and fastmcp in a virtual environment of its own. Where npm is missing, one line says so and those tests skip.
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
if ! [ -f "$cache/fastmcp/.installed" ]; then
    if "$python" -m venv "$cache/fastmcp" && "$cache/fastmcp/bin/python" -m pip install --quiet --disable-pip-version-check \
        --only-binary :all: 'fastmcp>=4.1,<5' >"$cache/fastmcp.log" 2>&1; then
        : >"$cache/fastmcp/.installed"
    else
        echo "fastmcp could not be installed: its test skips ($cache/fastmcp.log)"
    fi
fi
