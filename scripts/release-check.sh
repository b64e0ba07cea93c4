#!/bin/sh
# Builds everything that a release has, without publishing it, and tries the package of
# Debian if this system can install it. Takes some minutes.
# usage: release-check.sh
set -eu

GO=${GO:-go}
dist=tmp/release/dist
"$GO" run github.com/goreleaser/goreleaser/v2@v2.15.1 release --snapshot --clean --skip=publish

fail() { echo "release-check: $*" >&2; exit 1; }

for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
	set -- "$dist"/goresque_*_"$platform".tar.gz
	tar -tzf "$1" | grep -q '^man/goresque-work\.1$' || fail "$1 has no manual pages"
done
for platform in windows_amd64 windows_arm64; do
	[ -s "$(echo "$dist"/goresque_*_"$platform".zip)" ] || fail "no archive for $platform"
done
(cd "$dist" && sha256sum --quiet --check checksums.txt)

if [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ]; then
	dpkg --install "$dist"/goresque_*_linux_amd64.deb >/dev/null
	trap 'dpkg --purge goresque >/dev/null' EXIT
	/usr/bin/goresque version
	[ -s /usr/share/man/man1/goresque-work.1.gz ] || [ -s /usr/share/man/man1/goresque-work.1 ] || fail "the package has no manual pages"
	[ -s /usr/share/bash-completion/completions/goresque ] || fail "the package has no completion for bash"
fi
ls -l "$dist" | grep -E '\.(tar\.gz|zip|deb|rpm|txt)$'
