// Package linalg holds the linear algebra of detectors that keep a bank of features or a covariance: exact nearest
// neighbours and largest inner products, scatter matrices, symmetric eigendecompositions, Cholesky factors and matrix
// products.
//
// Matrices are dense and row-major; shapes are given as [rows, columns]. Sums in float64 are added in one fixed order,
// each product rounded before it is added, so that results have the same bits on every processor, for any number of
// workers and any batch size. Inputs are finite: a NaN or an infinity is an error where the functions say so and spoils
// results elsewhere.
//
// Functions that take a context stop between blocks of work once it is done and return its error; what they write is
// then incomplete.
package linalg
