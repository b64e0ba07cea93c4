#!/bin/sh
# Runs the tests that put goresque and other Resques on one Redis: those that are
# on this machine must take part, and for those that are not it says how to get
# them. usage: [GO=go] interop.sh
set -eu

GO=${GO:-go}
node=internal/interop/testdata/node
there=

have() { # have NAME HOW-TO-GET COMMAND...
	name=$1 how=$2
	shift 2
	if "$@" >/dev/null 2>&1; then
		there=${there:+$there,}$name
		echo "interop: $name: there"
	else
		echo "interop: $name: missing; $how"
	fi
}

have redis 'install redis-server (6.2 or newer), from your system' command -v redis-server
have ruby 'gem install resque -v 3.0.0 and sinatra, or RUBYLIB=/path/to/a/checkout/of/resque/lib with the gems it names;
interop:   and json up to 2.10: newer ones spell floats otherwise' \
	ruby -rjson -rresque -rsinatra/base -e "exit JSON.generate(1e20) == '1.0e+20'"
have node "install Node.js, and (cd $node && npm ci)" \
	node -e "require.resolve('node-resque', {paths: ['$node']})"

case ",$there," in
*,redis,*) ;;
*) exit 1 ;;
esac
case $there in
redis)
	echo 'interop: nobody to talk to'
	exit 1
	;;
esac

GORESQUE_REQUIRE=$there exec "$GO" test -race -count=1 -run='^Test' ./internal/interop
