// Package rooms tests which packages may import which others: imports point downwards. It also tests the documentation.
package rooms

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/line-ood/goline/"

// floors lists the rooms (packages by their path's prefix) from the bottom up. A package may import packages of its own
// room and of lower floors. Of several prefixes the longest counts.
var floors = [][]string{
	{"internal/objects"},
	{"internal/kernel", "internal/quantile", "internal/atomicfile", "internal/fsfile", "internal/mathx",
		"internal/splitmix", "attribution/internal/numfmt",
		"internal/figure", "internal/damage", "internal/invariant", "internal/ostest", "internal/sharedtest",
		"internal/peertest", "internal/racetest", "internal/rooms", "testdata/demo"},
	{"internal/npyz", "internal/listing", "internal/linalg", "internal/parquetfile", "internal/cuda"},
	{"graph"},
	{"graph/graphtest", "nets/weights"},
	{"nets"},
	{"dataset", "internal/nettest", "attribution", "nets/onnx"},
	{"attribution/internal/sampling"},
	{"attribution/estimate", "attribution/games", "attribution/interactions"},
	{"attribution/compare", "line/posthoc", "line/metrics", "line/conformal"},
	{"line", "line/probe", "line/report", "internal/bench"},
	{"internal/serve"},
	{"line/eval"},
	{"line/downstream", "train"},
	{"notebook"},
	{"internal/cli/command"},
	{"internal/cli/attribute"},
	{"internal/cli"},
	{"cmd/goline", "internal/reliability"},
}

// listedPackage is what go list says of a package.
type listedPackage struct {
	ImportPath, Dir  string
	Imports, GoFiles []string
}

// packages returns the module's packages.
func packages(t *testing.T) (all []listedPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listedPackage
		require.NoError(t, d.Decode(&p))
		all = append(all, p)
	}
	return all
}

func TestArrowsPointDown(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		floor, room := where(name)
		require.GreaterOrEqual(t, floor, 0, "%s stands on no floor: name it here", name)
		seen++
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, module) {
				continue
			}
			other := strings.TrimPrefix(i, module)
			below, itsRoom := where(other)
			require.True(t, below < floor || itsRoom == room, "%s imports %s, which does not lie below it", name, other)
		}
	}
	require.Greater(t, seen, 30)
}

// where returns the floor of a package, -1 for none, and its room.
func where(name string) (floor int, room string) {
	floor = -1
	for f, rooms := range floors {
		for _, r := range rooms {
			if (name == r || strings.HasPrefix(name, r+"/")) && len(r) > len(room) {
				floor, room = f, r
			}
		}
	}
	return floor, room
}

// TestCommandsRunNoPrograms: commands take flags and write results. Loops over the runs of a program belong into the
// packages that they call.
func TestCommandsRunNoPrograms(t *testing.T) {
	loop := regexp.MustCompile(`range .*\.(Run|Score)\(`)
	err := filepath.WalkDir("../cli", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		require.NotRegexp(t, loop, string(source), path)
		return err
	})
	require.NoError(t, err)
}
