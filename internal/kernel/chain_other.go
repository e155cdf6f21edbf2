//go:build !amd64 || noasm

package kernel

// chain32 stands for the vector code of a Chain[float32], which this build does not have.
type chain32 struct{}

// bfChain stands for a chain in bfloat16 by AMX, and bfChainWork for its work by a team.
type (
	bfChain     struct{ chain32 }
	bfChainWork struct{}
)

func newBFChain([]*Conv[float32], int) *bfChain { return nil }

func bfChainCache() int { return 0 }

func newChain32([]*Conv[float32], int) *chain32 { return nil }

func chainCache() int { return 0 }

func (*chain32) scratchLen() int { panic("kernel: no vector code in this build") }

// chainWork stands for a chain's work by a team.
type chainWork struct{}

func (*chain32) teamScratchLen(*Team) int { panic("kernel: no vector code in this build") }

func (*chain32) runTeam(*Team, chainIO, []float32) { panic("kernel: no vector code in this build") }

func (*chain32) run(chainIO, []float32) { panic("kernel: no vector code in this build") }
