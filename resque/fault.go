package resque

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/gomodule/redigo/redis"
)

// Fault describes why Redis could not execute a command. [Explain] returns it.
type Fault struct {
	Code FaultCode

	// Cause describes the problem, such as "Redis is loading its data", without a full
	// stop. It is the same text for every fault of a code.
	Cause string

	// Advice describes what to do, in one or more sentences.
	Advice string

	// Temporary reports whether a later retry may succeed.
	Temporary bool
}

// FaultCode identifies a kind of fault.
type FaultCode string

// Faults of the connection.
const (
	FaultUnreachable FaultCode = "unreachable"  // cannot connect to the address
	FaultHost        FaultCode = "host"         // unknown host name
	FaultSocket      FaultCode = "socket"       // the operating system denies the connection
	FaultNoSocket    FaultCode = "no_socket"    // no Redis listens on the unix socket
	FaultTimeout     FaultCode = "timeout"      // connected, but no answer in time
	FaultClosed      FaultCode = "closed"       // closed before the first answer
	FaultLost        FaultCode = "lost"         // closed between two answers
	FaultNotRedis    FaultCode = "not_redis"    // the server is not Redis
	FaultTLSExpected FaultCode = "tls_expected" // the server requires TLS
	FaultNoTLS       FaultCode = "no_tls"       // the server does not support TLS
	FaultCertificate FaultCode = "certificate"  // the server's certificate cannot be verified
	FaultTLSRefused  FaultCode = "tls_refused"  // the server ended the handshake
)

// Faults that Redis names in its answer.
const (
	FaultLoading     FaultCode = "loading"      // LOADING
	FaultMasterDown  FaultCode = "master_down"  // MASTERDOWN
	FaultBusy        FaultCode = "busy"         // BUSY: a script runs
	FaultMaxClients  FaultCode = "max_clients"  // no room for another connection
	FaultPassword    FaultCode = "password"     // NOAUTH, WRONGPASS
	FaultProtected   FaultCode = "protected"    // DENIED: protected mode
	FaultPermission  FaultCode = "permission"   // NOPERM
	FaultDatabase    FaultCode = "database"     // no database of this number
	FaultType        FaultCode = "type"         // WRONGTYPE
	FaultCommand     FaultCode = "command"      // a command that it does not have
	FaultReadOnly    FaultCode = "read_only"    // READONLY: a replica
	FaultMemory      FaultCode = "memory"       // OOM
	FaultDisk        FaultCode = "disk"         // MISCONF: it cannot save
	FaultReplicas    FaultCode = "replicas"     // NOREPLICAS
	FaultCluster     FaultCode = "cluster"      // MOVED, CROSSSLOT, ASK
	FaultClusterDown FaultCode = "cluster_down" // CLUSTERDOWN, TRYAGAIN
	FaultRefused     FaultCode = "refused"      // any other error of Redis
)

// Faults of Sentinels and clusters.
const (
	FaultSentinel         FaultCode = "sentinel"          // no Sentinel answers
	FaultSentinelPassword FaultCode = "sentinel_password" // a Sentinel refuses the user or the password
	FaultNotSentinel      FaultCode = "not_sentinel"      // the server is not a Sentinel
	FaultNoMaster         FaultCode = "no_master"         // Sentinel does not know the name of the master
	FaultQuorum           FaultCode = "quorum"            // too few Sentinels to replace the master
	FaultFailover         FaultCode = "failover"          // the master does not answer, or is a replica now
	FaultNodes            FaultCode = "nodes"             // no node of the cluster answers
	FaultNotCluster       FaultCode = "not_cluster"       // the server is not a node of a cluster
)

// Explain returns the cause of an error from Redis or from the connection to it, and
// advice on what to do. ok is false if err is nil, has another cause, or wraps
// [context.Canceled].
func Explain(err error) (fault Fault, ok bool) {
	code := faultCode(err)
	if code == "" {
		return Fault{}, false
	}
	fault = code.fault()
	fault.Code = code
	return fault, true
}

// LogAttrs returns attributes for a line of package log/slog about an error: err, and
// the cause and the advice if [Explain] knows them.
func LogAttrs(err error) []any {
	attrs := []any{"err", err}
	if fault, ok := Explain(err); ok {
		attrs = append(attrs, "cause", fault.Cause, "advice", fault.Advice)
	}
	return attrs
}

// faultError is an error whose fault is known when it is created.
type faultError struct {
	code FaultCode
	text string
	err  error // may be nil
}

func (e *faultError) Error() string { return e.text }

func (e *faultError) Unwrap() error { return e.err }

func faultCode(err error) FaultCode {
	var known *faultError
	var answer redis.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &answer):
		return answerFault(string(answer))
	}
	return networkFault(err)
}

