// Package onnx brings classifiers in from ONNX files and writes models out as such.
package onnx
