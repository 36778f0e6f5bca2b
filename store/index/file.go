package index

import (
	"cmp"
	"os"
	"strconv"
	"strings"
	"time"

	"ringmq/store/record"
)

const (
	nameLayout = "20060102150405.000" // without the dot
	nameDigits = 17
	openFlags  = os.O_RDWR
)

// form is the shape all files have.
type form struct{ slots, entries int64 }

func (m form) slotAt(i int64) int64  { return record.IndexHeaderBytes + i*record.IndexSlotBytes }
func (m form) entryAt(n int64) int64 { return m.slotAt(m.slots) + n*record.IndexEntryBytes }
func (m form) fileBytes() int64      { return m.entryAt(m.entries) }

// file is one index file. header is what the disk holds, or held when a full file was sealed; for the file that takes
// entries it is only a beginning: see active.
type file struct {
	name, path string
	header     record.IndexHeader
}

func isName(name string) bool {
	if len(name) != nameDigits {
		return false
	}
	return strings.Trim(name, "0123456789") == ""
}

// compareNames orders by time of creation.
func compareNames(a, b string) int { return cmp.Compare(a, b) }

// newName is the name of a file made now: later than `after`, the newest name so far.
func newName(now time.Time, after string) string {
	name := strings.Replace(now.Format(nameLayout), ".", "", 1)
	if name > after {
		return name
	}
	n, err := strconv.ParseUint(after, 10, 64)
	if err != nil {
		return name
	}
	next := strconv.FormatUint(n+1, 10) // not always a time, but the order is what counts
	return strings.Repeat("0", max(0, nameDigits-len(next))) + next
}
