package serve

import (
	"embed"
	"net/http"
	"path"
)

//go:embed page
var pageFiles embed.FS

var pageTypes = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8"}

// pagePolicy lets the page load only its own files and the pictures that the user drops on it.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src " +
	"'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page returns a handler that answers with one of the page's files.
func page(name string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		data, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", pageTypes[path.Ext(name)])
		w.Header().Set("Content-Security-Policy", pagePolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(data)
		return nil
	}
}
