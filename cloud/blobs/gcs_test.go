package blobs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// gcsServer answers the calls of Google Cloud Storage that goline makes: objects by ranges and their descriptions,
// lists by pages, uploads at once and by chunks.
type gcsServer struct {
	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]*gcsUpload
}

// gcsUpload is an object that arrives in chunks.
type gcsUpload struct {
	name string
	data []byte
}

// startGCS returns the URL of a bucket of a server of its own, which the client takes for an emulator.
func startGCS(t *testing.T) string {
	s := &gcsServer{objects: map[string][]byte{}, uploads: map[string]*gcsUpload{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	return "gs://" + bucketOf(t)
}

// bucketOf returns a name for a bucket. Stores stay open as long as the process runs, so that each test has its own.
func bucketOf(t *testing.T) string { return strings.ToLower(t.Name()) }

// gcsObject describes an object.
type gcsObject struct {
	Name       string `json:"name"`
	Size       string `json:"size"`
	Updated    string `json:"updated"`
	Generation string `json:"generation"`
}

func describeGCS(name string, size int) gcsObject {
	return gcsObject{name, strconv.Itoa(size), modified.Format(time.RFC3339), "1"}
}

func (s *gcsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	q := r.URL.Query()
	if rest, ok := strings.CutPrefix(r.URL.Path, "/upload/storage/v1/b/"); ok && strings.HasSuffix(rest, "/o") {
		s.upload(w, r, answer)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/storage/v1/b/"); ok && r.Method == http.MethodGet {
		_, key, isObject := strings.Cut(rest, "/o/")
		if !isObject {
			entries, next := page(s.objects, q.Get("prefix"), q.Get("delimiter"), q.Get("pageToken"))
			list := map[string]any{"kind": "storage#objects", "nextPageToken": next}
			items, prefixes := []gcsObject{}, []string{}
			for _, e := range entries {
				if e.folder {
					prefixes = append(prefixes, e.name)
				} else {
					items = append(items, describeGCS(e.name, e.size))
				}
			}
			list["items"], list["prefixes"] = items, prefixes
			answer(list)
			return
		}
		data, ok := s.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer(map[string]any{"error": map[string]any{"code": 404, "message": "No such object of the test"}})
			return
		}
		answer(describeGCS(key, len(data)))
		return
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	data, ok := s.objects[key]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		fail(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	w.Header().Set("X-Goog-Generation", "1")
	http.ServeContent(w, r, "", modified, bytes.NewReader(data))
}

// upload takes an object: as a whole beside its description, or in chunks.
func (s *gcsServer) upload(w http.ResponseWriter, r *http.Request, answer func(any)) {
	q := r.URL.Query()
	switch {
	case q.Get("uploadType") == "multipart":
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		parts := multipart.NewReader(r.Body, params["boundary"])
		var object gcsObject
		var data []byte
		part, err := parts.NextPart()
		if err == nil {
			err = json.NewDecoder(part).Decode(&object)
		}
		if err == nil {
			part, err = parts.NextPart()
		}
		if err == nil {
			data, err = io.ReadAll(part)
		}
		if err != nil {
			return // the client went away in the middle
		}
		s.objects[object.Name] = data
		answer(describeGCS(object.Name, len(data)))
	case !q.Has("upload_id"):
		var object gcsObject
		_ = json.NewDecoder(r.Body).Decode(&object)
		id := fmt.Sprint(len(s.uploads) + 1)
		s.uploads[id] = &gcsUpload{name: object.Name}
		w.Header().Set("Location", fmt.Sprintf("http://%s%s?uploadType=resumable&upload_id=%s", r.Host, r.URL.Path, id))
	default: // a chunk: "bytes 0-9/*", or "bytes 10-19/20" for the last one
		u := s.uploads[q.Get("upload_id")]
		chunk, err := io.ReadAll(r.Body)
		if u == nil || err != nil {
			fail(w, http.StatusBadRequest, "BadRequest")
			return
		}
		u.data = append(u.data, chunk...)
		if strings.HasSuffix(r.Header.Get("Content-Range"), "/*") {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.data)-1))
			w.Header().Set("X-Http-Status-Code-Override", "308")
			return
		}
		s.objects[u.name] = u.data
		answer(describeGCS(u.name, len(u.data)))
	}
}
