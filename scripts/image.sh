#!/bin/sh
# Runs the build step of the Dockerfile without a container engine, and checks the
# program: it must run as the image's user, in a root directory with no other files.
# usage: image.sh
set -eu

step=$(sed -n 's/^RUN \(CGO_ENABLED=0 .*\)$/\1/p' Dockerfile)
user=$(sed -n 's/^USER //p' Dockerfile)
case $step in
*' -o /goresque '*) ;;
*) echo "image: unexpected build step in the Dockerfile: $step" >&2; exit 1 ;;
esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
command=$(printf '%s\n' "$step" | sed "s|-o /goresque|-o $root/goresque|")
echo "image: $command"
# The program is deleted, so it needs no version stamp.
GOFLAGS="${GOFLAGS:-} -buildvcs=false" sh -euc "$command"

run() { env -i "$root/goresque" "$@"; }
if [ "$(id -u)" = 0 ] && [ "$(uname)" = Linux ]; then # as in the image
	run() { env -i /usr/sbin/chroot --userspec="$user" "$root" /goresque "$@"; }
fi
run version
output=$(run demo --addr 0 2>&1) && { echo "image: the demo must not run without cgo and PostgreSQL" >&2; exit 1; }
case $output in
*"built without a C compiler"*DATABASE_URL=postgres*) ;;
*) echo "image: the demo's error does not say what it needs: $output" >&2; exit 1 ;;
esac
echo "image: $(wc -c <"$root/goresque") bytes"
