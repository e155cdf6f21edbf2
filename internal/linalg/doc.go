// Package linalg holds the linear algebra of detectors that keep a bank of features or a covariance: exact nearest
// neighbours and largest inner products, scatter matrices, symmetric eigendecompositions, Cholesky factors and matrix
// products.
//
// Matrices are dense and row-major; shapes are given as [rows, columns]. Sums in float64 are added in one fixed
// order, and each product is rounded before it is added, so that results have the same bits on every processor, for
// any number of workers and any batch size. Inputs must be finite: a NaN or an infinity is an error where a function
// says so, and makes the results of other functions meaningless.
//
// Functions that take a context stop between blocks of work when it ends, and return its error; their output is then
// incomplete.
package linalg
