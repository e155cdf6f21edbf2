package onnx

// DecodeTensor returns the elements of a tensor file.
func DecodeTensor(raw []byte) ([]float32, error) {
	c, err := decodeTensor(raw)
	if err != nil {
		return nil, err
	}
	return c.float32s(), nil
}
