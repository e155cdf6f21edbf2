package onnx

// lowerings maps the operators that may read values computed from images to functions that turn a node into
// instructions.
var lowerings map[string]lowering

func init() {
	lowerings = map[string]lowering{
		"Identity": lowerIdentity, "Dropout": lowerDropout, "Cast": lowerCast, "CastLike": lowerCast,
		"Shape": lowerShape, "Size": lowerShape,
		"Clip": lowerClip, "Where": lowerWhere, "Mean": lowerMean, "PRelu": lowerPRelu, "Greater": lowerGreater,
		"GreaterOrEqual": lowerGreater,
		"Conv":           lowerConv, "BatchNormalization": lowerBatchNorm, "Gemm": lowerGemm, "MatMul": lowerMatMul,
		"MaxPool": lowerPool, "AveragePool": lowerPool, "LpPool": lowerLpPool, "GlobalAveragePool": lowerGlobalPool,
		"GlobalMaxPool":      lowerGlobalPool,
		"LayerNormalization": lowerLayerNorm, "RMSNormalization": lowerLayerNorm, "GroupNormalization": lowerGroupNorm,
		"InstanceNormalization": lowerGroupNorm, "LRN": lowerLRN,
		"MeanVarianceNormalization": lowerMVN, "LpNormalization": lowerLpNorm,
		"Softmax": lowerSoftmax, "LogSoftmax": lowerSoftmax,
		"Reshape": lowerReshape, "Flatten": lowerReshape, "Squeeze": lowerReshape, "Unsqueeze": lowerReshape,
		"Transpose": lowerTranspose, "Concat": lowerConcat, "Slice": lowerSlice, "Split": lowerSplit, "Pad": lowerPad,
		"Expand": lowerExpand, "Tile": lowerTile, "Gather": lowerGather, "DepthToSpace": lowerBlocks,
		"SpaceToDepth": lowerBlocks,
		"Einsum":       lowerEinsum, "Attention": lowerAttention,
	}
	for name := range activations {
		lowerings[name] = lowerUnary
	}
	for _, name := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Equal", "Less",
		"LessOrEqual", "And", "Or", "Xor"} {
		lowerings[name] = lowerBinary
	}
	for name := range reductions {
		lowerings[name] = lowerReduce
	}
}

// chain adds several instructions for one node and keeps the first error.
type chain struct {
	t   *tracer
	n   *node
	err error
}

func (c *chain) do(f func() (*value, error)) *value {
	if c.err != nil {
		return nil
	}
	v, err := f()
	c.err = err
	return v
}

func (c *chain) result(v *value) ([]*value, error) { return one(v, c.err) }

func (c *chain) literal(e elem, v float64) *value { return literal(e, v) }
