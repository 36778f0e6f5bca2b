package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// dumper prints what store files hold. The files are only read; those of a running broker change meanwhile, and what it has
// not written yet then looks wrong.
type dumper struct {
	out   *bufio.Writer
	onlyX bool // print only what is wrong
	lines int64
	wrong int64
}

// ok prints one line.
func (d *dumper) ok(format string, args ...any) {
	d.lines++
	if !d.onlyX {
		fmt.Fprintf(d.out, format+"\n", args...)
	}
}

// bad prints one line about something wrong. Place and reason are texts.
func (d *dumper) bad(place, format string, args ...any) {
	d.wrong++
	fmt.Fprintf(d.out, "%s\tWRONG: %s\n", place, fmt.Sprintf(format, args...))
}

func newDump() *cobra.Command {
	dump := &cobra.Command{
		Use: "dump", Short: "Print the records of store files and what is wrong with them",
		Long: "Print the records of store files, one line each, and what is wrong with them. PATH is a file, its directory, or the\n" +
			"store's directory. The exit code is 1 when something is wrong. Stop the broker first: what it has not written yet looks wrong.\n\n" +
			"Columns, parted by tabs:\n" +
			"  commitlog     offset, bytes, topic/queue, offset in the queue, time stored, length of the body, then id, tags and keys if any\n" +
			"  consumequeue  topic/queue, offset in the queue, offset in the log, bytes of the record, tags code\n" +
			"  index         a line for the file; number of the entry, hash, offset in the log, time, entry before it in its slot\n" +
			"  checkpoint    how far log, queues and index are durable; marks say from which log offset a start looks again\n" +
			"A line that ends in WRONG: says what is wrong with it.",
	}
	onlyX := false
	dump.PersistentFlags().BoolVar(&onlyX, "wrong", false, "print only what is wrong")
	add := func(use, short string, fn func(d *dumper, path string) error) *cobra.Command {
		cmd := &cobra.Command{Use: use + " PATH", Short: short, Args: cobra.ExactArgs(1)}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			d := &dumper{out: bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10), onlyX: onlyX}
			err := fn(d, args[0])
			if err := d.out.Flush(); err != nil {
				return err
			}
			if err == nil && d.wrong > 0 {
				err = fmt.Errorf("%d lines, wrong: %d", d.lines, d.wrong)
			}
			return err
		}
		dump.AddCommand(cmd)
		return cmd
	}
	add("commitlog", "Print the messages of the commit log", (*dumper).commitLog)
	log := ""
	queue := add("consumequeue", "Print the entries of consume queues, compared with the commit log", func(d *dumper, path string) error {
		return d.consumeQueues(path, log)
	})
	queue.Flags().StringVar(&log, "commitlog", "", "`directory` of the commit log (default: the one beside consumequeue, if any)")
	slots := 0
	index := add("index", "Print the entries of key index files", func(d *dumper, path string) error { return d.indexes(path, slots) })
	index.Flags().IntVar(&slots, "slots", 5_000_000, "the store's maxHashSlotNum")
	add("checkpoint", "Print the checkpoint", (*dumper).checkpoint)
	return dump
}

// numbered is a file whose name is the offset of its first byte.
type numbered struct {
	path  string
	first int64 // -1: the name is no number
	size  int64
	piece bool // of several files, as ringmq admin cutLog saves it: FROM-TO
}

// numberedFiles returns path if it is a file, and otherwise the files with numbers for names in it, in order.
func numberedFiles(path string) ([]numbered, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		name, _, piece := strings.Cut(filepath.Base(path), "-")
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			n, piece = -1, false
		}
		return []numbered{{path, n, info.Size(), piece}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var all []numbered
	for _, e := range entries {
		n, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || n < 0 || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		all = append(all, numbered{path: filepath.Join(path, e.Name()), first: n, size: info.Size()})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].first < all[j].first })
	return all, nil
}

// below is path/name if path is a directory that has it, and otherwise path itself.
func below(path, name string) string {
	if inner := filepath.Join(path, name); exists(inner) {
		return inner
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist) && err == nil
}

// follows says whether a file begins where the one before it ends; if not, what is missing is printed.
func (d *dumper) follows(before *numbered, f numbered) {
	if before != nil && before.first+before.size != f.first {
		d.bad(f.path, "the file before ends at %d: offsets up to %d are missing", before.first+before.size, f.first)
	}
}

func timeText(ms int64) string {
	if ms <= 0 {
		return strconv.FormatInt(ms, 10)
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// window reads a file in large steps.
type window struct {
	r    io.ReaderAt
	size int64
	at   int64
	buf  []byte
}

const windowBytes = 1 << 20

// view returns up to n bytes at an offset, fewer at the end of the file. They are valid until the next call.
func (w *window) view(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-at))
	if n <= 0 {
		return nil, nil
	}
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		want := int(min(int64(max(n, windowBytes)), w.size-at))
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		w.at, w.buf = at, w.buf[:want]
		if _, err := io.ReadFull(io.NewSectionReader(w.r, at, int64(want)), w.buf); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
	}
	from := at - w.at
	return w.buf[from : from+int64(n)], nil
}
