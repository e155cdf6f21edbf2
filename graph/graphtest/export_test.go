package graphtest

// RequireCard is for tests.
var RequireCard = requireCard
