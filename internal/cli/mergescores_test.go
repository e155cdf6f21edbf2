package cli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMergeLines merges any two files as the scores of two shards. Either the merge fails with the name of one file, or
// the result has the rows of both.
func FuzzMergeLines(f *testing.F) {
	extent := func(i, images int) string {
		return fmt.Sprintf(`{"index":%d,"count":2,"first":%d,"images":%d,"total":3,"inputs":"a","made":"b"}`, i, i,
			images)
	}
	header := "id,score,prediction,label,ood\n"
	csv := func(i int, rows string) string {
		return csvShard + extent(i, strings.Count(rows, "\n")) + "\n" + header + rows
	}
	f.Add([]byte(csv(0, "a,1,2,3,true\n")), []byte(csv(1, "b,1,2,3,true\nc,1,2,3,\n")))
	f.Add([]byte(csv(1, "a,1,2,3,true\n\"b\n\",1\n")), []byte(csv(0, "\"\"\"\",1,2,3,true\n")))
	f.Add([]byte(jsonlShard+extent(0, 1)+"}\n{}\n"), []byte(jsonlShard+extent(1, 2)+"}\n{}\n{}\n"))
	f.Add([]byte("# goline shard {}"), []byte(""))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b []byte) {
		parts := []string{filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")}
		rest := 0
		for i, data := range [][]byte{a, b} {
			require.NoError(t, os.WriteFile(parts[i], data, 0o600))
			r := bufio.NewReader(strings.NewReader(string(data)))
			first, _ := r.ReadString('\n')
			rest += len(data) - len(first)
		}
		out := filepath.Join(dir, "out.csv")
		if _, err := mergeLines(out, parts); err != nil {
			message := err.Error()
			require.True(t, strings.Contains(message, "a.csv") || strings.Contains(message, "b.csv") ||
				strings.Contains(message, "shard"), message)
			return
		}
		merged, err := os.ReadFile(out)
		require.NoError(t, err)
		headers := 0
		if strings.HasPrefix(string(a), csvShard) {
			headers = strings.Index(string(a)[strings.IndexByte(string(a), '\n')+1:], "\n") + 1
		}
		require.Len(t, merged, rest-headers)
	})
}
