#!/bin/sh
# Runs the README's test command as for a newcomer, who has Go, a C compiler, a shell and
# coreutils, but no servers, browsers and other languages. `make newcomer` and CI call it on
# Debian, whose package manager lists the programs of coreutils.
set -eu
cd "$(dirname "$0")/.."

path=$(mktemp -d)
trap 'rm -rf "$path"' EXIT
for name in go gcc as ld sh; do
	ln -s "$(command -v "$name")" "$path/$name"
done
for name in $(dpkg-query --listfiles coreutils | grep -E '^(/usr)?/bin/.'); do
	ln -s "$name" "$path/"
done
env -u GORESQUE_REQUIRE PATH="$path" go test "${@:-./...}"
