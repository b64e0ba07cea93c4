#!/bin/sh
# Prepares a release: checks the tree, makes the modules of otel and prom require the new
# version, and tags all three at one commit. It pushes nothing.
# usage: release.sh VERSION, such as 0.1.0
set -eu

GO=${GO:-go}
version=${1:-}
case $version in
[0-9]*.[0-9]*.[0-9]*) ;;
*) echo "usage: release.sh VERSION, such as 0.1.0" >&2; exit 2 ;;
esac

fail() { echo "release: $*" >&2; exit 1; }

[ -z "$(git status --porcelain)" ] || fail "the tree has changes that are not committed"
grep -q "^## \[$version\] - [0-9-]*$" CHANGELOG.md || fail "CHANGELOG.md has no section '## [$version] - YEAR-MONTH-DAY'"
grep -q "^const Version = \"$version\"$" cli/version.go || fail "cli/version.go has another version"
git rev-parse -q --verify "refs/tags/v$version" >/dev/null && fail "the tag v$version exists"

# What the last version promised must still compile, unless this is a new minor version.
last=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
if [ -n "$last" ]; then
	old=$(mktemp -d)
	trap 'git worktree remove --force "$old"' EXIT
	git worktree add -q --detach "$old" "$last"
	apidiff="$GO run golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4"
	(cd "$old" && $apidiff -m -w "$old/api" github.com/goresque/goresque)
	changes=$($apidiff -m -incompatible "$old/api" github.com/goresque/goresque)
	if [ -n "$changes" ]; then
		printf 'release: incompatible with %s:\n%s\n' "$last" "$changes"
		[ "${version%.*}" != "$(echo "${last#v}" | sed 's/\.[0-9]*$//')" ] || fail "a patch version must not change the API"
	fi
else
	echo "release: there is no earlier version to compare with"
fi

for module in resque/otel resque/prom; do
	(cd "$module" && "$GO" mod edit -require "github.com/goresque/goresque@v$version")
done
if [ -n "$(git status --porcelain)" ]; then
	git commit -qam "Require v$version in the modules otel and prom"
fi
git tag -a "v$version" -m "goresque $version"
for module in resque/otel resque/prom; do
	git tag -a "$module/v$version" -m "goresque $module $version"
done
echo "release: tagged; look at it, then run: git push --follow-tags"
