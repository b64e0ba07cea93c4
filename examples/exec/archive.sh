#!/bin/sh
# A job in shell. Its argument is a directory, which it packs into a .tar.gz file:
#
#   goresque work --queue files --exec 'Archive=examples/exec/archive.sh'
#   goresque enqueue -q files Archive /var/log/app
#
# Exit status 0 means success. Otherwise the last line on standard error becomes the
# failure's message.
set -eu

# RESQUE_ARGS is a JSON array. sed is enough for one plain string; use jq for more.
directory=$(printf '%s' "$RESQUE_ARGS" | sed -n 's/^\["\([^"\\]*\)"\]$/\1/p')
if [ -z "$directory" ]; then
	echo "want one directory, got $RESQUE_ARGS" >&2
	exit 1
fi

# TERM asks the job to stop. Remove the incomplete archive first.
trap 'rm -f "$directory.tar.gz.part"; exit 1' TERM
tar -czf "$directory.tar.gz.part" -C "$directory" .
mv "$directory.tar.gz.part" "$directory.tar.gz"
