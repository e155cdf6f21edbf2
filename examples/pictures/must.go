package pictures

import "log"

// Must returns v, or ends the program with the error: good enough for an example.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check ends the program where there is an error.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
