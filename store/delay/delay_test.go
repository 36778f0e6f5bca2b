package delay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// bench is a store in memory with a service on it, inside a bubble of testing/synctest: time is the bubble's.
type bench struct {
	t *testing.T
	o store.Options
	s *store.Store
	d *Service

	mu        sync.Mutex
	delivered []delivery
}

type delivery struct {
	at    time.Time
	topic string
	queue int32
	level string
}

func testOptions(f disk.FS) store.Options {
	o := store.DefaultOptions("/store")
	o.FS, o.Engine, o.SegmentBytes, o.TailBytes, o.MaxMessageBytes = f, "pwrite", 1<<20, 512<<10, 64<<10
	o.IndexSlots, o.IndexEntries, o.MemoryBytes, o.DisableRetention = 100, 1000, 1<<30, true
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func begin(t *testing.T, o store.Options, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, o: o}
	var err error
	if b.s, err = store.Open(o); err != nil {
		t.Fatal(err)
	}
	b.s.OnArrive(func(a *store.Arrival) {
		if a.Topic == store.DelayTopic {
			return
		}
		level, _ := record.Property(a.Properties, "DELAY")
		b.mu.Lock()
		defer b.mu.Unlock()
		b.delivered = append(b.delivered, delivery{time.Now(), a.Topic, a.QueueID, string(level)})
	})
	opts := Options{Store: b.s, Logger: o.Logger}
	if change != nil {
		change(&opts)
	}
	if b.d, err = New(opts); err != nil {
		t.Fatal(err)
	}
	b.d.Start()
	return b
}

func (b *bench) end() {
	b.t.Helper()
	if err := b.d.Close(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	if err := b.s.Close(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) all() []delivery {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]delivery(nil), b.delivered...)
}

// send stores a message that asks for a level, as a broker does.
func (b *bench) send(level int, topic string, queue int32) {
	b.t.Helper()
	m := store.Message{Topic: []byte(topic), QueueID: queue, Body: []byte("body"), BornTimestamp: 1,
		Properties: record.AppendProperty(nil, "DELAY", fmt.Sprint(level))}
	Transform(&m, Level(asked(m.Properties), 18), nil)
	p, err := b.s.Append(&m)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.s.Visible().Wait(context.Background(), p.End); err != nil {
		b.t.Fatal(err)
	}
}

// TestOnTime: every level is delivered when it is due, not before, to its real topic and queue, and progress is saved.
func TestOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, testOptions(disk.NewMemory()), nil)
		start := time.Now()
		levels := store.DefaultDelayLevels()
		for i := len(levels); i >= 1; i-- {
			b.send(i, fmt.Sprintf("T%d", i), int32(i))
		}
		if n := len(b.all()); n != 0 {
			t.Fatalf("%d messages were delivered at once", n)
		}
		time.Sleep(levels[len(levels)-1] + time.Second)
		got := b.all()
		if len(got) != len(levels) {
			t.Fatalf("%d of %d messages were delivered: %v", len(got), len(levels), got)
		}
		for i, d := range got {
			late := d.at.Sub(start) - levels[i]
			if d.topic != fmt.Sprintf("T%d", i+1) || d.queue != int32(i+1) || d.level != fmt.Sprint(i+1) || late < 0 || late > 100*time.Millisecond {
				t.Errorf("level %d: %+v, %v late", i+1, d, late)
			}
		}
		if doc := string(b.d.Document()); !strings.Contains(doc, `"18": 1`) || len(b.d.Progress()) != 18 {
			t.Errorf("progress: %v %s", b.d.Progress(), doc)
		}
		b.end()
	})
}

// TestRestart: what was delivered before a clean stop is not delivered again; what was due meanwhile is, at once.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(disk.NewMemory())
		b := begin(t, o, nil)
		b.send(1, "A", 0)
		b.send(3, "B", 0)
		b.send(5, "C", 0)
		time.Sleep(2 * time.Second)
		if got := b.all(); len(got) != 1 || got[0].topic != "A" {
			t.Fatalf("before the stop: %v", got)
		}
		b.end()
		time.Sleep(20 * time.Second)
		b = begin(t, o, nil)
		if got := b.all(); len(got) != 1 || got[0].topic != "B" {
			t.Fatalf("after the start: %v", got)
		}
		time.Sleep(time.Minute)
		if got := b.all(); len(got) != 2 || got[1].topic != "C" {
			t.Fatalf("at the end: %v", got)
		}
		b.end()
	})
}

