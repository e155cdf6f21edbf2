package blobs_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// bucketServer answers the calls of S3 that goline makes: objects whole and by ranges, their heads, lists by pages,
// uploads at once and in parts.
type bucketServer struct {
	mu      sync.Mutex
	objects map[string][]byte
	parts   map[string]map[int][]byte // of uploads
	ranges  int                       // requests for parts of objects
}

// startS3 returns the URL of a bucket of a server of its own, and sets credentials and the like as a user would.
func startS3(t *testing.T) (*bucketServer, string) {
	s := &bucketServer{objects: map[string][]byte{}, parts: map[string]map[int][]byte{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": t.TempDir() + "/none",
		"AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	return s, "s3://bucket?endpoint=" + url.QueryEscape(server.URL) + "&use_path_style=true"
}

type listResult struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	More     bool     `xml:"IsTruncated"`
	Next     string   `xml:"NextContinuationToken,omitempty"`
	Contents []listed
	Prefixes []listed `xml:"CommonPrefixes"`
}

type listed struct {
	Key, Prefix  string `xml:",omitempty"`
	Size         int
	LastModified string `xml:",omitempty"`
	ETag         string `xml:",omitempty"`
}

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (s *bucketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(r.Header.Get("Authorization"), "Credential=key/") {
		fail(w, http.StatusForbidden, "AccessDenied")
		return
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/bucket/")
	q := r.URL.Query()
	switch {
	case !ok && r.URL.Path != "/bucket":
		fail(w, http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodGet && (key == "" || !ok):
		s.list(w, q)
	case r.Method == http.MethodPost && q.Has("uploads"):
		id := fmt.Sprint(len(s.parts) + 1)
		s.parts[id] = map[int][]byte{}
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case r.Method == http.MethodPut && q.Has("uploadId"):
		n, _ := strconv.Atoi(q.Get("partNumber"))
		s.parts[q.Get("uploadId")][n] = payload(r)
		w.Header().Set("ETag", `"part"`)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		var all []byte
		parts := s.parts[q.Get("uploadId")]
		for n := 1; n <= len(parts); n++ {
			all = append(all, parts[n]...)
		}
		s.objects[key] = all
		delete(s.parts, q.Get("uploadId"))
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		delete(s.parts, q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		s.objects[key] = payload(r)
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		data, ok := s.objects[key]
		if !ok {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		if r.Header.Get("Range") != "" {
			s.ranges++
		}
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", modified, bytes.NewReader(data))
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s of the test</Message></Error>", code, code)
}

// payload is the body of an upload, which clients may cut into chunks with a checksum behind them.
func payload(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return body
	}
	var out []byte
	for {
		head, rest, ok := bytes.Cut(body, []byte("\r\n"))
		size, _, _ := strings.Cut(string(head), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if !ok || err != nil || n == 0 {
			return out
		}
		out, body = append(out, rest[:n]...), rest[n+2:]
	}
}

// list gives a page.
func (s *bucketServer) list(w http.ResponseWriter, q url.Values) {
	entries, next := page(s.objects, q.Get("prefix"), q.Get("delimiter"), q.Get("continuation-token"))
	result := listResult{More: next != "", Next: next}
	for _, e := range entries {
		if e.folder {
			result.Prefixes = append(result.Prefixes, listed{Prefix: e.name})
		} else {
			result.Contents = append(result.Contents, listed{Key: e.name, Size: e.size,
				LastModified: modified.Format(time.RFC3339), ETag: `"e"`})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(result)
}

// entry is an object of a list, or a folder, whose name ends with the delimiter.
type entry struct {
	name   string
	size   int
	folder bool
}

// page returns the next three entries of a list in order, and the mark of the page that follows, "" for none.
func page(objects map[string][]byte, prefix, delimiter, after string) (entries []entry, next string) {
	const most = 3
	seen := map[string]entry{}
	for key, data := range objects {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		e := entry{name: key, size: len(data)}
		if delimiter != "" {
			if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
				e = entry{name: key[:len(prefix)+i+len(delimiter)], folder: true}
			}
		}
		if e.name > after {
			seen[e.name] = e
		}
	}
	names := slices.Sorted(maps.Keys(seen))
	if len(names) > most {
		names = names[:most]
		next = names[most-1]
	}
	for _, name := range names {
		entries = append(entries, seen[name])
	}
	return entries, next
}
