package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmq/broker/config"
	"ringmq/netpoll/remoting/settings"
	"ringmq/replica"
	"ringmq/store"
)

// side is the directory of one broker of a pair.
type side struct {
	t    *testing.T
	root string
	st   *store.Store // while it is open
}

// sets are the flags that name it.
func (s *side) sets() []string {
	var args []string
	for _, kv := range []string{"storePathRootDir=" + s.root, "mappedFileSizeCommitLog=65536", "maxMessageSize=8192", "maxHashSlotNum=100", "maxIndexNum=400", "diskEngine=pwrite",
		"tailCacheBytes=1048576", "haListenPort=0", "listenPort=0", "bindAddress=127.0.0.1"} {
		args = append(args, "--set", kv)
	}
	return args
}

func (s *side) open() *store.Store {
	s.t.Helper()
	var all []settings.Setting
	for i, text := range s.sets() {
		if i%2 == 1 {
			one, err := settings.FromFlag(text)
			if err != nil {
				s.t.Fatal(err)
			}
			all = append(all, one)
		}
	}
	v, err := config.Keys("127.0.0.1").Merge(all)
	if err != nil {
		s.t.Fatal(err)
	}
	o := (&config.Config{Values: v}).StoreOptions()
	o.Logger, o.DisableRetention = quiet(), true
	if s.st, err = store.Open(o); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.close)
	return s.st
}

func (s *side) close() {
	if s.st != nil {
		if err := s.st.Close(context.Background()); err != nil {
			s.t.Error(err)
		}
		s.st = nil
	}
}

// put stores n messages of a kilobyte in a topic, and waits until they are in their queue.
func (s *side) put(topic string, n int) {
	s.t.Helper()
	end := int64(0)
	for i := 0; i < n; {
		p, err := s.st.Append(&store.Message{Topic: []byte(topic), Body: bytes.Repeat([]byte{byte('a' + i%26)}, 1000), BornTimestamp: 1})
		switch {
		case err == nil:
			i, end = i+1, p.End
		case errors.Is(err, store.ErrFull):
			room := make(chan struct{})
			s.st.Room(func() { close(room) })
			<-room
		default:
			s.t.Fatal(err)
		}
	}
	s.settle(end)
}

func (s *side) settle(end int64) {
	s.t.Helper()
	soon(s.t, "stored and in its queue", func() bool { return s.st.Visible().Load() >= end && s.st.DispatchBehindBytes() == 0 })
}

func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time:", what)
		}
	}
}

// log is the bytes of its commit log.
func (s *side) log() []byte {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.root, "commitlog", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, b...)
	}
	return bytes.TrimRight(all, "\x00")
}

