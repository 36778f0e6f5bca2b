// Command replication shows that a master and its slave keep what they promise: under SYNC_MASTER and SYNC_FLUSH with two copies asked
// for, what was acknowledged is in both logs, whatever happens to either broker, its disk or the link between them, and it is in the
// slave's log alone when the master's is thrown away. Each broker of a pair is ours or stock: what a scene asks of ours that stock
// does not do is said beside it.
//
// Producers send numbered messages, a reader follows the queues wherever the brokers and the route send it. At rest both logs are
// read from their files and held against what producers were told and what the reader saw. It ends with "replication: N passed, M failed".
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	s := &stage{heap: "512m"}
	s.flags()
	pairs := flag.String("pairs", "ours+ours", "master+slave, several separated by commas: each ours or stock")
	var d documents
	d.flags()
	var clients []string
	flag.Func("clients", "a `command` that drives clients against a pair; may be given several times (see life.go)", func(c string) error {
		clients = append(clients, c)
		return nil
	})
	only := flag.String("scenes", ".", "regular expression of the scenes to run")
	kinds := flag.String("kinds", ".", "regular expression of the faults to inject")
	count := flag.Int("faults", 30, "faults to inject in all, on each pair")
	chapter := flag.Int("chapter", 50, "faults on the same stores")
	seed := flag.Int64("seed", time.Now().UnixNano()%1_000_000, "seed of the faults and their moments")
	measure := flag.String("bars", "", "measure instead: throughput, cpu, catchup, deaf, or several of them (see bars.sh)")
	b := &bars{stage: s}
	b.flags()
	notes := flag.String("notes", "docs/benchmarks-notes.md", "with -bars: Markdown whose sections say what is behind a bar that is missed")
	keep := flag.Bool("keep", false, "keep what failed scenes, or bars that could not be measured, leave")
	flag.Parse()

	work, err := os.MkdirTemp("", "ringmq-replication-")
	if err != nil {
		fatal(err)
	}
	s.work = work
	s.sweepWhenTold()
	defer s.sweep()
	for _, path := range []*string{&s.bin, &s.rmq} {
		if *path, err = filepath.Abs(*path); err != nil {
			fatal(err)
		}
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		fatal(err)
	}
	kind, err := regexp.Compile(*kinds)
	if err != nil {
		fatal(err)
	}
	if *measure != "" {
		b.main(*measure, *notes, *keep)
		return
	}
	fmt.Printf("replication: seed %d, stores under %s\n", *seed, work)
	t := &tally{keep: *keep, must: os.Getenv("MUST") == "1"}
	d.play(t, s)
	for _, name := range strings.Split(*pairs, ",") {
		t.pair(s, name, program{wanted, kind, clients, *count, *chapter, *seed})
	}
	if !*keep || t.failed == 0 {
		_ = os.RemoveAll(work)
	}
	fmt.Printf("replication: %d passed, %d failed\n", t.passed, t.failed)
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

// program is what is played with each pair.
type program struct {
	scenes, kinds  *regexp.Regexp
	clients        []string
	count, chapter int // faults, in all and on the same stores
	seed           int64
}

// pair plays everything with one kind of pair, master+slave.
func (t *tally) pair(s *stage, name string, what program) {
	master, slave, ok := strings.Cut(name, "+")
	if !ok {
		fatal(fmt.Errorf("-pairs %s is not master+slave", name))
	}
	for _, sc := range scenes {
		if what.scenes.MatchString(sc.name) && sc.suits(master, slave) {
			t.scene(s, name+"/"+sc.name, master, slave, sc)
		}
	}
	for _, command := range what.clients {
		t.play(s, name+"/clients", master, slave, t.life(command))
	}
	mine := 0
	if master == ours {
		mine |= onMaster
	}
	if slave == ours {
		mine |= onSlave
	}
	for left, n := what.count, 1; left > 0 && what.scenes.MatchString("faults"); left, n = left-what.chapter, n+1 {
		d := newDeck(rand.New(rand.NewSource(what.seed+int64(n))), s.disks, mine, what.kinds.MatchString)
		t.play(s, fmt.Sprintf("%s/faults-%d", name, n), master, slave, stormOf(d, min(left, what.chapter)))
		if n == 1 && !s.disks {
			t.counts(name+"/faults-of-disks", time.Now(), "", skipped("needs root, for file systems of its own"))
		}
	}
	if what.count > 0 && mine == onMaster|onSlave && what.scenes.MatchString("unsynced-faults") {
		d := newDeck(rand.New(rand.NewSource(what.seed)), false, mine, func(kind string) bool { return unsynced.MatchString(kind) && what.kinds.MatchString(kind) })
		t.play(s, name+"/unsynced-faults", master, slave, withoutSync(stormOf(d, min(what.count, unsyncedFaults))))
	}
}

// tally counts scenes.
type tally struct {
	passed, failed int
	keep           bool
	must           bool // what cannot be shown here is a failure, as in interop/must.sh
}

// scene plays one; one that depends on what the kernel keeps in memory once more where it fails, and says so.
func (t *tally) scene(s *stage, name, master, slave string, sc scene) {
	began := time.Now()
	text, err := t.try(s, name, master, slave, sc.run)
	var why skipped
	if err != nil && sc.memory && !errors.As(err, &why) {
		fmt.Printf("once more: %s: %v\n", name, err)
		text, err = t.try(s, name, master, slave, sc.run)
	}
	t.counts(name, began, text, err)
}

// play runs and counts what is played on a pair of its own.
func (t *tally) play(s *stage, name, master, slave string, run func(*pair) (string, error)) {
	began := time.Now()
	text, err := t.try(s, name, master, slave, run)
	t.counts(name, began, text, err)
}

func (t *tally) try(s *stage, name, master, slave string, run func(*pair) (string, error)) (text string, err error) {
	p, err := s.newPair(name, master, slave)
	if err == nil {
		text, err = run(p)
		p.rest()
		if err != nil && t.keep {
			err = errors.Join(err, p.keep())
		}
		if endErr := p.end(); err == nil {
			err = endErr
		}
	}
	return text, err
}

// counts counts a scene that is over, and says how it went.
func (t *tally) counts(name string, began time.Time, text string, err error) {
	took := time.Since(began).Seconds()
	var why skipped
	if errors.As(err, &why) {
		if t.must {
			t.failed++
			fmt.Printf("FAIL %s: not shown, and MUST=1: %s\n", name, why)
			return
		}
		fmt.Printf("SKIP %s: %s\n", name, why)
		return
	}
	if err != nil {
		t.failed++
		fmt.Printf("FAIL %s: %s (%s; %.0f s)\n", name, strings.ReplaceAll(err.Error(), "\n", "; "), text, took)
		return
	}
	t.passed++
	fmt.Printf("PASS %s (%s; %.0f s)\n", name, text, took)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "replication:", err)
	os.Exit(1)
}
