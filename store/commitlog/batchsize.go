package commitlog

import "sync/atomic"

// batchSize follows how large the batches are that go to the disk. Zeroing ahead saves every sync a commit of the file system's journal, and
// costs the disk each byte of the log once more. With small batches the journal is most of a sync; with large ones it is little beside
// their bytes, they are large because the disk is busy, and half of what keeps it busy would be zeros. Under committer.mu, but for large.
type batchSize struct {
	mean  float64 // of the last ones, in bytes
	large atomic.Bool
}

const (
	// largeFrom is from where on nothing is zeroed ahead, smallFrom to where it is again.
	largeFrom = 512 << 10
	smallFrom = 256 << 10
	// sizesKept is how many batches make the mean, roughly.
	sizesKept = 64
)

// note enters a batch, and says whether it made the difference.
func (s *batchSize) note(bytes int64) (turned bool) {
	s.mean += (float64(bytes) - s.mean) / sizesKept
	large := s.large.Load()
	if large && s.mean >= smallFrom || !large && s.mean < largeFrom {
		return false
	}
	s.large.Store(!large)
	return true
}