// networkFault returns the fault of a connection's error.
func networkFault(err error) FaultCode {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var name *net.DNSError
	var op *net.OpError
	isOp := errors.As(err, &op)
	var network net.Error
	switch {
	case errors.As(err, &certificate):
		return FaultCertificate
	case errors.As(err, &record):
		return FaultNoTLS
	case errors.As(err, &name):
		return FaultHost
	case isOp && op.Op == "remote error": // how crypto/tls names the other side's alerts
		return FaultTLSRefused
	case isOp && op.Op == "dial" && errors.Is(err, os.ErrPermission):
		return FaultSocket
	case isOp && op.Op == "dial" && op.Net == "unix":
		return FaultNoSocket
	case isOp && op.Op == "dial":
		return FaultUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return FaultTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), isOp:
		return FaultLost
	case strings.Contains(err.Error(), "redigo: ") && strings.Contains(err.Error(), "(possible server error"):
		return FaultNotRedis // redigo's error about a broken protocol has no type
	}
	return ""
}

// answerFault returns the fault of an error answer from Redis. The first word of the
// answer is the kind of error, but ERR is used for many kinds.
func answerFault(text string) FaultCode {
	if _, inner, ok := strings.Cut(text, "EXECABORT Transaction discarded because of: "); ok {
		text = inner
	}
	kind, rest, _ := strings.Cut(text, " ")
	switch kind {
	case "LOADING":
		return FaultLoading
	case "MASTERDOWN":
		return FaultMasterDown
	case "BUSY", "UNKILLABLE":
		return FaultBusy
	case "NOAUTH", "WRONGPASS":
		return FaultPassword
	case "DENIED":
		return FaultProtected
	case "NOPERM":
		return FaultPermission
	case "WRONGTYPE":
		return FaultType
	case "READONLY":
		return FaultReadOnly
	case "OOM":
		return FaultMemory
	case "MISCONF":
		return FaultDisk
	case "NOREPLICAS":
		return FaultReplicas
	case "MOVED", "ASK", "CROSSSLOT":
		return FaultCluster
	case "CLUSTERDOWN", "TRYAGAIN":
		return FaultClusterDown
	case "ERR":
		return plainFault(rest)
	}
	return FaultRefused
}