// follow has the slave copy what the master has, both open.
func follow(t *testing.T, master, slave *side) (state replica.FollowerState) {
	t.Helper()
	discard := slog.New(slog.DiscardHandler)
	l, err := replica.Lead(replica.LeaderOptions{Addr: "127.0.0.1:0", Store: master.st, Copies: 1, HeartbeatTime: 20 * time.Millisecond, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	f := replica.Follow(replica.FollowerOptions{Store: slave.st, Master: func() string { return addr }, HeartbeatTime: 20 * time.Millisecond, Logger: discard})
	defer f.Close()
	soon(t, "copied or refused", func() bool {
		state = f.State()
		return state.Refused != "" || state.Connected && state.Offset >= master.st.LogMax()
	})
	if state.Refused == "" {
		slave.settle(master.st.LogMax())
	}
	return state
}

// partedPair makes two directories with common messages, and then some that only one of them has.
func partedPair(t *testing.T, onMaster, onSlave int) (master, slave *side) {
	t.Helper()
	master, slave = &side{t: t, root: filepath.Join(t.TempDir(), "master")}, &side{t: t, root: filepath.Join(t.TempDir(), "slave")}
	master.open()
	slave.open()
	master.put("Both", 100)
	follow(t, master, slave)
	master.put("OnMaster", onMaster)
	slave.put("OnSlave", onSlave)
	if s := follow(t, master, slave); s.Refused == "" {
		t.Fatal("the slave is not refused")
	}
	master.close()
	slave.close()
	return master, slave
}

// lend runs ringmq admin lendLog on a side until the test, or end, ends it, and returns where it serves.
func lend(t *testing.T, s *side) (addr string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		root := newRoot()
		root.SetOut(w)
		root.SetArgs(append([]string{"admin", "lendLog", "--listen", "127.0.0.1:0"}, s.sets()...))
		err := root.ExecuteContext(ctx)
		_ = w.CloseWithError(io.EOF)
		done <- err
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() && addr == "" {
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[0] == "served" {
			addr = strings.TrimSuffix(f[2], ";")
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	ended := false
	end = func() {
		if !ended {
			ended = true
			cancel()
			if err := <-done; err != nil {
				t.Error("lendLog:", err)
			}
		}
	}
	t.Cleanup(end)
	if addr == "" {
		end()
		t.Fatal("lendLog does not say where it serves")
	}
	return addr, end
}

// says runs a command and checks that it prints all of some texts.
func says(t *testing.T, args []string, texts ...string) string {
	t.Helper()
	out, err := ringmq(t, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%v does not say %q:\n%s", args[:2], text, out)
		}
	}
	return out
}

// TestAdminCutLog: a slave that has something else than its master, or more, loses that on an explicit word only, keeps a copy, and
// follows again.
func TestAdminCutLog(t *testing.T) {
	for _, c := range []struct{ onMaster, onSlave int }{{0, 90}, {30, 90}, {90, 5}} {
		master, slave := partedPair(t, c.onMaster, c.onSlave)
		addr, end := lend(t, master)
		before := slave.log()
		cut := append([]string{"admin", "cutLog", "--peer", addr}, slave.sets()...)
		only := fmt.Sprintf("%d messages", c.onSlave)
		says(t, cut, only, fmt.Sprintf("%8d  OnSlave", c.onSlave), "With --yes", "Nothing was changed")
		if !bytes.Equal(slave.log(), before) {
			t.Fatal("without --yes the log was changed")
		}
		says(t, append(cut, "--yes"), only, "The log was cut at")
		saved, err := filepath.Glob(filepath.Join(slave.root, "ringmq", "cut", "*-*"))
		if err != nil || len(saved) != 1 {
			t.Fatal(saved, err)
		}
		if b, err := os.ReadFile(saved[0]); err != nil || !bytes.HasSuffix(before, bytes.TrimRight(b, "\x00")) || len(b) < c.onSlave*1000 {
			t.Errorf("what was cut is not in the copy of %d bytes: %v", len(b), err)
		}
		shown := says(t, []string{"dump", "commitlog", saved[0]})
		if n := strings.Count(shown, "\tOnSlave/0\t"); n != c.onSlave || strings.Contains(shown, "WRONG") {
			t.Errorf("the copy shows %d messages of %d:\n%.500s", n, c.onSlave, shown)
		}
		says(t, append(cut, "--yes"), "Nothing is to be cut.")
		end()
		master.open()
		slave.open()
		master.put("After", 3)
		if s := follow(t, master, slave); s.Refused != "" {
			t.Error("after the cut:", s.Refused)
		}
		master.close()
		slave.close()
		if !bytes.Equal(master.log(), slave.log()) {
			t.Error("the logs differ")
		}
	}
}

// TestAdminCutLogAt: without another log to compare with, the offset is given; none where no record begins.
func TestAdminCutLogAt(t *testing.T) {
	s := &side{t: t, root: filepath.Join(t.TempDir(), "alone")}
	s.open()
	s.put("T", 10)
	at := s.st.LogMax()
	s.put("Behind", 7)
	end := s.st.LogMax()
	s.close()
	cut := func(at int64, more ...string) []string {
		return append(append([]string{"admin", "cutLog", "--at", fmt.Sprint(at)}, s.sets()...), more...)
	}
	says(t, cut(at), "to be cut", "7 messages", "Nothing was changed")
	if out, err := ringmq(t, cut(at+1, "--yes")...); err == nil || !strings.Contains(err.Error(), "no record begins there") {
		t.Error(out, err)
	}
	if out, err := ringmq(t, cut(end+1)...); err == nil || !strings.Contains(err.Error(), "is not in it") {
		t.Error(out, err)
	}
	other := t.TempDir()
	says(t, cut(at, "--yes", "--save", other), "The log was cut at")
	if _, err := os.Stat(filepath.Join(other, fmt.Sprintf("%020d-%020d", at, end))); err != nil {
		t.Error(err)
	}
	if st := s.open(); st.LogMax() != at || st.MaxOffset([]byte("Behind"), 0) != 0 || st.MaxOffset([]byte("T"), 0) != 10 {
		t.Error(st.LogMax(), st.MaxOffset([]byte("Behind"), 0))
	}
	if out, err := ringmq(t, cut(at, "--yes")...); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Error("of a store that is open:", out, err)
	}
}

// TestAdminAdoptLog: a master takes what its slave has beyond its end, on an explicit word only; what differs it does not take.
func TestAdminAdoptLog(t *testing.T) {
	master, slave := partedPair(t, 0, 90)
	addr, end := lend(t, slave)
	before := master.log()
	adopt := append([]string{"admin", "adoptLog", "--peer", addr}, master.sets()...)
	says(t, adopt, "only here      nothing", "90 messages", "      90  OnSlave", "With --yes", "Nothing was changed")
	if !bytes.Equal(master.log(), before) {
		t.Fatal("without --yes the log was changed")
	}
	says(t, append(adopt, "--yes"), "The log was continued from")
	says(t, append(adopt, "--yes"), "Nothing is to be taken.")
	end()
	if !bytes.Equal(master.log(), slave.log()) {
		t.Error("the logs differ")
	}
	master.open()
	slave.open()
	if n := master.st.MaxOffset([]byte("OnSlave"), 0); n != 90 {
		t.Error(n, "messages in the queue")
	}
	master.put("After", 3)
	if s := follow(t, master, slave); s.Refused != "" {
		t.Error("afterwards:", s.Refused)
	}
	master.close()
	slave.close()

	master, slave = partedPair(t, 4, 90)
	addr, end = lend(t, slave)
	before = master.log()
	if out, err := ringmq(t, append([]string{"admin", "adoptLog", "--yes", "--peer", addr}, master.sets()...)...); err == nil || !strings.Contains(err.Error(), "cut one of the two there first") {
		t.Error(out, err)
	}
	if !bytes.Equal(master.log(), before) {
		t.Error("the log was changed")
	}
	// The master's own goes, and then it takes the slave's.
	says(t, append([]string{"admin", "cutLog", "--yes", "--peer", addr}, master.sets()...), "4  OnMaster", "The log was cut at")
	says(t, append([]string{"admin", "adoptLog", "--yes", "--peer", addr}, master.sets()...), "The log was continued from")
	end()
	if !bytes.Equal(master.log(), slave.log()) {
		t.Error("the logs differ")
	}
}

// TestAdminPartedRefuses: what is not there is not made, and what is missing is said.
func TestAdminPartedRefuses(t *testing.T) {
	s := &side{t: t, root: filepath.Join(t.TempDir(), "none")}
	for _, command := range []string{"cutLog", "adoptLog", "lendLog"} {
		if out, err := ringmq(t, append([]string{"admin", command}, s.sets()...)...); err == nil || !strings.Contains(err.Error(), "no commit log") {
			t.Error(command, out, err)
		}
	}
	if _, err := os.Stat(s.root); err == nil {
		t.Error("a directory was made")
	}
	s.open()
	s.put("T", 1)
	s.close()
	if out, err := ringmq(t, append([]string{"admin", "adoptLog"}, s.sets()...)...); err == nil || !strings.Contains(err.Error(), "--peer") {
		t.Error(out, err)
	} // A stock master begins to send its log.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write(make([]byte, 24))
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	if out, err := ringmq(t, append([]string{"admin", "cutLog", "--peer", l.Addr().String()}, s.sets()...)...); !errors.Is(err, replica.ErrNotOurs) || !strings.Contains(err.Error(), "--at") {
		t.Error(out, err)
	}
}
