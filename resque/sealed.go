package resque

import (
	"encoding/json"

	"github.com/goresque/goresque/internal/rubyjson"
)

// EncryptedArgs is the text that stands for encrypted arguments where arguments are shown.
const EncryptedArgs = "<encrypted>"

// IsEncrypted reports whether args are the arguments of a job that package resque/crypt has
// encrypted: one object with a member "_encrypted".
func IsEncrypted(args []json.RawMessage) bool {
	if len(args) != 1 {
		return false
	}
	spans, err := rubyjson.Spans(args[0], "_encrypted")
	return err == nil && spans[0].End > 0
}