// plainFault returns the fault of an answer after ERR. Only its text shows the kind.
func plainFault(text string) FaultCode {
	begins := func(words ...string) bool {
		for _, w := range words {
			if strings.HasPrefix(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case begins("max number of clients"):
		return FaultMaxClients
	case begins("invalid password", "AUTH ", "Client sent AUTH", "operation not permitted", "Protocol error: unauthenticated", "wrong number of arguments for 'auth'"):
		return FaultPassword
	case begins("unknown command", "unknown subcommand", "Unknown Redis command", "This Redis command is not allowed from script"):
		return FaultCommand
	case begins("The user executing the script can't"):
		return FaultPermission
	case begins("DB index is out of range", "invalid DB index", "SELECT is not allowed in cluster mode"):
		return FaultDatabase
	case begins("Script attempted to access a non local key", "Script attempted to access keys that do not hash"):
		return FaultCluster
	}
	return FaultRefused
}

// fault returns the texts of a code.
func (c FaultCode) fault() Fault {
	if f, ok := c.connectionFault(); ok {
		return f
	}
	if f, ok := c.topologyFault(); ok {
		return f
	}
	return c.serverFault()
}

func (c FaultCode) connectionFault() (Fault, bool) {
	var f Fault
	switch c {
	case FaultUnreachable:
		f = Fault{Cause: "Redis does not answer", Advice: "Is it running? Start one with 'redis-server', or correct the host and the port.", Temporary: true}
	case FaultHost:
		f = Fault{Cause: "The host name of Redis is not known", Advice: "Correct the name, or check the DNS of this machine.", Temporary: true}
	case FaultSocket:
		f = Fault{Cause: "This process may not connect to the address of Redis", Advice: "Allow the user of this process to read and write the socket, or check the firewall."}
	case FaultNoSocket:
		f = Fault{Cause: "No Redis listens on this unix socket", Advice: "Start Redis with this path as its option unixsocket, or correct the path. A host and a port are written as redis://host:6379.", Temporary: true}
	case FaultTimeout:
		f = Fault{Cause: "Redis did not answer in time", Advice: "Redis may be busy or suspended, or a firewall between here and Redis may drop packets. Check the log and the load of Redis.", Temporary: true}
	case FaultClosed:
		f = Fault{Cause: "Redis closed the connection without an answer", Advice: "If this happens again, the server may require TLS (rediss://), have too many clients, or not be Redis.", Temporary: true}
	case FaultLost:
		f = Fault{Cause: "The connection to Redis broke", Advice: "Redis was stopped or restarted, or a proxy or firewall closed the connection.", Temporary: true}
	case FaultNotRedis:
		f = Fault{Cause: "The server at this address is not Redis", Advice: "Correct the host and the port."}
	case FaultTLSExpected:
		f = Fault{Cause: "The server at this address requires TLS", Advice: "Write rediss:// instead of redis://."}
	case FaultNoTLS:
		f = Fault{Cause: "The server at this address does not support TLS", Advice: "Write redis:// instead of rediss://, or use the port on which the server supports TLS."}
	case FaultCertificate:
		f = Fault{Cause: "The certificate of Redis cannot be verified", Advice: "Use the host name in the certificate, or set the authority that signed the certificate with TLSCAFile (--tls-ca-file, RESQUE_TLS_CA_FILE). TLSSkipVerify (--tls-skip-verify, RESQUE_TLS_SKIP_VERIFY) accepts any certificate."}
	case FaultTLSRefused:
		f = Fault{Cause: "Redis refused the TLS connection", Advice: "It may require a client certificate, set with TLSCertFile and TLSKeyFile (--tls-cert-file, --tls-key-file), or another version of TLS."}
	default:
		return Fault{}, false
	}
	return f, true
}

func (c FaultCode) serverFault() Fault {
	switch c { //nolint:exhaustive // the others are faults of the connection
	case FaultLoading:
		return Fault{Cause: "Redis is loading its data", Advice: "Wait until it has finished. It was started a moment ago.", Temporary: true}
	case FaultMasterDown:
		return Fault{Cause: "This Redis is a replica that has lost its master", Advice: "Wait until it is connected to its master again, or use the address of the master.", Temporary: true}
	case FaultBusy:
		return Fault{Cause: "Redis is running a long script", Advice: "Wait, or end the script with 'redis-cli script kill'.", Temporary: true}
	case FaultMaxClients:
		return Fault{Cause: "Redis has no room for another connection", Advice: "Increase maxclients of Redis, end processes that have connections, or limit those of each with MaxOpen (--max-connections).", Temporary: true}
	case FaultPassword:
		return Fault{Cause: "Redis refused the user or the password", Advice: "Correct them in the address, as in redis://user:password@host:6379. If the server has only a password, omit the user. If it has no password, omit both."}
	case FaultProtected:
		return Fault{Cause: "Redis runs in protected mode and refuses connections from other machines", Advice: "Set a password in Redis, or set its option bind to the address that clients use."}
	case FaultPermission:
		return Fault{Cause: "The Redis user lacks a right", Advice: "Allow the user to use the command and the keys, with ACL SETUSER. docs/operations.md lists what goresque needs."}
	case FaultDatabase:
		return Fault{Cause: "Redis does not have this database", Advice: "Correct its number in the address. A node of a Redis Cluster has only database 0."}
	case FaultType:
		return Fault{Cause: "A key in Redis does not have the type that Resque uses", Advice: "Another program uses the same keys. Use another namespace or database, or rename the key."}
	case FaultCommand:
		return Fault{Cause: "This server does not have a command that Resque needs", Advice: "It may be a Redis Sentinel (write redis-sentinel://host:26379/mymaster), a proxy, or older than Redis 6.2, or the command was renamed."}
	case FaultReadOnly:
		return Fault{Cause: "This Redis is a replica and takes no writes", Advice: "Use the address of the master, or wait until a failover ends.", Temporary: true}
	case FaultMemory:
		return Fault{Cause: "The memory of Redis is full", Advice: "Increase maxmemory of Redis, or remove data that is not needed.", Temporary: true}
	case FaultDisk:
		return Fault{Cause: "Redis takes no writes because it cannot save to its disk", Advice: "Check the log of Redis: the disk may be full, or the directory may not be writable.", Temporary: true}
	case FaultReplicas:
		return Fault{Cause: "Redis takes no writes because too few replicas are connected", Advice: "Start the replicas, or decrease min-replicas-to-write of Redis.", Temporary: true}
	case FaultCluster:
		return Fault{Cause: "This Redis is a node of a Redis Cluster that does not hold all keys of Resque", Advice: "Write redis-cluster:// instead of redis:// (rediss-cluster:// instead of rediss://), and use a namespace in braces, such as {resque}, which keeps all keys on one node."}
	case FaultClusterDown:
		return Fault{Cause: "The Redis Cluster does not serve these keys now", Advice: "Wait, or check the state of the cluster with 'redis-cli cluster info'.", Temporary: true}
	}
	return Fault{Cause: "Redis refused the command", Advice: "The answer of Redis contains the reason."}
}
