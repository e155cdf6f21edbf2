// Package sampling is what estimators are made of: random streams that depend on a seed and an index alone, draws of
// coalitions, running moments, chunks of work that are merged in order, and the regression behind KernelSHAP. Packages
// estimate and compare use it.
package sampling
