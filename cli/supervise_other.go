//go:build !unix

package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

type supervised struct {
	stderr *tail
	done   chan struct{}
	how    exit
}

func startSupervised(context.Context, string, []string, []byte, *Env) (*supervised, error) {
	return nil, errors.New("--exec needs a Unix system")
}

func (p *supervised) signal(bool) {}

func (p *supervised) close() {}

func superviseCommand() *cobra.Command { return &cobra.Command{Use: "supervise", Hidden: true} }
