#!/bin/sh
# Builds and vets the libraries for all supported platforms, and builds the command
# for Linux, all without cgo. usage: [GO=go] cross.sh
set -eu

GO=${GO:-go}
export CGO_ENABLED=0
# The programs are deleted, so they need no version stamp.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

libraries=
for directory in resque worker; do
	if [ -n "$(find "$directory" -name '*.go' 2>/dev/null | head -n 1)" ]; then
		libraries="$libraries ./$directory/..."
	else
		echo "cross: no package in $directory/ yet"
	fi
done

if [ -n "$libraries" ]; then
	for platform in darwin/amd64 darwin/arm64 windows/amd64 linux/arm64; do
		echo "cross: $platform:$libraries"
		# shellcheck disable=SC2086
		GOOS=${platform%/*} GOARCH=${platform#*/} "$GO" build $libraries
		# shellcheck disable=SC2086
		GOOS=${platform%/*} GOARCH=${platform#*/} "$GO" vet $libraries
	done
fi

# Packages with further dependencies are separate modules.
for module in resque/otel resque/prom; do
	for platform in darwin/arm64 windows/amd64; do
		echo "cross: $platform: $module"
		(cd "$module" && GOOS=${platform%/*} GOARCH=${platform#*/} "$GO" build ./...)
	done
done

if [ -f cmd/goresque/main.go ]; then
	echo "cross: linux without cgo: ./cmd/goresque"
	GOOS=linux "$GO" build -o /dev/null ./cmd/goresque
else
	echo "cross: no cmd/goresque yet"
fi
