package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goresque/goresque/resque"
)

// infoCommand prints the numbers of jobs, queues and workers.
//
// Ruby: Resque.info.
func infoCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Count jobs, queues and workers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.withClient(cmd.Context(), func(ctx context.Context, client *resque.Client) error {
				info, err := client.Info(ctx)
				if err != nil && len(info.Servers) == 0 { // otherwise keys have another type
					return err
				}
				pauses, unknown := client.Pauses(ctx)
				server, known, refused := client.Server(ctx)
				env.printInfo(info, pauses, describeServer(server, known), client.Redis().Namespace(), asJSON)
				return errors.Join(err, unknown, refused)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object, with Ruby's names")
	return cmd
}

// infoJSON is Ruby's hash, in its order.
type infoJSON struct {
	Pending     int64    `json:"pending"`
	Processed   int64    `json:"processed"`
	Queues      int64    `json:"queues"`
	Workers     int64    `json:"workers"`
	Working     int64    `json:"working"`
	Failed      int64    `json:"failed"`
	Servers     []string `json:"servers"`
	Environment string   `json:"environment"`
	Namespace   string   `json:"namespace"` // this and the following are not in Ruby's
	Paused      bool     `json:"paused"`    // all workers

	PausedQueues []string    `json:"paused_queues"` // by name
	Server       *serverJSON `json:"server,omitempty"`
}

// serverJSON is what the server says of itself.
type serverJSON struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Role     string `json:"role"`
	Replicas int64  `json:"replicas"`
	Lag      int64  `json:"lag"` // seconds
}

// describe returns the server in one line.
func (s *serverJSON) describe() string {
	text := s.Name + " " + s.Version
	if s.Role != "" {
		text += ", " + s.Role
	}
	if s.Replicas > 0 {
		text += fmt.Sprintf(", %d replicas, %d s behind", s.Replicas, s.Lag)
	}
	return text
}

func describeServer(server resque.Server, known bool) *serverJSON {
	if !known {
		return nil
	}
	return &serverJSON{server.Name, server.Version, server.Role, server.Replicas, int64(server.Lag / time.Second)}
}

// describePauses returns what is paused in one line.
func describePauses(p resque.Pauses) string {
	var parts []string
	if p.All {
		parts = append(parts, "all workers")
	}
	if len(p.Queues) > 0 {
		parts = append(parts, "queues "+printable(strings.Join(p.Queues, ", ")))
	}
	return cmp.Or(strings.Join(parts, ", "), "no")
}

func (e *Env) printInfo(info resque.Info, pauses resque.Pauses, server *serverJSON, namespace string, asJSON bool) {
	environment := cmp.Or(e.Getenv("RAILS_ENV"), e.Getenv("RACK_ENV"), "development")
	if asJSON {
		e.printJSON(infoJSON{
			Pending: info.Pending, Processed: info.Processed, Queues: info.Queues, Workers: info.Workers,
			Working: info.Working, Failed: info.Failed, Servers: info.Servers, Environment: environment, Namespace: namespace,
			Paused: pauses.All, PausedQueues: append([]string{}, pauses.Queues...), Server: server,
		})
		return
	}
	for _, line := range []struct {
		name  string
		value any
	}{
		{"pending", info.Pending},
		{"processed", info.Processed},
		{"queues", info.Queues},
		{"workers", info.Workers},
		{"working", info.Working},
		{"failed", info.Failed},
		{"paused", describePauses(pauses)},
		{"servers", strings.Join(info.Servers, " ")},
		{"environment", environment},
		{"namespace", printable(namespace)},
	} {
		fmt.Fprintf(e.Stdout, "%-12s %v\n", line.name, line.value)
	}
	if server != nil {
		fmt.Fprintf(e.Stdout, "%-12s %s\n", "server", printable(server.describe()))
	}
}
