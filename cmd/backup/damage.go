package backup

import (
	"context"
	"fmt"
	"math"
	"slices"

	"ringmq/replica"
)

// What is damaged in a backup's log is either so on the master, which sent it like that, or the backup's own: a power cut's, or rot on its disk. The first
// is noted in Manifest.Damaged as it comes; the second, in Manifest.Doubtful, has to be healed before the backup is complete.

// opaque notes a range that the master sends damaged. It is durable before the range is: a run that is killed leaves no damage of which nobody
// knows whose it is. Called while the log is copied, when nothing else looks at the manifest.
func (r *run) opaque(from, to int64) error {
	if covered(r.m.Damaged, from, to) {
		return nil
	}
	r.m.Damaged = joined(r.m.Damaged, [][2]int64{{from, to}})
	if err := r.m.write(r.Dir, r.Version); err != nil {
		return fmt.Errorf("%s cannot be written: %w", ManifestName, err)
	}
	return nil
}

// recall has the store know what runs before found damaged, and notes what its start has found.
func (r *run) recall() error {
	end := r.st.LogMax()
	for _, d := range below(r.m.Doubtful, end) {
		r.st.NoteGap(d[0], d[1])
	}
	r.m.Damaged = below(r.m.Damaged, end) // what lay behind is sent anew
	return r.remember()
}

// remember has the manifest say what is damaged here and not on the master. Until it is healed no start of the store need find it again.
func (r *run) remember() error {
	own := r.own(math.MaxInt64)
	if slices.Equal(own, r.m.Doubtful) {
		return nil
	}
	r.m.Doubtful = own
	return r.m.write(r.Dir, r.Version)
}

// own lists the gaps below an offset that the master did not send, in order.
func (r *run) own(to int64) (list [][2]int64) {
	for _, g := range r.st.Gaps() {
		if d := [2]int64{g.From, min(g.To, to)}; d[0] < d[1] && !covered(r.m.Damaged, d[0], d[1]) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	return list
}

// heal has back from the master what is damaged here below an offset. What is the very same there is the master's damage after all, or a record that
// no queue takes.
func (r *run) heal(ctx context.Context, to int64) error {
	own := r.own(to)
	if len(own) == 0 {
		r.m.Doubtful = nil
		return nil
	}
	r.Tell("%d ranges of the backup's log are damaged, and are had back from %s", len(own), r.m.Broker)
	same, left, err := replica.HealAside(ctx, r.st, r.HA, own)
	r.m.Damaged = joined(r.m.Damaged, same)
	if err != nil {
		return fmt.Errorf("the backup's own log is damaged in %d ranges: %w", len(left), err)
	}
	if len(left) > 0 {
		return fmt.Errorf("the backup's own log is damaged in %d ranges, the first from %d to %d, and %s no longer has what was there: begin another one in another directory",
			len(left), left[0][0], left[0][1], r.m.Broker)
	}
	r.m.Doubtful = nil
	return nil
}
