package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// failure is an error with the HTTP status of its answer.
type failure struct {
	status int
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(status int, format string, args ...any) error {
	return &failure{status, fmt.Errorf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, format, args...)
}

// errBusy is the answer when there is no room.
var errBusy = fail(http.StatusTooManyRequests, "too many images wait: try again")

// statusOf returns the HTTP status for an error, and the message that the client may see.
func statusOf(err error) (status int, message string) {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f.status, f.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the time for the request is over"
	case errors.Is(err, context.Canceled):
		return statusGone, "the client has left"
	}
	return http.StatusInternalServerError, "internal error"
}

// statusGone is the status in logs and metrics of a request whose client has left. Nobody receives it.
const statusGone = 499

// writeJSON answers with a value as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client has left
}
