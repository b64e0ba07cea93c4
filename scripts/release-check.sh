#!/bin/sh
# Builds everything that a release has, without publishing it, looks into each archive and
# package, and tries the package of Debian if this system can install it. It gets goreleaser
# from the module proxy. The first run takes some minutes, because it compiles goreleaser and
# the command for six platforms. usage: [GORELEASER=/path/to/goreleaser] release-check.sh
set -eu

GO=${GO:-go}
GORELEASER=${GORELEASER:-"$GO run github.com/goreleaser/goreleaser/v2@v2.15.1"}
dist=tmp/release/dist
cd "$(dirname "$0")/.."

fail() { echo "release-check: $*" >&2; exit 1; }

$GORELEASER release --snapshot --clean --skip=publish

# has checks that a list of files on standard input has the given ones. The files may have a
# directory in front.
has() {
	list=$(cat)
	in=$1
	shift
	for file; do
		printf '%s\n' "$list" | grep -Eq "(^|/)$file\$" || fail "$in has no $file"
	done
}
contents="LICENSE README.md CHANGELOG.md man/goresque.1 man/goresque-work.1 man/goresque-failed-retry.1 completion/bash completion/zsh completion/fish"

for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
	archive=$(echo "$dist"/goresque_*_"$platform".tar.gz)
	tar -tzf "$archive" | has "$archive" goresque $contents
done
for platform in windows_amd64 windows_arm64; do
	archive=$(echo "$dist"/goresque_*_"$platform".zip)
	if command -v unzip >/dev/null; then
		unzip -Z1 "$archive" | has "$archive" goresque.exe $contents
	else
		[ -s "$archive" ] || fail "there is no archive for $platform"
	fi
done
for architecture in amd64 arm64; do
	for package in "$dist"/goresque_*_linux_"$architecture".deb "$dist"/goresque_*_linux_"$architecture".rpm; do
		[ -s "$package" ] || fail "there is no $package"
	done
done
listed=$(wc -l <"$dist/checksums.txt")
[ "$listed" = 10 ] || fail "checksums.txt lists $listed files, not 6 archives and 4 packages"
(cd "$dist" && sha256sum --quiet --check checksums.txt)

if [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ]; then
	! dpkg-query --status goresque >/dev/null 2>&1 || fail "the package goresque is installed: remove it first"
	dpkg --install "$dist"/goresque_*_linux_amd64.deb >/dev/null
	trap 'dpkg --purge goresque >/dev/null' EXIT
	dpkg --listfiles goresque | has "the package" usr/bin/goresque share/man/man1/goresque-work.1 \
		bash-completion/completions/goresque vendor-completions/_goresque vendor_completions.d/goresque.fish \
		doc/goresque/goresque.service doc/goresque/CHANGELOG.md doc/goresque/copyright
	/usr/bin/goresque version
	/usr/bin/goresque work --help | grep -q QUEUE || fail "the installed command has no help"
	# A system without manual pages, such as a container, may leave them out.
	page=/usr/share/man/man1/goresque-work.1
	if [ -e "$page" ]; then
		if command -v man >/dev/null; then
			MANPAGER=cat man "$page" | grep -q 'goresque-work' || fail "man cannot show $page"
		fi
	else
		echo "release-check: this system installs no manual pages"
	fi
	bash -n /usr/share/bash-completion/completions/goresque || fail "the completion for bash is not a script"
fi
ls -l "$dist" | awk '/\.(tar\.gz|zip|deb|rpm|txt)$/ {print $5, $NF}'
