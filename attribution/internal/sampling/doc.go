// Package sampling holds the parts that estimators share: random streams that depend on a seed and an index alone,
// draws of coalitions, running moments, chunks of work that are merged in order, and the regression behind
// KernelSHAP. Packages estimate, interactions and compare use it.
package sampling
