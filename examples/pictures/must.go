package pictures

import "log"

// Must returns v, or ends the program on an error, which is sufficient for an example.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check ends the program if there is an error.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
