#!/bin/sh
# Independent clients and a peer for the tests, into .cache/peers: the conformance suite and the inspector with a Node of their
# own, an emulator of Slack, Slack's types as a JSON Schema, fastmcp, linux-mcp-server and ansible-core each in a virtual environment of its own. Where npm is
# missing, one line says so and those tests skip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/peers
mkdir -p "$cache"
node_peer() { # folder, what is missed without it
    cmp -s "$here/$1/package-lock.json" "$cache/$1/.installed" && return 0
    mkdir -p "$cache/$1"
    cp "$here/$1/package.json" "$here/$1/package-lock.json" "$cache/$1/"
    cp "$here/$1/npmrc" "$cache/$1/.npmrc"
    # npm ci refuses a lock without packages for other machines that the registry does not serve; npm install takes the same
    # hashes, and has installed nothing else where the lock stayed as it was
    if (
        cd "$cache/$1" && exec >npm.log 2>&1
        npm ci --ignore-scripts || { npm install --ignore-scripts && cmp package-lock.json "$here/$1/package-lock.json"; }
    ); then
        cp "$here/$1/package-lock.json" "$cache/$1/.installed"
    else
        echo "npm could not install $2 ($cache/$1/npm.log)"
        return 1
    fi
}
if [ "${1:-}" = clients ]; then # `make clients`: too large to be installed unasked
    node_peer clients "the assistants"
    exit
fi
if command -v npm >/dev/null 2>&1; then
    node_peer node "the conformance suite and the inspector: their tests skip" || :
    node_peer emulate "a Slack to test against: those tests skip" || :
    if node_peer blockkit "Slack's own types: cards are not held against them"; then
        sh "$here/blockkit/schema.sh" "$cache/blockkit" || echo "no schema of Slack's types: cards are not held against them"
    fi
else
    echo "npm is missing: the official conformance suite and the inspector are not run, cards are not held against Slack's types"
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
python_peer ansible ansible.txt
