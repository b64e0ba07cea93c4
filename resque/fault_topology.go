package resque

// topologyFault returns the texts of a fault of Sentinels or of a cluster.
func (c FaultCode) topologyFault() (Fault, bool) {
	var f Fault
	switch c {
	case FaultSentinel:
		f = Fault{Cause: "No Redis Sentinel answers", Advice: "Are they running? Correct their hosts and ports in the address; their port is usually 26379.", Temporary: true}
	case FaultSentinelPassword:
		f = Fault{Cause: "Sentinel refused the user or the password", Advice: "Sentinels have their own user and password: set SentinelUser and SentinelPassword (--sentinel-user, RESQUE_SENTINEL_USER, RESQUE_SENTINEL_PASSWORD), or remove them if Sentinel has none. Those in the address are for Redis."}
	case FaultNotSentinel:
		f = Fault{Cause: "The server at this address is not a Redis Sentinel", Advice: "Use the ports of the Sentinels, usually 26379, or write redis:// instead of redis-sentinel:// for a single Redis."}
	case FaultNoMaster:
		f = Fault{Cause: "Sentinel does not know a master of this name", Advice: "Correct the name after the hosts, as in redis-sentinel://host1,host2,host3/mymaster. 'redis-cli -p 26379 sentinel masters' lists the names."}
	case FaultQuorum:
		f = Fault{Cause: "The master is away, and too few Sentinels are connected to replace it", Advice: "Start the other Sentinels, or the master.", Temporary: true}
	case FaultFailover:
		f = Fault{Cause: "The master does not answer or is being replaced", Advice: "Wait for the failover. If it does not end, check that a replica is connected, and that this machine can reach the address of the master that the error names.", Temporary: true}
	case FaultNodes:
		f = Fault{Cause: "No node of the Redis Cluster answers", Advice: "Are they running? Correct their hosts and ports in the address.", Temporary: true}
	case FaultNotCluster:
		f = Fault{Cause: "The server at this address is not a node of a Redis Cluster", Advice: "Write redis:// instead of redis-cluster:// for a single Redis."}
	default:
		return Fault{}, false
	}
	return f, true
}
