#!/bin/sh
# A job in shell. Its argument is a directory, which it packs:
#
#   goresque work --queue files --exec 'Archive=examples/exec/archive.sh'
#   goresque enqueue -q files Archive /var/log/app
#
# Exit status 0 is success; the last line on standard error says what went wrong.
set -eu

# RESQUE_ARGS is a JSON list; for more than one plain string, read it with jq.
directory=$(printf '%s' "$RESQUE_ARGS" | sed -n 's/^\["\([^"\\]*\)"\]$/\1/p')
if [ -z "$directory" ]; then
	echo "want one directory, got $RESQUE_ARGS" >&2
	exit 1
fi

# Whoever is told to end (TERM) leaves no half archive behind.
trap 'rm -f "$directory.tar.gz.part"; exit 1' TERM
tar -czf "$directory.tar.gz.part" -C "$directory" .
mv "$directory.tar.gz.part" "$directory.tar.gz"
