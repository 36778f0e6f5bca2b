package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"ringmq/store/record"
)

// indexes prints every entry of path: an index file, their directory, or the store's. slots is the store's maxHashSlotNum,
// which the files do not tell.
func (d *dumper) indexes(path string, slots int) error {
	files, err := numberedFiles(below(path, "index"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no index file in %s", path)
	}
	for _, f := range files {
		if err := d.index(f, slots); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return nil
}

func (d *dumper) index(f numbered, slots int) error {
	entriesAt := int64(record.IndexHeaderBytes) + int64(slots)*record.IndexSlotBytes
	if slots < 1 || f.size <= entriesAt || (f.size-entriesAt)%record.IndexEntryBytes != 0 {
		d.bad(f.path, "%d bytes are no index file with %d slots; is --slots the store's maxHashSlotNum?", f.size, slots)
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := window{r: file, size: f.size}
	b, err := w.view(0, record.IndexHeaderBytes)
	if err != nil {
		return err
	}
	h := record.ParseIndexHeader(b)
	capacity := (f.size - entriesAt) / record.IndexEntryBytes
	d.ok("%s\tentries %d\tused slots %d\ttimes %s to %s\toffsets %d to %d", f.path, h.Count-1, h.UsedSlots,
		timeText(h.BeginTimestamp), timeText(h.EndTimestamp), h.BeginOffset, h.EndOffset)
	if int64(h.Count) > capacity {
		d.bad(f.path, "the header counts %d entries, the file has room for %d", h.Count-1, capacity-1)
		h.Count = int32(capacity)
	}
	newest := make([]int32, slots)
	for n := int32(1); n < h.Count; n++ {
		b, err := w.view(entriesAt+int64(n)*record.IndexEntryBytes, record.IndexEntryBytes)
		if err != nil {
			return err
		}
		d.indexEntry(n, record.ParseIndexEntry(b), h, newest)
	}
	return d.indexSlots(f, &w, h, newest)
}

// indexEntry prints entry n. newest holds the newest entry before it of every slot.
func (d *dumper) indexEntry(n int32, e record.IndexEntry, h record.IndexHeader, newest []int32) {
	place := fmt.Sprintf("%d\thash %d\toffset %d\t%s\tprevious %d", n, e.KeyHash, e.Offset, timeText(h.BeginTimestamp+1000*int64(e.TimeDiffSec)), e.Previous)
	if e.KeyHash < 0 {
		d.lines++
		d.bad(place, "the hash is negative")
		return
	}
	slot := int(e.KeyHash) % len(newest)
	before := newest[slot]
	newest[slot] = n
	why := ""
	switch {
	case e.Offset < h.BeginOffset || e.Offset > h.EndOffset:
		why = "the offset is not between those of the header"
	case e.TimeDiffSec < 0:
		why = "the time is before that of the header"
	case e.Previous != before:
		why = fmt.Sprintf("the entry before it in slot %d is %d", slot, before)
	default:
		d.ok("%s", place)
		return
	}
	d.lines++
	d.bad(place, "%s", why)
}

// indexSlots compares the slots with what the entries say they must be.
func (d *dumper) indexSlots(f numbered, w *window, h record.IndexHeader, newest []int32) error {
	used := int32(0)
	for slot, want := range newest {
		b, err := w.view(record.IndexHeaderBytes+int64(slot)*record.IndexSlotBytes, record.IndexSlotBytes)
		if err != nil {
			return err
		}
		got := int32(binary.BigEndian.Uint32(b))
		if got != want {
			d.bad(f.path, "slot %d leads to entry %d, its newest is %d", slot, got, want)
		}
		if want != 0 {
			used++
		}
	}
	if used != h.UsedSlots {
		d.bad(f.path, "the header counts %d used slots, there are %d", h.UsedSlots, used)
	}
	return nil
}
