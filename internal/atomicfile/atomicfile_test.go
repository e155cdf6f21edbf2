package atomicfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/atomicfile"
	"github.com/line-ood/goline/internal/ostest"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// onlyFiles asserts that dir holds exactly the named entries: no temporary file is left.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.ElementsMatch(t, want, names)
}

func TestWriteCreatesAndReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	big := strings.Repeat("0123456789", 100_000) // larger than the buffer
	for _, content := range []string{"first", "", big, "short again"} {
		require.NoError(t, atomicfile.Write(path, text(content)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
	onlyFiles(t, dir, "a.txt")
}

func TestWriteErrorLeavesOldContent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	require.NoError(t, atomicfile.Write(path, text("old")))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := atomicfile.Write(path, func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("new"), 1<<20)); err != nil {
			return err
		}
		return ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, path)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	onlyFiles(t, dir, "a.txt")
}

func TestWritePanicRemovesTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	require.Panics(t, func() {
		_ = atomicfile.Write(filepath.Join(dir, "a"), func(io.Writer) error { panic("boom") })
	})
	onlyFiles(t, dir)
}

func TestWritePermissions(t *testing.T) {
	dir := t.TempDir()
	created, err := os.Create(filepath.Join(dir, "reference"))
	require.NoError(t, err)
	info, err := created.Stat()
	require.NoError(t, err)
	require.NoError(t, created.Close())

	path := filepath.Join(dir, "a")
	require.NoError(t, atomicfile.Write(path, text("x")))
	got, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Mode(), got.Mode(), "a new file has the permission of os.Create")

	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, atomicfile.Write(path, text("y")))
	got, err = os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), got.Mode(), "an existing file keeps its own")
}

func TestWriteThroughSymlink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	target := filepath.Join(dir, "sub", "target")
	require.NoError(t, os.WriteFile(target, []byte("old"), 0o644))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(target, link))
	require.NoError(t, atomicfile.Write(link, text("new")))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)
	got, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, "new", string(got))
	onlyFiles(t, dir, "link", "sub")
}

// The tests of pipes and devices create their own in a temporary folder. They must never name a device of the system:
// broken code would replace it by a plain file.

func TestWriteToPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	ostest.Mkfifo(t, path)
	got := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(path)
		got <- string(b)
	}()
	require.NoError(t, atomicfile.Write(path, text("x")))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeNamedPipe, "the pipe is still a pipe")
	require.Equal(t, "x", <-got)
}

func TestWriteToPipeWhoseReaderLeaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	ostest.Mkfifo(t, path)
	left := make(chan struct{})
	go func() {
		defer close(left)
		if f, err := os.Open(path); err == nil {
			f.Close()
		}
	}()
	err := atomicfile.Write(path, func(w io.Writer) error {
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			return errors.New("the pipe was never opened for writing")
		}
		_, err := w.Write(make([]byte, 1<<20))
		return err
	})
	require.ErrorIs(t, err, syscall.EPIPE)
	require.EqualError(t, err, "write "+path+": broken pipe")
}

func TestWriteFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full")
	ostest.FullDevice(t, path)
	err := atomicfile.Write(path, text("x"))
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("devices cannot be used in the temporary folder")
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, path)
}

func TestWriteRefusals(t *testing.T) {
	dir := t.TempDir()
	err := atomicfile.Write(dir, text("x"))
	require.ErrorContains(t, err, dir)

	missing := filepath.Join(dir, "no", "such", "folder")
	err = atomicfile.Write(missing, text("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, missing)
	require.NotContains(t, err.Error(), ".tmp", "the user never sees the temporary name")
	onlyFiles(t, dir)
}

func TestWriteErrorOfCallbackKeepsItsOwnPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	inner := errors.New("inner")
	err := atomicfile.Write(path, func(io.Writer) error { return fmt.Errorf("reading b.bin: %w", inner) })
	require.ErrorIs(t, err, inner)
	require.EqualError(t, err, "write "+path+": reading b.bin: inner")
}

func TestWriteConcurrently(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			content := strings.Repeat(string(rune('a'+i)), 300_000)
			if err := atomicfile.Write(path, text(content)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, got, 300_000)
	require.Equal(t, len(got), bytes.Count(got, got[:1]), "the content comes from one writer")
	onlyFiles(t, dir, "a")
}

func ExampleWrite() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "scores.csv")
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "index,score")
		return err
	})
	content, _ := os.ReadFile(path)
	fmt.Printf("%v %q\n", err, content)
	// Output: <nil> "index,score\n"
}
