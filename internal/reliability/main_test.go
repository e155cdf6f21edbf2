package reliability

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/cli"
)

// asGoline is the environment variable that makes the test binary run as goline.
const asGoline = "GOLINE_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asGoline) != "" {
		os.Exit(cli.Main())
	}
	os.Exit(m.Run())
}

// trials returns the number in an environment variable, or usual if it is not set.
func trials(t testing.TB, variable string, usual int) int {
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}
