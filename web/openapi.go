package web

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

// openapi describes the dashboard's JSON. TestOpenAPI holds it to the handlers.
func (h *Dashboard) openapi(q *request) error {
	q.w.Header().Set("Content-Type", "application/json")
	send(q, http.StatusOK, openAPI)
	return nil
}
