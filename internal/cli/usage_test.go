package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// TestUsage: an error in the command line is reported before anything is read, with exit status 2 and a hint at --help.
func TestUsage(t *testing.T) {
	unknown := "unknown network: expected one of " + strings.Join(nets.Names(), ", ") + `, got "lenet"`
	net := []string{"--net", "densenet-bc-10-4", "--weights", "w"}
	append := func(args []string, more ...string) []string { return join(args, more) }
	eval := join([]string{"eval", "--fit", "f", "--id", "i", "--ood", "a=x"}, net)
	fit := join([]string{"fit", "--data", "d", "--out", "o"}, net)
	score := []string{"score", "--detector", "det", "--data", "d", "--out", "o.csv"}
	features := join([]string{"features", "--data", "d", "--out", "o"}, net)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"evil"}, `unknown command "evil"`},
		{[]string{"--bogus"}, "unknown flag: --bogus"},
		{[]string{"features", "x"}, `unexpected argument "x"`},
		{[]string{"features"}, "--net, --weights, --data and --out are required"},
		{[]string{"fit", "--net", "densenet-bc-10-4", "--data", "d"}, "--weights and --out are required"},
		{[]string{"score"}, "--detector, --data and --out are required"},
		{[]string{"eval"}, "--net, --weights, --fit, --id and --ood are required"},
		{eval[:5], "--net, --weights and --ood are required"},
		{[]string{"inspect"}, "nothing to inspect: name a FILE, --net, --weights, --detector or --data"},
		{[]string{"inspect", "--weights", "w", "--net", "lenet"}, unknown},
		{[]string{"graph"}, "--net or --detector is required"},
		{[]string{"graph", "--net", "densenet-bc-9-4"}, "expected a depth of 6n+4 with n ≥ 1, got 9"},
		{[]string{"graph", "--net", "densenet-bc-10-4", "--classes", "0"}, "--classes 0: expected 1 to "},
		{[]string{"graph", "--net", "densenet-bc-10-4", "--out", "g.png"},
			`--out g.png: expected the ending .dot or .svg, got ".png"`},
		{[]string{"version", "1"}, `unexpected argument "1"`},
		{append(fit, "--net", "lenet"), unknown},
		{append(features, "--batch", "-1"), "--batch -1: expected 0 to 4096"},
		{append(features, "--batch", "4097"), "--batch 4097"},
		{append(fit, "--workers", "-1"), "--workers -1: expected 0 to 1024"},
		{append(fit, "--workers", "2000"), "--workers 2000"},
		{append(score, "--device", "tpu"), `--device "tpu": expected cpu, cuda or cuda:N`},
		{append(score, "--progress", "maybe"), `--progress "maybe": expected auto, always or never`},
		{append(eval, "--seed", "-1"), `invalid argument "-1" for "--seed"`},
		{append(score, "--out", "o.txt"),
			`--out o.txt: expected the ending .csv, .jsonl, .npz or .parquet, or - for standard output, got ".txt"`},
		{append(score, "--out", "o"),
			`--out o: expected the ending .csv, .jsonl, .npz or .parquet, or - for standard output, got ""`},
		{append(fit, "--p-a", "101"), "expected an activation percentile in [0, 100], got 101"},
		{append(fit, "--p-a", "NaN"), "activation percentile in [0, 100], got NaN"},
		{append(fit, "--p-w", "-1"), "weight percentile in [0, 100], got -1"},
		{append(eval, "--p-w", "x"), `invalid argument "x" for "--p-w"`},
		{append(eval, "--clip", "0"), "--clip: expected a positive number, got 0"},
		{append(fit, "--clip", "1", "--clip-percentile", "90"), "--clip and --clip-percentile exclude each other"},
		{append(eval, "--clip-percentile", "90", "--clip", "1"), "--clip and --clip-percentile exclude each other"},
		{[]string{"demo", "--clip-percentile", "90", "--clip", "1"}, "--clip and --clip-percentile exclude each other"},
		{append(fit, "--clip-percentile", "0"), "--clip-percentile: expected a percentile in (0, 100], got 0"},
		{append(fit, "--clip-percentile", "100.5"), "expected a clip percentile in (0, 100], or 0 for none, got 100.5"},
		{append(eval, "--clip-percentile", "NaN"), "expected a clip percentile in (0, 100], or 0 for none, got NaN"},
		{append(fit, "--clip-per-class"), "clipping per class: expected a clip percentile in (0, 100], got 0"},
		{append(eval, "--clip-percentile", "90", "--param", "line.clip=1"),
			"line clips at clip_percentile or at clip, not at both"},
		{append(eval, "--clip", "2", "--param", "line.clip_percentile=90"),
			"line clips at clip_percentile or at clip, not at both"},
		{append(eval, "--param", "line.clip_per_class=1"),
			"clipping per class: expected a clip percentile in (0, 100], got 0"},
		{append(eval, "--methods", "line,line+react", "--contributions", "c"),
			"--contributions: expected line by itself, got line+react"},
		{append(fit, "--method", "energy", "--contributions", "c"),
			"--contributions: expected --method line, got energy"},
		{append(eval, "--methods", "msp", "--contributions", "c"),
			`--contributions: method "line" is not among --methods`},
		{append(fit, "--without", "ac,xx"), `--without "xx": expected ac, ap or wp`},
		{append(eval, "--ood", "a=y"), `--ood: two sets are named "a"`},
		{append(eval, "--ood", "average=y"), `--ood: a set cannot be named "average"`},
		{append(eval, "--ood", "y"), `--ood "y": expected NAME=DATA`},
		{append(eval, "--ood", "=y"), `--ood "=y": expected NAME=DATA`},
		{append(eval, "--ood", "b="), `--ood "b=": expected NAME=DATA`},
		{append(eval, "--methods", "line,nose"), "method: expected one of " +
			strings.Join(posthoc.Names(), ", ") + `, got "nose"`},
		{append(eval, "--methods", "msp,line,msp"), `--methods: "msp" is named twice`},
		{append(eval, "--methods", ""), "--methods names none"},
		{append(eval, "--param", "react=95"), `--param "react=95": expected METHOD.NAME=NUMBER`},
		{append(eval, "--param", "react.percentile=high"), "expected METHOD.NAME=NUMBER"},
		{append(eval, "--param", "react.q=95"), `react: parameter: expected one of percentile, got "q"`},
		{append(eval, "--param", "react.percentile=101"),
			"parameter percentile: expected a value in [0, 100], got 101"},
		{append(eval, "--methods", "line", "--param", "react.percentile=95"),
			`--param: method "react" is not among --methods`},
		{append(eval, "--bootstrap", "1000000000"), "--bootstrap 1000000000: expected 0 to 1000000"},
		{append(eval, "--bootstrap", "-1"), "--bootstrap -1: expected 0 to 1000000"},
		{append(eval, "--json", "same", "--csv", "./same"), "--json and --csv are the same file ./same"},
	} {
		code, stdout, stderr := runGoline(c.args...)
		assert.Equal(t, exitUsage, code, "%q: %s", c.args, stderr)
		assert.Empty(t, stdout, "%q", c.args)
		assert.Contains(t, stderr, c.want, "%q", c.args)
		lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
		require.Len(t, lines, 2, stderr)
		assert.True(t, strings.HasPrefix(lines[0], "goline: "), stderr)
		assert.Regexp(t, `^see: goline( [a-z]+)? --help$`, lines[1])
	}
}

