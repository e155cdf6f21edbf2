package blobs_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// azureServer answers the calls of Azure's Blob Storage that goline makes: blobs by ranges and their properties, lists
// by pages, uploads at once and in blocks.
type azureServer struct {
	mu      sync.Mutex
	objects map[string][]byte
	blocks  map[string][]byte // of uploads, by key and number
}

// startAzure returns the URL of a container of a server of its own, which the client takes for an emulator, and sets
// credentials as a user would.
func startAzure(t *testing.T) string {
	s := &azureServer{objects: map[string][]byte{}, blocks: map[string][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("AZURE_STORAGE_ACCOUNT", "account")
	t.Setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
	host := strings.TrimPrefix(server.URL, "http://")
	return "azblob://" + bucketOf(t) + "?localemu=true&protocol=http&domain=" + host
}

type azureList struct {
	XMLName  xml.Name      `xml:"EnumerationResults"`
	Blobs    []azureBlob   `xml:"Blobs>Blob"`
	Prefixes []azurePrefix `xml:"Blobs>BlobPrefix"`
	Next     string        `xml:"NextMarker"`
}

type azureBlob struct {
	Name     string
	Size     int    `xml:"Properties>Content-Length"`
	Modified string `xml:"Properties>Last-Modified"`
	Type     string `xml:"Properties>BlobType"`
}

type azurePrefix struct{ Name string }

func (s *azureServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "SharedKey account:") {
		w.Header().Set("x-ms-error-code", "AuthorizationFailure")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	_, key, isBlob := strings.Cut(strings.TrimPrefix(r.URL.Path, "/account/"), "/")
	q := r.URL.Query()
	now := modified.Format(http.TimeFormat)
	switch {
	case q.Get("comp") == "list":
		entries, next := page(s.objects, q.Get("prefix"), q.Get("delimiter"), q.Get("marker"))
		list := azureList{Next: next}
		for _, e := range entries {
			if e.folder {
				list.Prefixes = append(list.Prefixes, azurePrefix{e.name})
			} else {
				list.Blobs = append(list.Blobs, azureBlob{e.name, e.size, now, "BlockBlob"})
			}
		}
		w.Header().Set("Content-Type", "application/xml")
		_ = xml.NewEncoder(w).Encode(list)
	case r.Method == http.MethodPut:
		s.put(w, r, key, q.Get("comp"), q.Get("blockid"))
	case isBlob && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		data, ok := s.objects[key]
		if !ok {
			w.Header().Set("x-ms-error-code", "BlobNotFound")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("x-ms-creation-time", now)
		w.Header().Set("x-ms-blob-type", "BlockBlob")
		if part := r.Header.Get("x-ms-range"); part != "" {
			r.Header.Set("Range", part)
		}
		http.ServeContent(w, r, "", modified, bytes.NewReader(data))
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// put takes a blob, a block of one, or the list of its blocks.
func (s *azureServer) put(w http.ResponseWriter, r *http.Request, key, what, id string) {
	data, err := io.ReadAll(r.Body)
	if n := r.Header.Get("Content-Length"); err != nil || n != "" && n != strconv.Itoa(len(data)) {
		return // the client went away in the middle
	}
	switch what {
	case "block":
		s.blocks[key+" "+id] = data
	case "blocklist":
		var list struct{ Latest []string }
		_ = xml.Unmarshal(data, &list)
		var all []byte
		for _, id := range list.Latest {
			all = append(all, s.blocks[key+" "+id]...)
		}
		s.objects[key] = all
	default:
		s.objects[key] = data
	}
	w.Header().Set("ETag", `"e"`)
	w.WriteHeader(http.StatusCreated)
}
