//go:build invariants

package invariant

// On tells that invariants are checked.
const On = true
