package sampling

import (
	"fmt"
	"strings"
)

// FromGame returns an error of a game with the prefix of package attribution, which the games of package games put
// there themselves.
func FromGame(err error) error {
	const prefix = "attribution: "
	if strings.HasPrefix(err.Error(), prefix) {
		return err
	}
	return fmt.Errorf(prefix+"%w", err)
}
