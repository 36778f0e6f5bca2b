package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"ringmq/store/record"
)

// queueDump walks the files of one consume queue.
type queueDump struct {
	*dumper
	name   string // topic/queue
	log    *logFiles
	before record.QueueUnit
	holeAt int64 // number of the first unit of a run without entries; -1: none
}

// consumeQueues prints every entry below path: a file, the directory of a queue, of a topic, of all, or of the store.
func (d *dumper) consumeQueues(path, logDir string) error {
	if path = below(path, "consumequeue"); exists(filepath.Join(path, "commitlog")) {
		return fmt.Errorf("%s has no consumequeue", path)
	}
	queues := map[string][]numbered{}
	err := filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || n < 0 || len(e.Name()) != 20 {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		dir := filepath.Dir(name)
		queues[dir] = append(queues[dir], numbered{path: name, first: n, size: info.Size()})
		return nil
	})
	if err != nil {
		return err
	}
	if len(queues) == 0 {
		return fmt.Errorf("no consume queue file in %s", path)
	}
	dirs := make([]string, 0, len(queues))
	for dir := range queues {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	log, err := openLog(logDir, dirs[0])
	if err != nil {
		return err
	}
	defer log.close()
	for _, dir := range dirs {
		q := &queueDump{dumper: d, name: filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir), log: log, holeAt: -1}
		if err := q.run(queues[dir]); err != nil {
			return err
		}
	}
	return nil
}

func (q *queueDump) run(files []numbered) error {
	sort.Slice(files, func(i, j int) bool { return files[i].first < files[j].first })
	for i, f := range files {
		if i > 0 {
			q.follows(&files[i-1], f)
		}
		if f.first%record.QueueUnitBytes != 0 || f.size%record.QueueUnitBytes != 0 {
			q.bad(f.path, "name or size is no multiple of %d", record.QueueUnitBytes)
		}
		file, err := os.Open(f.path)
		if err != nil {
			return err
		}
		w := window{r: file, size: f.size}
		for at := int64(0); at+record.QueueUnitBytes <= f.size && err == nil; at += record.QueueUnitBytes {
			var b []byte
			if b, err = w.view(at, record.QueueUnitBytes); err == nil {
				err = q.unit((f.first+at)/record.QueueUnitBytes, record.ParseQueueUnit(b))
			}
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return nil
}

// unit prints one entry; those never written are not printed.
func (q *queueDump) unit(number int64, u record.QueueUnit) error {
	if u == (record.QueueUnit{}) {
		if q.holeAt < 0 {
			q.holeAt = number
		}
		return nil
	}
	place := fmt.Sprintf("%s\t%d\t%d\t%d\t%d", q.name, number, u.Offset, u.Size, u.TagsCode)
	if q.holeAt >= 0 {
		q.bad(place, "no entry is written from %d on, but this one is", q.holeAt)
		q.holeAt = -1
	}
	if u.IsBlank() {
		q.ok("%s\tblank", place)
		return nil
	}
	why, err := q.check(number, u)
	if err != nil {
		return err
	}
	if why != "" {
		q.lines++
		q.bad(place, "%s", why)
	} else {
		q.ok("%s", place)
		q.before = u
	}
	return nil
}

// check says what is wrong with an entry; "": nothing.
func (q *queueDump) check(number int64, u record.QueueUnit) (string, error) {
	switch {
	case !u.Written():
		return "neither an entry nor empty", nil
	case u.Offset < q.before.End():
		return fmt.Sprintf("the entry before reaches to %d", q.before.End()), nil
	case q.log == nil:
		return "", nil
	}
	head, known, err := q.log.at(u.Offset, 28)
	if err != nil || !known {
		return "", err
	}
	if len(head) < 28 {
		return "the commit log does not reach that far", nil
	}
	size, magic := record.Header(head)
	if magic != record.MagicV1 && magic != record.MagicV2 || size != u.Size {
		return "no record of that size begins at that offset of the commit log", nil
	}
	// A record that is in several queues counts only in the one of its topic.
	if got := queueOffset(head); got != number && !strings.HasPrefix(q.name, "%LMQ%") {
		return fmt.Sprintf("the record there says it is number %d of its queue", got), nil
	}
	raw, _, err := q.log.at(u.Offset, int(u.Size))
	if err != nil {
		return "", err
	}
	var r record.Record
	why := r.Parse(raw)
	if why == nil {
		why = content(raw, &r)
	}
	if why != nil {
		return fmt.Sprintf("the record there: %v", why), nil
	}
	return "", nil
}
