#!/bin/sh
# Runs all fuzz targets of the given modules, one at a time.
# usage: [GO=go] [FUZZTIME=30s] fuzz.sh MODULE...
set -eu

GO=${GO:-go}
FUZZTIME=${FUZZTIME:-30s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# targets prints "directory name" for each fuzz target of a module. It leaves out
# nested modules.
targets() {
	find "$1" -mindepth 2 -name go.mod | sed 's|/go\.mod$|/|' >"$log"
	grep -rEo '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' --exclude-dir=testdata \
		--exclude-dir=node_modules "$1" | grep -vFf "$log" |
		sed -E 's|/[^/]*:func (Fuzz[A-Za-z0-9_]*)\($| \1|' | sort -u
}

# spurious reports whether the last run failed only because of golang.org/issue/75804:
# Go before 1.27 sometimes reports the end of -fuzztime as a failure.
spurious() {
	grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic:|_test\.go:' "$log"
}

run() { # run DIRECTORY NAME
	status=0
	(cd "$1" && "$GO" test -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" .) >"$log" 2>&1 || status=$?
	cat "$log"
	if grep -q 'no fuzz tests to fuzz' "$log"; then
		echo "fuzz: $2 did not run: does its file have a build tag?"
		status=1
	fi
	return "$status"
}

count=0
for module in "$@"; do
	list=$(targets "$module" || true)
	# The names have no spaces, so the words of the list are pairs.
	# shellcheck disable=SC2086
	set -- $list
	while [ $# -gt 0 ]; do
		echo "fuzz: $1: $2 for $FUZZTIME"
		tries=1
		until run "$1" "$2"; do
			spurious && [ "$tries" -lt 5 ] || exit 1
			tries=$((tries + 1))
			echo "fuzz: $2: failed only because its time was over, running it again"
		done
		count=$((count + 1))
		shift 2
	done
done
[ "$count" -gt 0 ] || echo "fuzz: no fuzz targets yet"
