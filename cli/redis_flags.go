package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// redisFlags are the flags of the connections to Redis, besides its address.
type redisFlags struct {
	skipVerify                     bool
	caFile, certFile, keyFile      string
	sentinelUser, sentinelPassword string
	maxConnections                 int
	inspect                        choice
}

// add adds the flags, and their variables, to the root command.
func (f *redisFlags) add(root *cobra.Command) {
	set := root.PersistentFlags()
	set.BoolVar(&f.skipVerify, "tls-skip-verify", false, "accept any certificate of a rediss:// server")
	set.StringVar(&f.caFile, "tls-ca-file", "", "PEM file of certificate authorities to trust instead of the system's")
	set.StringVar(&f.certFile, "tls-cert-file", "", "PEM file of the certificate to show a rediss:// server that requires one")
	set.StringVar(&f.keyFile, "tls-key-file", "", "PEM file of the key of --tls-cert-file")
	set.StringVar(&f.sentinelUser, "sentinel-user", "", "user of the Sentinels; that of Redis is in the address")
	set.StringVar(&f.sentinelPassword, "sentinel-password", "", "password of the Sentinels; prefer the variable, because the list of processes shows flags")
	set.IntVar(&f.maxConnections, "max-connections", 0, "maximum number of connections to Redis; 0 means no limit")
	f.inspect.of = []string{resque.RubyInspect33.String(), resque.RubyInspect34.String()}
	set.Var(&f.inspect, "ruby-inspect", "version of the Ruby programs, for hashes in keys of locks and retries; 3.4 is for 3.4 and newer (default 3.3)")
	FromEnv(root, "ruby-inspect", "RESQUE_RUBY_INSPECT")
	FromEnv(root, "tls-skip-verify", "RESQUE_TLS_SKIP_VERIFY")
	FromEnv(root, "tls-ca-file", "RESQUE_TLS_CA_FILE")
	FromEnv(root, "tls-cert-file", "RESQUE_TLS_CERT_FILE")
	FromEnv(root, "tls-key-file", "RESQUE_TLS_KEY_FILE")
	FromEnv(root, "sentinel-user", "RESQUE_SENTINEL_USER")
	FromEnv(root, "sentinel-password", "RESQUE_SENTINEL_PASSWORD")
	FromEnv(root, "max-connections", "RESQUE_MAX_CONNECTIONS")
}

// redisFields returns the flags that set the fields of a [resque.RedisConfig] which errors name.
func redisFields() map[string]string {
	return map[string]string{
		"TLSSkipVerify": "tls-skip-verify", "TLSCAFile": "tls-ca-file", "TLSCertFile": "tls-cert-file", "TLSKeyFile": "tls-key-file",
		"SentinelUser": "sentinel-user", "SentinelPassword": "sentinel-password",
	}
}

// check reports wrong values.
func (f *redisFlags) check() error {
	if f.maxConnections < 0 {
		return UsageErrorf("--max-connections (RESQUE_MAX_CONNECTIONS) is %d; it must not be negative (0 means no limit)", f.maxConnections)
	}
	return nil
}

// apply sets what the flags give.
func (f *redisFlags) apply(cfg *resque.RedisConfig) {
	cfg.TLSSkipVerify = f.skipVerify || cfg.TLSSkipVerify
	cfg.TLSCAFile = cmp.Or(f.caFile, cfg.TLSCAFile)
	cfg.TLSCertFile = cmp.Or(f.certFile, cfg.TLSCertFile)
	cfg.TLSKeyFile = cmp.Or(f.keyFile, cfg.TLSKeyFile)
	cfg.SentinelUser = cmp.Or(f.sentinelUser, cfg.SentinelUser)
	cfg.SentinelPassword = cmp.Or(f.sentinelPassword, cfg.SentinelPassword)
	switch f.inspect.value {
	case resque.RubyInspect33.String():
		cfg.RubyInspect = resque.RubyInspect33
	case resque.RubyInspect34.String():
		cfg.RubyInspect = resque.RubyInspect34
	}
	cfg.MaxOpen = cmp.Or(f.maxConnections, cfg.MaxOpen)
}

// workerConnections is how many connections a worker needs at least: one is named, two
// wait for news of jobs, one sends heartbeats and looks for dead workers, and one
// finishes and reserves jobs.
const workerConnections = 5

// checkWorker returns an error if the connections are too few for a worker.
func (f *redisFlags) checkWorker() error {
	if f.maxConnections != 0 && f.maxConnections < workerConnections {
		return UsageErrorf("--max-connections (RESQUE_MAX_CONNECTIONS) is %d; a worker needs at least %d", f.maxConnections, workerConnections)
	}
	return nil
}
