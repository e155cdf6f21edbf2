//go:build !invariants

package invariant

// On tells that invariants are checked: in builds with the tag invariants alone.
const On = false
