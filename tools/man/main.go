// Command man writes a manual page for each command of goresque. Releases contain them.
// usage: go run . DIRECTORY
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/goresque/goresque/cli"
	"github.com/goresque/goresque/demo"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man DIRECTORY")
		os.Exit(2)
	}
	app := demo.App(func(string) string { return "" })
	app.Commands = append(app.Commands, func(*cli.Env) *cobra.Command {
		return &cobra.Command{Use: "man", Hidden: true, RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.Root(), os.Args[1]) }}
	})
	os.Exit(app.Run(context.Background(), []string{"man"}, nil, os.Stdout, os.Stderr))
}

// write writes the pages. Their date is that of the release, so that two builds of a release are
// equal.
func write(root *cobra.Command, dir string) error {
	root.DisableAutoGenTag = true
	date := time.Now()
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		var seconds int64
		if _, err := fmt.Sscan(text, &seconds); err != nil {
			return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
		}
		date = time.Unix(seconds, 0).UTC()
	}
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "goresque " + cli.Version, Manual: "goresque", Date: &date}, dir) //nolint:wrapcheck // names the file
}
