package serve

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// budget limits the bytes of request bodies in memory.
type budget struct {
	most  int64
	taken atomic.Int64
}

// body is the part of a request's body that has been read.
type body struct {
	data   []byte
	budget *budget
	held   int64
}

// free returns the memory to the budget.
func (b *body) free() { b.budget.taken.Add(-b.held) }

// chunk is the first size of a body's buffer. The buffer doubles, so a slow client holds at most twice what it has
// sent.
const chunk = 16 << 10

// readBody reads a body of at most the given number of bytes, before and after decompression. Memory is taken from the
// budget as the body arrives; if the budget is exhausted the error is that of an overload. The caller must free the
// body, even after an error.
func readBody(r *http.Request, most int64, in *budget) (*body, error) {
	b := &body{budget: in}
	if r.ContentLength > most {
		return b, tooLarge(most)
	}
	src := io.Reader(r.Body)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(src)
		if err != nil {
			return b, badBody(err)
		}
		src = z
	case "deflate":
		z, err := zlib.NewReader(src)
		if err != nil {
			return b, badBody(err)
		}
		src = z
	default:
		return b, fail(http.StatusUnsupportedMediaType, "Content-Encoding %q: expected gzip, deflate or none", encoding)
	}
	for {
		if len(b.data) == cap(b.data) {
			if err := b.grow(r.ContentLength, most); err != nil {
				return b, err
			}
		}
		n, err := src.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if int64(len(b.data)) > most {
			return b, tooLarge(most)
		}
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, badBody(err)
		}
	}
}

// grow makes room for more bytes.
func (b *body) grow(announced, most int64) error {
	next := max(chunk, 2*int64(cap(b.data)))
	if announced >= int64(cap(b.data)) && announced < next {
		next = announced + 1 // one byte more, to find the end without growing again
	}
	more := min(next, most+1) - b.held
	if b.budget.taken.Add(more) > b.budget.most {
		b.budget.taken.Add(-more)
		return errBusy
	}
	b.held += more
	grown := make([]byte, len(b.data), b.held)
	copy(grown, b.data)
	b.data = grown
	return nil
}

func tooLarge(most int64) error {
	return fail(http.StatusRequestEntityTooLarge, "expected a body of at most %d bytes", most)
}

// badBody returns the error to answer: a timeout for a client that is too slow, a bad request for one that sends
// nonsense.
func badBody(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fail(http.StatusRequestTimeout, "the body did not arrive in time")
	}
	return badRequest("read body: %w", err)
}
