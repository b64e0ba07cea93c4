#!/bin/sh
# Runs every fuzz target found in the given modules, one at a time.
# usage: [GO=go] [FUZZTIME=30s] fuzz.sh MODULE...
set -eu

GO=${GO:-go}
FUZZTIME=${FUZZTIME:-30s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "directory name" for each fuzz target below a module that is
# the module's own: a nested go.mod starts another module.
targets() {
	find "$1" -mindepth 2 -name go.mod | sed 's|/go\.mod$|/|' >"$log"
	grep -rEo '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' --exclude-dir=testdata \
		--exclude-dir=node_modules "$1" | grep -vFf "$log" |
		sed -E 's|/[^/]*:func (Fuzz[A-Za-z0-9_]*)\($| \1|' | sort -u
}

# spurious says whether the last run ended in the race of golang.org/issue/75804
# (in Go before 1.27): the end of -fuzztime reported as a failure, nothing found.
spurious() {
	grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic:|_test\.go:' "$log"
}

run() { # run DIRECTORY NAME
	status=0
	(cd "$1" && "$GO" test -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" .) >"$log" 2>&1 || status=$?
	cat "$log"
	if grep -q 'no fuzz tests to fuzz' "$log"; then
		echo "fuzz: $2 did not run: is a build tag in its way?"
		status=1
	fi
	return "$status"
}

count=0
for module in "$@"; do
	list=$(targets "$module" || true)
	# The names hold no blanks, so the list reads as pairs.
	# shellcheck disable=SC2086
	set -- $list
	while [ $# -gt 0 ]; do
		echo "fuzz: $1: $2 for $FUZZTIME"
		if ! run "$1" "$2"; then
			spurious || exit 1
			echo "fuzz: $2: the end of its time was taken for a failure, running it again"
			run "$1" "$2" || exit 1
		fi
		count=$((count + 1))
		shift 2
	done
done
[ "$count" -gt 0 ] || echo "fuzz: no fuzz targets yet"
