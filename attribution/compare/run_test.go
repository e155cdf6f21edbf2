package compare

import (
	"errors"
)

var errBroken = errors.New("the graph broke")
