package onnx

// layoutFoldings maps operators that move elements to functions that compute them on constants.
var layoutFoldings = map[string]folding{
	"Reshape": foldReshape, "Flatten": foldFlatten, "Squeeze": foldSqueeze, "Unsqueeze": foldUnsqueeze,
	"Transpose": foldTranspose,
	"Concat":    foldConcat, "Slice": foldSlice, "Split": foldSplit, "Expand": foldExpand, "Tile": foldTile,
	"Pad":    foldPad,
	"Gather": foldGather, "GatherElements": foldGatherElements, "GatherND": foldGatherND,
	"ScatterND": foldScatterND, "ScatterElements": foldScatterElements, "Dropout": foldDropout,
}