// TestHelp: the help of each command says what it is for, and names all of its flags with their arguments.
func TestHelp(t *testing.T) {
	stdout := must(t)
	require.Equal(t, stdout, must(t, "--help"))
	root := newRoot()
	for _, cmd := range root.Commands() {
		if cmd.Hidden {
			continue
		}
		require.Contains(t, stdout, "  "+cmd.Name()+" ", "the overview lists every command")
		require.Contains(t, stdout, cmd.Short)
		require.NotRegexp(t, `\.$`, cmd.Short)
		help := must(t, cmd.Name(), "--help")
		require.Contains(t, help, "Usage:\n  goline "+cmd.Name(), help)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			require.Contains(t, help, "--"+f.Name+" ", cmd.Name())
			require.NotEmpty(t, f.Usage, "%s --%s", cmd.Name(), f.Name)
		})
	}
}

func TestQuoted(t *testing.T) {
	for want, args := range map[string][]string{
		"goline": nil,
		"goline eval --ood a=b:c/d.npy --p-a 90.5": {"eval", "--ood", "a=b:c/d.npy", "--p-a", "90.5"},
		`goline '' 'a b' 'it'\''s' '*.bin' '$X'`:   {"", "a b", "it's", "*.bin", "$X"},
	} {
		require.Equal(t, want, quoted(args))
	}
}

// TestCommonFlagsReachTheGraph checks the options for a graph, because results do not depend on these flags.
func TestCommonFlagsReachTheGraph(t *testing.T) {
	c := command.Common{Batch: 3, Workers: 5, Device: "cuda"}
	require.Equal(t, graph.Options{Batch: 3, Workers: 5, Device: graph.CUDA}, c.GraphOptions())
}

// TestCPUVariable: an unknown level in GOLINE_CPU is a usage error, because it would have no effect.
func TestCPUVariable(t *testing.T) {
	t.Setenv("GOLINE_CPU", "foo")
	code, _, stderr := runGoline("version")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "goline: environment variable GOLINE_CPU=foo: expected one of generic, avx2, avx512, neon, "+
		"avx512bf16, amx\n", stderr)
	for _, level := range []string{"", "generic", "AVX2", "avx512bf16", "amx"} {
		t.Setenv("GOLINE_CPU", level)
		must(t, "version")
	}
}
