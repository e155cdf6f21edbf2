package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
)

// TestCommandsOfPages: every command line of goline in a block of a page has commands and flags that exist, with values
// of the right type.
func TestCommandsOfPages(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	checked := 0
	for _, page := range append(pages, "../../README.md") {
		for _, block := range blocks(t, page, "") {
			for _, args := range commandLines(block) {
				checked++
				require.NoError(t, parses(args), "%s: goline %q", page, args)
			}
		}
	}
	require.Greater(t, checked, 25)
	require.ErrorContains(t, parses([]string{"score", "--detectr", "d"}), "unknown flag")
	require.ErrorContains(t, parses([]string{"scores"}), "scores")
}

// blocks returns the blocks of code of a page: those of one language, or with "" all but Go's.
func blocks(t testing.TB, page, language string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```").FindAllStringSubmatch(contents(t, page), -1) {
		if m[1] == language || language == "" && m[1] != "go" {
			all = append(all, m[2])
		}
	}
	require.True(t, language == "" || len(all) > 0, "%s has no block of %s", page, language)
	return all
}

// commandLines returns the arguments of the command goline wherever a block of shell calls it. Variables are replaced
// by 0, but NET by a network.
func commandLines(block string) (all [][]string) {
	block = strings.ReplaceAll(block, "\\\n", " ")
	block = strings.ReplaceAll(block, "$NET", "--net resnet20 --weights w")
	block = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(block, "")
	block = regexp.MustCompile(`\$\w+`).ReplaceAllString(block, "0")
	for line := range strings.SplitSeq(strings.ReplaceAll(block, "&&", "\n"), "\n") {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimPrefix(strings.TrimLeft(part, " \t("), "do ")
			words := strings.Fields(part)
			if len(words) < 2 || words[0] != "goline" || words[1] == "…" {
				continue
			}
			args := []string{}
			for _, w := range words[1:] {
				if w != "…" {
					args = append(args, strings.Trim(w, `'")`))
				}
			}
			all = append(all, args)
		}
	}
	return all
}

// parses returns an error if no command has the name, or its flags do not take the arguments.
func parses(args []string) error {
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// TestJobOfKubernetes: the job's container runs goline, whose image has no shell, with arguments that it takes. Its
// indices are all shards.
func TestJobOfKubernetes(t *testing.T) {
	job := blocks(t, "../../docs/scale.md", "yaml")[0]
	require.NotContains(t, job, "command:", "the image's own entry point is goline, and nothing else is in it")
	require.Contains(t, contents(t, "../../Dockerfile"), `ENTRYPOINT ["/goline"]`)
	m := regexp.MustCompile(`(?s)args: \[(.*?)\]`).FindStringSubmatch(job)
	require.NotNil(t, m, job)
	n := regexp.MustCompile(`completions: (\d+)`).FindStringSubmatch(job)
	require.NotNil(t, n, job)
	for _, index := range []string{"0", strconv.Itoa(toInt(t, n[1]) - 1)} {
		var args []string
		for a := range strings.SplitSeq(strings.ReplaceAll(m[1], "$(JOB_COMPLETION_INDEX)", index), ",") {
			args = append(args, strings.Trim(strings.TrimSpace(a), `"'`))
		}
		require.NotContains(t, strings.Join(args, " "), "$")
		cmd, rest, err := newRoot().Find(args)
		require.NoError(t, err)
		require.NoError(t, cmd.ParseFlags(rest))
		shard, err := dataset.ParseShard(cmd.Flag("shard").Value.String())
		require.NoError(t, err)
		require.Equal(t, dataset.Shard{Index: toInt(t, index), Count: toInt(t, n[1])}, shard)
	}
}

func toInt(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestShardsByMakeAndSlurm runs the examples for make and for SLURM on small data, in three parts. Merged they are one
// run.
func TestShardsByMakeAndSlurm(t *testing.T) {
	w := newWorld(t)
	whole := w.fit(t)
	for _, c := range []struct{ program, language, marker string }{
		{"bash", "sh", "SBATCH"}, {"make", "make", "detector.npz:"},
	} {
		t.Run(c.program, func(t *testing.T) {
			program, err := exec.LookPath(c.program)
			if err != nil {
				t.Skip(err)
			}
			dir, script := t.TempDir(), ""
			for _, b := range blocks(t, "../../docs/scale.md", c.language) {
				if strings.Contains(b, c.marker) {
					script = b
				}
			}
			require.NotEmpty(t, script)
			require.NoError(t, os.Symlink(os.Args[0], filepath.Join(dir, "goline")))
			script = strings.NewReplacer("--net model.onnx --preprocess imagenet", strings.Join(w.net(), " "),
				"list:train.txt+/data", w.path("train.npz"), "0-99", "0-2", "seq 0 99", "seq 0 2",
				"/100", "/3").Replace(script)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o666))
			run := func(environment string, args ...string) {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), program, args...)
				cmd.Dir = dir
				path := dir + string(os.PathListSeparator) + os.Getenv("PATH")
				cmd.Env = append(os.Environ(), asGoline+"=1", "PATH="+path, environment)
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			if c.program == "make" {
				run("", "-j2", "-f", "script")
			} else {
				for i := range 3 {
					run(fmt.Sprint("SLURM_ARRAY_TASK_ID=", i), "script")
				}
				parts, err := filepath.Glob(filepath.Join(dir, "parts", "*.npz"))
				require.NoError(t, err)
				require.Len(t, parts, 3)
				must(t, join([]string{"merge", "--out", filepath.Join(dir, "detector.npz")}, parts)...)
			}
			require.True(t, contents(t, whole) == contents(t, filepath.Join(dir, "detector.npz")))
		})
	}
}
