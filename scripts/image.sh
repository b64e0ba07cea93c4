#!/bin/sh
# Runs the build step of the Dockerfile without an engine, and looks at what it
# makes: that it needs nothing beside it, and starts as the image's user in a
# directory that has nothing else. usage: image.sh
set -eu

step=$(sed -n 's/^RUN \(CGO_ENABLED=0 .*\)$/\1/p' Dockerfile)
user=$(sed -n 's/^USER //p' Dockerfile)
case $step in
*' -o /goresque '*) ;;
*) echo "image: the Dockerfile's build step is not as expected: $step" >&2; exit 1 ;;
esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
command=$(printf '%s\n' "$step" | sed "s|-o /goresque|-o $root/goresque|")
echo "image: $command"
# What is built here is thrown away: it needs no version stamp.
GOFLAGS="${GOFLAGS:-} -buildvcs=false" sh -euc "$command"

run() { env -i "$root/goresque" "$@"; }
if [ "$(id -u)" = 0 ] && [ "$(uname)" = Linux ]; then # as in the image
	run() { env -i /usr/sbin/chroot --userspec="$user" "$root" /goresque "$@"; }
fi
run version
said=$(run demo --addr 0 2>&1) && { echo "image: the demo runs without C and without PostgreSQL?" >&2; exit 1; }
case $said in
*"built without a C compiler"*DATABASE_URL=postgres*) ;;
*) echo "image: the demo does not say what it needs: $said" >&2; exit 1 ;;
esac
echo "image: $(wc -c <"$root/goresque") bytes"
