package reliability

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/damage"
)

// TestDamages flips bits in, and cuts off, small files of every format: each time there is an error or the right
// content. Another content passes only where the format carries no checksum; how often is logged, with the longest time
// of a read. Then come defects behind the checksums and lengths of a format: an error that says what it is about, or
// some content.
func TestDamages(t *testing.T) {
	n := trials(t, "GOLINE_DAMAGES", 60)
	table := []string{fmt.Sprintf("%-20s %6s %7s %7s %7s %8s %16s", "format", "bytes", "refused", "right", "other",
		"longest", "behind: refused")}
	tried := 0
	for _, f := range formats(t) {
		want, err := f.read(f.file)
		require.NoError(t, err, f.name)
		rng := rand.New(rand.NewPCG(1, uint64(len(f.file))))
		var longest time.Duration
		read := func(data []byte) (string, bool) {
			start := time.Now()
			got, err := f.read(data)
			longest = max(longest, time.Since(start))
			tried++
			if err != nil {
				require.NotContains(t, err.Error(), "runtime error", f.name)
				require.NotContains(t, err.Error(), "does not name the file", f.name)
			}
			return got, err == nil
		}
		refused, right, other, behind := 0, 0, 0, 0
		for _, harm := range []func([]byte, *rand.Rand) []byte{damage.Flip, damage.Cut, damage.Defect} {
			for range n {
				switch got, ok := read(harm(f.file, rng)); {
				case !ok:
					refused++
				case got == want:
					right++
				default:
					require.False(t, f.checked, "%s: other content, in spite of the checksum", f.name)
					other++
				}
			}
		}
		last := "-"
		if f.behind != nil {
			for range n {
				if _, ok := read(f.behind(f.file, rng)); !ok {
					behind++
				}
			}
			last = fmt.Sprint(behind)
		}
		table = append(table, fmt.Sprintf("%-20s %6d %7d %7d %7d %8s %16s", f.name, len(f.file), refused, right, other,
			longest.Round(time.Millisecond), last))
	}
	t.Logf("%d flips, %d cuts and %d other defects of each, %d in all\n%s", n, n, n, tried, strings.Join(table, "\n"))
}
