package metrics

// Metrics holds all metrics of a pair of score sets, as fractions in [0, 1].
type Metrics struct {
	FPR95        float64 // FPR95: ID positive; lower is better
	FPR95OpenOOD float64 // FPR95OpenOOD: OOD positive; lower is better
	AUROC        float64 // higher is better
	AUPRIn       float64 // higher is better
	AUPROut      float64 // higher is better
	DTERR        float64 // DetectionError; lower is better
}

// Evaluate computes all metrics from one sort of the scores. Each equals what its own function returns.
func Evaluate(id, ood []float64) (Metrics, error) {
	r, err := rank(id, ood)
	if err != nil {
		return Metrics{}, err
	}
	return r.metrics(), nil
}

func (r *ranking) metrics() Metrics {
	return Metrics{
		FPR95:        r.fprAtTPR(),
		FPR95OpenOOD: r.fpr95OpenOOD(),
		AUROC:        r.auroc(),
		AUPRIn:       r.auprIn(),
		AUPROut:      r.auprOut(),
		DTERR:        r.detectionError(),
	}
}
