package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"ringmq/netpoll/local"
)

// Others is what everything but the broker and the generator used of the machine's processors over the counted time: other programs,
// the kernel's own threads, and what a hypervisor gave to others.
type Others struct {
	Cores float64
	Share float64 // of all processors of the machine
}

const (
	// othersMuch is the share from which figures are worth less than others.
	othersMuch    = 0.1
	othersWarning = "something else used "
)

// busy is a look at what all processors of the machine have done.
type busy struct {
	used       time.Duration
	processors int // 0: not known
}

// machineBusy reads /proc/stat.
func machineBusy() busy {
	b, _ := os.ReadFile("/proc/stat")
	return parseBusy(string(b))
}

// parseBusy adds up what is not idle. Time of guests is in that of users already.
func parseBusy(stat string) (b busy) {
	const idle, wait, steal = 3, 4, 7
	for line := range strings.SplitSeq(stat, "\n") {
		name, rest, _ := strings.Cut(line, " ")
		number, isCPU := strings.CutPrefix(name, "cpu")
		switch {
		case !isCPU:
			continue
		case number != "":
			b.processors++
			continue
		}
		for i, field := range strings.Fields(rest) {
			if n, err := strconv.ParseInt(field, 10, 64); err == nil && i != idle && i != wait && i <= steal {
				b.used += time.Duration(n) * local.Tick
			}
		}
	}
	return b
}

// othersUsed is what is left of the machine's time when that of the broker and the generator is taken away; nil: not known.
func othersUsed(from, to busy, took, ours time.Duration) *Others {
	if from.processors == 0 || to.processors == 0 || took <= 0 {
		return nil
	}
	cores := max(0, (to.used-from.used-ours).Seconds()/took.Seconds())
	return &Others{Cores: cores, Share: cores / float64(to.processors)}
}

// crowded says that others used so much that the figures are worth less.
func (r *Report) crowded() bool { return r.Others != nil && r.Others.Share > othersMuch }

// warning says so of one run.
func (f *Others) warning() string {
	return fmt.Sprintf(othersWarning+"%.0f %% of the machine's processors, neither the broker nor the generator: the figures are worth less than those of a quiet machine", 100*f.Share)
}