// TestCrash: after a crash everything is delivered, perhaps again.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := disk.NewFaulty()
		o := testOptions(f)
		b := begin(t, o, nil)
		for i := range 100 {
			b.send(1+i%3, "T", int32(i))
		}
		time.Sleep(3 * time.Second)
		before := len(b.all())
		f.Stop()
		_ = b.d.Close(context.Background())
		_ = b.s.Close(context.Background())
		o.FS = f.Crash(rand.New(rand.NewSource(1)))
		b = begin(t, o, nil)
		time.Sleep(30 * time.Second)
		queues := make(map[int32]bool)
		for i := range 100 {
			queues[int32(i)] = b.s.MaxOffset([]byte("T"), int32(i)) > 0
		}
		for i, ok := range queues {
			if !ok {
				t.Errorf("the message for queue %d is lost", i)
			}
		}
		if before != 34 {
			t.Errorf("%d messages were delivered before the crash", before)
		}
		b.end()
	})
}

// TestHeldBack: an error holds a level back and nothing is left out; a message that can never be stored is left.
func TestHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := atomic.Bool{}
		refuse.Store(true)
		b := begin(t, testOptions(disk.NewMemory()), func(o *Options) {
			o.Deliver = func(m *store.Message) (store.Placed, error) {
				switch {
				case string(m.Topic) == "Never":
					return store.Placed{}, store.ErrTooLarge
				case refuse.Load():
					return store.Placed{}, store.ErrNotWritable
				}
				return o.Store.Append(m)
			}
		})
		b.send(1, "A", 0)
		b.send(1, "Never", 0)
		b.send(1, "B", 0)
		time.Sleep(5 * time.Second)
		if got := b.all(); len(got) != 0 {
			t.Fatalf("delivered: %v", got)
		}
		refuse.Store(false)
		time.Sleep(2 * time.Second)
		if got := b.all(); len(got) != 2 || got[0].topic != "A" || got[1].topic != "B" {
			t.Errorf("delivered: %v", got)
		}
		b.end()
	})
}

// TestAwaitsHealing: a damaged message is not left out while a copy is connected that may have it; those behind it wait with it.
func TestAwaitsHealing(t *testing.T) {
	for _, has := range []bool{true, false} {
		t.Run(fmt.Sprint("copy has it=", has), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := disk.NewFaulty()
				b := begin(t, testOptions(f), nil)
				for i := range 3 {
					b.send(1, "A", int32(i))
				}
				b.all() // they are in their queue
				units, err := b.s.QueueUnits([]byte(store.DelayTopic), 0, 0, 3)
				if err != nil || len(units) != 3 {
					t.Fatal(units, err)
				}
				at := units[1].Offset
				good, err := b.s.MessageByOffset(at, nil)
				if err != nil {
					t.Fatal(err)
				}
				b.end()
				if err := f.FlipBit("/store/commitlog/00000000000000000000", at+89, 1); err != nil {
					t.Fatal(err)
				}
				b = begin(t, testOptions(f), nil)
				h := b.s.Healer(func() {})
				time.Sleep(5 * time.Second)
				if got := b.all(); len(got) != 1 || got[0].queue != 0 {
					t.Errorf("delivered: %v", got)
				}
				queues := "012"
				if has {
					err = b.s.Heal(at, good)
				} else {
					queues = "02"
					h.HasNot(at)
				}
				time.Sleep(time.Second)
				got := ""
				for _, d := range b.all() {
					got += fmt.Sprint(d.queue)
				}
				if got != queues || err != nil {
					t.Error("delivered to queues", got, err)
				}
				h.Leave()
				b.end()
			})
		})
	}
}

// TestIdle: with nothing waiting the service does not wake.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		b := begin(t, testOptions(disk.NewMemory()), func(o *Options) {
			o.Clock = func() time.Time { asked.Add(1); return time.Now() }
		})
		b.send(1, "A", 0)
		time.Sleep(time.Minute) // delivered, saved
		synctest.Wait()
		before := asked.Load()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if after := asked.Load(); after != before {
			t.Errorf("the clock was asked %d times on an idle day", after-before)
		}
		b.end()
	})
}

