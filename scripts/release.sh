#!/bin/sh
# Prepares a release: checks the tree, makes the modules of otel and prom require the new
# version, tags all three at one commit, and builds a program that requires them by these tags.
# If a step fails, the repository is as before. It pushes nothing.
# usage: release.sh VERSION, such as 0.1.0, in the repository
set -eu

GO=${GO:-go}
scripts=$(cd "$(dirname "$0")" && pwd)
module=github.com/goresque/goresque
modules="resque/otel resque/prom"
version=${1:-}

fail() { echo "release: $*" >&2; exit 1; }

number='(0|[1-9][0-9]*)'
if [ $# != 1 ] || ! printf '%s\n' "$version" | grep -Eqx "$number\.$number\.$number(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"; then
	echo "release: '$version' is not a version such as 0.1.0 or 1.0.0-rc.1" >&2
	echo "usage: release.sh VERSION" >&2
	exit 2
fi
case $version in
0.* | 1.*) ;;
*) fail "version $version needs another module path: $module/v${version%%.*}" ;;
esac

cd "$(git rev-parse --show-toplevel)"
[ -z "$(git status --porcelain)" ] || fail "the tree has changes that are not committed"
for tag in "v$version" $(printf "%s/v$version " $modules); do
	! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || fail "the tag $tag exists"
done
grep -qFx "const Version = \"$version\"" cli/version.go || fail "cli/version.go has another version: set Version to $version"
heading="^## \\[$(printf %s "$version" | sed 's/\./\\./g')\\] - [0-9]{4}-[0-9]{2}-[0-9]{2}\$"
grep -Eq "$heading" CHANGELOG.md || fail "CHANGELOG.md has no section '## [$version] - YEAR-MONTH-DAY'"
awk -v heading="## [$version] - " '/^## / {inside = index($0, heading) == 1} inside && /^- / {found = 1} END {exit !found}' CHANGELOG.md ||
	fail "the section of $version in CHANGELOG.md is empty"

# What the last version promised must still compile, unless this is a new minor version before 1.0.
last=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)
status=0
GO="$GO" sh "$scripts/apidiff.sh" || status=$?
minor() { printf %s "$1" | sed 's/^v//; s/^\([0-9]*\.[0-9]*\)\..*/\1/'; }
case $status in
0) ;;
1)
	[ "$(minor "$version")" != "$(minor "$last")" ] || fail "a patch version must not change the API"
	case $version in 1.*) case $last in v1.*) fail "version 1 must not break the API" ;; esac ;; esac
	;;
*) fail "cannot compare the API with that of $last" ;;
esac

root=$PWD
before=$(git rev-parse HEAD)
user=$(mktemp -d)
undo() {
	status=$?
	cd "$root"
	rm -rf "$user"
	if [ "$status" != 0 ]; then
		for tag in "v$version" $(printf "%s/v$version " $modules); do
			git tag -d "$tag" >/dev/null 2>&1 || true
		done
		git reset -q --hard "$before"
	fi
	exit "$status"
}
trap undo EXIT

for directory in $modules; do
	(cd "$directory" && "$GO" mod edit -require "$module@v$version")
done
if [ -n "$(git status --porcelain)" ]; then
	git commit -qam "Require v$version in the modules otel and prom"
fi
git tag -a "v$version" -m "goresque $version"
for directory in $modules; do
	git tag -a "$directory/v$version" -m "goresque $directory $version"
done

# A module outside of this tree gets the modules by their tags. The go command thinks that it
# talks to GitHub. Its module cache is deleted, because a version there must never change.
cat go.sum resque/otel/go.sum resque/prom/go.sum >"$user/go.sum" 2>/dev/null || true
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$root.insteadOf" GIT_CONFIG_VALUE_0="https://$module"
GOPROXY="file://$("$GO" env GOMODCACHE)/cache/download,$("$GO" env GOPROXY)"
export GOPROXY GOPRIVATE="$module" GOMODCACHE="$user/modules" GOFLAGS="-mod=mod -modcacherw" GOWORK=off CGO_ENABLED=0
cd "$user"
"$GO" mod init example.com/user 2>/dev/null
"$GO" get "$module@v$version" $(printf "$module/%s@v$version " $modules)
"$GO" list -m "$module" $(printf "$module/%s " $modules) >versions
cat versions
[ "$(grep -c " v$version\$" versions)" = "$(wc -l <versions)" ] || fail "the modules do not require each other at v$version"
"$GO" build "$module/..." || fail "a program that requires v$version does not build"
cd "$root"
echo "release: tagged v$version; look at it, then run: git push --atomic --follow-tags"
