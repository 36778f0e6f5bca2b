package queue

import "ringmq/store/record"

// firstAtLeast returns the first entry in [low, high) whose record begins at or behind physical, high if there is none.
// Blanks tell nothing and never are the answer.
func (q *Queue) firstAtLeast(physical, low, high int64) (at, offset int64, err error) {
	at, offset = high, -1
	end := high
	for low < high {
		mid := low + (high-low)/2
		found, u, err := q.nextRecord(mid, high)
		if err != nil {
			return 0, 0, err
		}
		switch {
		case found == high: // nothing but blanks from mid on
			high = mid
		case u.Offset >= physical:
			at, offset, high = found, u.Offset, mid
		default:
			low = found + 1
		}
	}
	if at > end {
		at = end
	}
	return at, offset, nil
}

// nextRecord returns the first entry in [from, to) that is not a blank; to if there is none.
func (q *Queue) nextRecord(from, to int64) (int64, record.QueueUnit, error) {
	var one [1]record.QueueUnit
	n, err := q.Read(from, one[:])
	if err != nil || n == 1 && !one[0].IsBlank() {
		return from, one[0], err
	}
	units := make([]record.QueueUnit, pageUnits)
	for from < to {
		n, err := q.Read(from, units[:min(to-from, pageUnits)])
		if err != nil {
			return 0, one[0], err
		}
		if n == 0 {
			break
		}
		for i, u := range units[:n] {
			if !u.IsBlank() {
				return from + int64(i), u, nil
			}
		}
		from += int64(n)
	}
	return to, one[0], nil
}

// lastRecord returns the last entry in [from, to) that is not a blank, and which that is: -1 if there is none.
func (q *Queue) lastRecord(from, to int64) (int64, record.QueueUnit, error) {
	var one [1]record.QueueUnit
	if from < to {
		if n, err := q.Read(to-1, one[:]); err != nil {
			return -1, one[0], err
		} else if n == 1 && !one[0].IsBlank() {
			return to - 1, one[0], nil
		}
	}
	units := make([]record.QueueUnit, pageUnits)
	for from < to {
		begin := max(from, to-pageUnits)
		n, err := q.Read(begin, units[:to-begin])
		if err != nil {
			return -1, one[0], err
		}
		for i := n - 1; i >= 0; i-- {
			if !units[i].IsBlank() {
				return begin + int64(i), units[i], nil
			}
		}
		to = begin
	}
	return -1, one[0], nil
}