func TestTransform(t *testing.T) {
	for name, c := range map[string]struct {
		properties string
		level      int
		want       string
	}{
		"plain":        {"DELAY\x013\x02TAGS\x01A\x02", 3, "DELAY\x013\x02TAGS\x01A\x02REAL_TOPIC\x01T\x02REAL_QID\x017\x02"},
		"above":        {"DELAY\x0199\x02", 18, "DELAY\x0118\x02REAL_TOPIC\x01T\x02REAL_QID\x017\x02"},
		"timer":        {"DELAY\x011\x02TIMER_DELAY_SEC\x015\x02TIMER_DELAY_MS\x015\x02TIMER_DELIVER_MS\x015\x02", 1, "DELAY\x011\x02REAL_TOPIC\x01T\x02REAL_QID\x017\x02"},
		"unterminated": {"DELAY\x012\x02K\x01v", 2, "DELAY\x012\x02K\x01v\x02REAL_TOPIC\x01T\x02REAL_QID\x017\x02"},
		"redelivered":  {"DELAY\x012\x02REAL_TOPIC\x01old\x02REAL_QID\x011\x02", 2, "DELAY\x012\x02REAL_TOPIC\x01T\x02REAL_QID\x017\x02"},
		"zero":         {"DELAY\x010\x02", 0, ""},
		"negative":     {"DELAY\x01-1\x02", 0, ""},
		"text":         {"DELAY\x01soon\x02", 0, ""},
		"none":         {"TAGS\x01A\x02", 0, ""},
	} {
		m := store.Message{Topic: []byte("T"), QueueID: 7, Properties: []byte(c.properties)}
		level := Level(asked(m.Properties), 18)
		if level != c.level {
			t.Errorf("%s: level %d, want %d", name, level, c.level)
		}
		if level == 0 {
			continue
		}
		Transform(&m, level, nil)
		if string(m.Topic) != store.DelayTopic || m.QueueID != int32(level-1) || string(m.Properties) != c.want {
			t.Errorf("%s: %s-%d %q, want %q", name, m.Topic, m.QueueID, m.Properties, c.want)
		}
	}
}

func TestDocument(t *testing.T) {
	stock := "{\n\t\"dataVersion\":{\n\t\t\"counter\":2,\n\t\t\"stateVersion\":0,\n\t\t\"timestamp\":1795331400919\n\t},\n\t\"offsetTable\":{1:100,2:3\n\t}\n}"
	for name, text := range map[string]string{"as a stock broker writes it": stock, "quoted": strings.NewReplacer("1:100", `"1":100`, "2:3", ` "2" : 3`).Replace(stock)} {
		d, err := parseDocument([]byte(text))
		if err != nil || d.OffsetTable["1"] != 100 || d.OffsetTable["2"] != 3 || len(d.OffsetTable) != 2 || d.DataVersion.Counter != 2 {
			t.Errorf("%s: %+v %v", name, d, err)
		}
		if again, err := parseDocument(d.encode()); err != nil || fmt.Sprint(again) != fmt.Sprint(d) {
			t.Errorf("%s: written and read: %+v %v", name, again, err)
		}
	}
	if _, err := parseDocument([]byte(`{"offsetTable":[`)); err == nil {
		t.Error("a broken document was read")
	}
}

// TestUnreadableProgress: a document that is none costs deliveries twice and no start: the one before counts, and it is kept.
func TestUnreadableProgress(t *testing.T) {
	o := testOptions(disk.NewMemory())
	s, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close(context.Background()) }()
	for _, doc := range []string{`{"offsetTable":{1:0}}`, `{"dataVersion":{"counter":7},"offsetTable":{1:0}}`, `{"offsetTable":{1:x}}`} {
		if err := s.SaveDoc(store.DocDelayOffsets, []byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := New(Options{Store: s, Logger: o.Logger})
	if err != nil || d.version.Counter != 7 {
		t.Fatal(err, d)
	}
	if b, err := s.LoadDoc(store.DocDelayOffsets); err != nil || !strings.Contains(string(b), `"counter":7`) {
		t.Fatal(string(b), err)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"dataVersion":{"counter":1},"offsetTable":{1:100,2:3}}`))
	f.Add([]byte(`{"a\"b":"1:","x":[1,2],{"k":1}:2`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseDocument(b)
		if err != nil || len(b) == 0 {
			return
		}
		if _, err := parseDocument(d.encode()); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// asked is the value of a message's DELAY property.
func asked(properties []byte) []byte {
	v, _ := record.Property(properties, record.PropertyDelay)
	return v
}
