package sampling

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
)

func TestFromGamePutsThePrefixOnce(t *testing.T) {
	own := errors.New("no such coalition")
	require.EqualError(t, FromGame(own), "attribution: no such coalition")
	require.ErrorIs(t, FromGame(own), own)
	require.Equal(t, attribution.ErrNotDifferentiable, FromGame(attribution.ErrNotDifferentiable))
}
