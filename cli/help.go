package cli

import "github.com/spf13/cobra"

// checkedHelp makes help and completion refuse commands that do not exist, as the others do.
// Those of cobra print the help of something else, and succeed.
func checkedHelp(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			show := cmd.Run
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if err := checkTopic(root, args); err != nil {
					return err
				}
				show(cmd, args)
				return nil
			}
		}
	}
}

// checkTopic returns an error if no command has the words below cmd.
func checkTopic(cmd *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	for _, child := range cmd.Commands() {
		if child.Name() == words[0] || child.HasAlias(words[0]) {
			return checkTopic(child, words[1:])
		}
	}
	if !cmd.HasSubCommands() {
		return UsageErrorf("unexpected argument %q: '%s' has no commands below it", words[0], cmd.CommandPath())
	}
	return unknownCommand(cmd, words[0])
}
