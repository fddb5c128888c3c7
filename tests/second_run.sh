#!/bin/sh
# Run a pytest command. At most three tests that failed run once more with nothing beside them: a test that passes then has a race,
# in itself or in the product, and is named as such at the end. More failures are no races.
most=3
"$@" --cache-clear
status=$?
[ "$status" = 1 ] || exit "$status"
alone() { "$@" -n 0 --last-failed --last-failed-no-failures=none; }
failed=$(alone "$@" --collect-only | grep '::')
[ -n "$failed" ] && [ "$(printf '%s\n' "$failed" | wc -l)" -le "$most" ] || exit "$status"
echo "run once more, with nothing beside:"
alone "$@" || exit
printf '%s\n' "$failed" | sed 's/^/RACE, to be cured: /'
