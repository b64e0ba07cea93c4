#!/bin/sh
# Compares the exported API of each published module with that of the last version, and lists
# the changes that may break programs. Exits with 1 if there are any, and with 2 if it cannot
# compare. usage: apidiff.sh, in the repository
set -eu

GO=${GO:-go}
tools=$(cd "$(dirname "$0")/../tools/apidiff" && pwd)/go.mod
module=github.com/goresque/goresque
cd "$(git rev-parse --show-toplevel)"

last=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || {
	echo "apidiff: no earlier version has a tag, nothing is compared"
	exit 0
}
fail() { echo "apidiff: $*" >&2; exit 2; }

old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$last" | tar -x -C "$old"

# compare prints the incompatible changes of a module. apidiff warns about each internal package.
compare() {
	path=$1
	new=$PWD/$2
	(cd "$old/$2" && "$GO" tool -modfile="$tools" apidiff -m -w "$old/api" "$path") 2>"$old/errors" &&
		(cd "$new" && "$GO" tool -modfile="$tools" apidiff -m -incompatible "$old/api" "$path") 2>"$old/errors" ||
		{ cat "$old/errors" >&2; fail "cannot compare $path with $last"; }
}

broken=0
for directory in . resque/otel resque/prom; do
	[ -f "$old/$directory/go.mod" ] || continue # new in this version
	path=$module
	[ "$directory" = . ] || path=$module/$directory
	changes=$(compare "$path" "$directory") || exit
	# Each release changes this constant.
	changes=$(printf '%s\n' "$changes" | grep -v '^- \./cli\.Version: value changed ' || true)
	[ -n "$changes" ] || continue
	broken=1
	printf 'apidiff: %s is incompatible with %s:\n%s\n' "$path" "$last" "$changes"
done
[ "$broken" = 0 ] && echo "apidiff: compatible with $last"
exit "$broken"
