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

// TestDamages flips bits in small files of every format and cuts off their ends. Each read must give an error or the
// right content. Other content is allowed only for formats without a checksum; the test logs how often that happens,
// and the longest time of a read. Then it makes defects whose checksums and lengths are right: an error must say what
// it is about, and any content is allowed.
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
