package bench

// slope is the least-squares slope of ys over xs, 0 where there are fewer than two different xs.
func slope(xs, ys []float64) float64 {
	n := float64(len(xs))
	var sx, sy float64
	for i := range xs {
		sx += xs[i]
		sy += ys[i]
	}
	var above, below float64
	for i := range xs {
		dx := xs[i] - sx/n
		above += dx * (ys[i] - sy/n)
		below += dx * dx
	}
	if below == 0 {
		return 0
	}
	return above / below
}
