#!/bin/sh
# Runs the tests in which goresque shares a Redis with other implementations of
# Resque. Tests of implementations that are installed must not be skipped. For the
# others it prints how to install them. usage: [GO=go] interop.sh
set -eu

GO=${GO:-go}
node=internal/interop/testdata/node
found=

have() { # have NAME HOW-TO-INSTALL COMMAND...
	name=$1 how=$2
	shift 2
	if "$@" >/dev/null 2>&1; then
		found=${found:+$found,}$name
		echo "interop: $name: found"
	else
		echo "interop: $name: missing; $how"
	fi
}

have redis 'install redis-server 6.2 or later' command -v redis-server
have ruby 'install the gems resque 3.0.0, sinatra and json up to 2.10 (later versions spell floats differently),
interop:   or set RUBYLIB to the lib directory of a checkout of resque and install the gems that it needs' \
	ruby -rjson -rresque -rsinatra/base -e "exit JSON.generate(1e20) == '1.0e+20'"
have resque-scheduler 'install the gem resque-scheduler 5.0.0, or add the lib directory of a checkout to RUBYLIB and
interop:   install rufus-scheduler' \
	ruby -rresque -rresque-scheduler -e ''
have node "install Node.js, and run (cd $node && npm ci)" \
	node -e "require.resolve('node-resque', {paths: ['$node']})"

case ",$found," in
*,redis,*) ;;
*) exit 1 ;;
esac
case $found in
redis)
	echo 'interop: neither Ruby nor node-resque is installed'
	exit 1
	;;
esac

GORESQUE_REQUIRE=$found exec "$GO" test -race -count=1 -run='^Test' ./internal/interop
