package sampling

import (
	"context"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
)

var background = context.Background()

func testRNG(seed uint64) *rand.PCG { return rand.NewPCG(seed, 99) }

func fmtBits(c attribution.Coalition) string {
	key := make([]byte, 0, 8*len(c))
	for _, w := range c {
		for shift := 0; shift < 64; shift += 8 {
			key = append(key, byte(w>>shift))
		}
	}
	return string(key)
}
