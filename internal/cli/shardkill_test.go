package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKilledShard: of three processes with a shard each one is killed in the middle. It is run again, and the merged
// result has the bytes of one run.
func TestKilledShard(t *testing.T) {
	w := newWorld(t)
	long, dir := w.long(t, "long"), t.TempDir()
	for _, c := range []struct {
		ext  string
		args []string
	}{
		{".npz", join([]string{"fit", "--data", long}, w.net())},
		{".csv", []string{"score", "--detector", w.fit(t), "--data", long}},
	} {
		whole, merged := filepath.Join(dir, "whole"+c.ext), filepath.Join(dir, "merged"+c.ext)
		must(t, join(c.args, []string{"--out", whole})...)
		merge := []string{"merge", "--out", merged}
		var shards [3]*exec.Cmd
		for i := range shards {
			part := filepath.Join(dir, fmt.Sprint("part", i, c.ext))
			merge = append(merge, part)
			cmd := exec.CommandContext(t.Context(), os.Args[0], join(c.args, []string{"--shard",
				fmt.Sprintf("%d/3", i), "--out", part, "--progress", "always"})...)
			cmd.Env = append(os.Environ(), asGoline+"=1")
			shards[i] = cmd
			if i != 1 {
				require.NoError(t, cmd.Start())
				continue
			}
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			seen := ""
			for !strings.Contains(seen, "/1000") { // its images: it has begun to count them
				piece := make([]byte, 1<<10)
				n, err := stderr.Read(piece)
				require.NoError(t, err, seen)
				seen += string(piece[:n])
			}
			require.NoError(t, cmd.Process.Kill())
		}
		for i, cmd := range shards {
			require.Equal(t, i != 1, cmd.Wait() == nil)
		}
		require.NoFileExists(t, merge[4], "the shard was done before it was killed")
		require.Contains(t, fails(t, join(merge[:4], merge[5:])...), "shard 1/3 is missing")
		must(t, join(c.args, []string{"--shard", "1/3", "--out", merge[4]})...)
		must(t, merge...)
		require.True(t, contents(t, whole) == contents(t, merged), c.ext)
		left, err := filepath.Glob(filepath.Join(dir, ".goline-*"))
		require.NoError(t, err)
		require.Empty(t, left, "of the killed process")
	}
}
