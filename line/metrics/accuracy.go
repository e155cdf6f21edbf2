package metrics

import "fmt"

// Accuracy returns the share of samples whose predicted class equals the label. predicted and labels have shape
// [sample]; samples whose label is -1 (unknown) do not count. It is an error if the lengths differ or no label is
// known.
func Accuracy(predicted, labels []int) (float64, error) {
	correct, known, err := countCorrect(predicted, labels)
	if err != nil {
		return 0, err
	}
	return float64(correct) / float64(known), nil
}

func countCorrect(predicted, labels []int) (correct, known int, err error) {
	if len(predicted) != len(labels) {
		return 0, 0, fmt.Errorf("metrics: expected a prediction for each of %d labels, got %d", len(labels),
			len(predicted))
	}
	for i, label := range labels {
		if label == -1 {
			continue
		}
		known++
		if predicted[i] == label {
			correct++
		}
	}
	if known == 0 {
		return 0, 0, fmt.Errorf("metrics: accuracy: expected a known label, got none in %d samples", len(labels))
	}
	return correct, known, nil
}
