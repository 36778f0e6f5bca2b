package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/netpoll/remoting/settings"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// parsed is what split makes of --set and environment.
func parsed(t *testing.T, environ []string, sets ...string) both {
	t.Helper()
	b, err := tryParsed(environ, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryParsed(environ []string, sets ...string) (both, error) {
	s := source{environ: environ, sets: sets}
	over, err := s.overrides()
	if err != nil {
		return both{}, err
	}
	return split(over)
}

func TestStandaloneDefaults(t *testing.T) {
	b := parsed(t, nil)
	for _, c := range []struct {
		v         *settings.Values
		key, want string
	}{
		{b.namesrv, "listenPort", "9876"}, {b.namesrv, "bindAddress", "127.0.0.1"}, {b.namesrv, "kvConfigPath", "./ringmq-data/namesrv/kvConfig.json"},
		{b.broker.Values, "listenPort", "10911"}, {b.broker.Values, "bindAddress", "127.0.0.1"}, {b.broker.Values, "brokerIP1", "127.0.0.1"},
		{b.broker.Values, "storePathRootDir", "./ringmq-data"}, {b.broker.Values, "namesrvAddr", "127.0.0.1:9876"},
	} {
		if got := c.v.Text(c.key); got != c.want {
			t.Errorf("%s=%s, not %s", c.key, got, c.want)
		}
	}
}

// TestStandalonePrecedence: flags win over the environment, and every key reaches the server it is meant for.
func TestStandalonePrecedence(t *testing.T) {
	b := parsed(t, []string{"RINGMQ_listenPort=1000", "RINGMQ_namesrvListenPort=2000", "RINGMQ_brokerName=env", "RINGMQ_fileReservedTime=5", "PATH=/bin"},
		"listenPort=3000", "brokerName=first", "brokerName=second", "orderMessageEnable=true", "storePathRootDir=/x", "serverWorkerThreads=3", "nonsense=1",
		"rocketmqHome=/opt")
	if b.broker.ListenPort() != 3000 || b.namesrv.Int("listenPort") != 2000 || b.broker.Text("namesrvAddr") != "127.0.0.1:2000" {
		t.Errorf("broker %d, name server %d, known to the broker as %s", b.broker.ListenPort(), b.namesrv.Int("listenPort"), b.broker.Text("namesrvAddr"))
	}
	if b.broker.Name() != "second" || b.broker.Int("fileReservedTime") != 5 {
		t.Errorf("%s, %d", b.broker.Name(), b.broker.Int("fileReservedTime"))
	}
	if !b.namesrv.Bool("orderMessageEnable") || b.namesrv.Text("kvConfigPath") != "/x/namesrv/kvConfig.json" {
		t.Errorf("name server: %s", b.namesrv.Properties())
	}
	if got := strings.Join(b.withoutEffect(), " "); got != "nonsense serverWorkerThreads" {
		t.Errorf("without effect: %s", got)
	}
	open := parsed(t, nil, "bindAddress=0.0.0.0", "brokerIP1=10.9.8.7")
	if open.broker.BindAddress() != "0.0.0.0" || open.namesrv.Text("bindAddress") != "0.0.0.0" ||
		open.broker.Text("brokerIP1") != "10.9.8.7" || open.broker.Text("namesrvAddr") != "127.0.0.1:9876" {
		t.Errorf("%s", open.broker.Properties())
	}
	for _, c := range []struct{ set, want string }{
		{"brokerRole=SLAVE", "--set: brokerRole=SLAVE needs a brokerId above 0"},
		{"namesrvListenPort=x", "--set: namesrvListenPort=x is no port"},
		{"namesrvListenPort=70000", "--set: namesrvListenPort=70000 is no port"},
		{"maxMessageSize=much", `--set: maxMessageSize: "much" is no whole number`},
		{"listenport=1", "--set: there is no key listenport; did you mean listenPort?"},
		{"namesrvlistenport=1", "--set: there is no key namesrvlistenport; did you mean namesrvListenPort?"},
		{"enableControllerInNamesrv=true", "--set: enableControllerInNamesrv=true is refused"},
		{"storePathRootDir=", "--set: storePathRootDir= is empty"},
		{"listenPort", `--set: "listenPort" is not of the form key=value`},
	} {
		if _, err := tryParsed(nil, c.set); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", c.set, err)
		}
	}
}

// TestBrokerFile: file, environment, -n and --set of the broker subcommand, as -p shows them.
func TestBrokerFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broker.conf")
	if err := os.WriteFile(file, []byte("brokerName = fromFile\nnamesrvAddr=a:1\nlistenPort=1001\nfileReservedTime=3\nbrokerRole=SYNC_MASTER\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RINGMQ_listenPort", "1002")
	t.Setenv("RINGMQ_fileReservedTime", "4")
	out, err := ringmq(t, "broker", "-c", file, "-n", "b:2;c:3", "--set", "fileReservedTime=5", "-p")
	for _, want := range []string{"brokerName=fromFile\n", "namesrvAddr=b:2;c:3\n", "listenPort=1002\n", "fileReservedTime=5\n", "haListenPort=1003\n", "inSyncReplicas=2\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: no %q", err, want)
		}
	}
	if err := os.WriteFile(file, []byte("\nenableControllerMode=true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ringmq(t, "broker", "-c", file); err == nil || !strings.HasPrefix(err.Error(), "broker.conf:2: enableControllerMode=true is refused") {
		t.Errorf("%v", err)
	}
	if out, err := ringmq(t, "standalone", "-p"); err != nil || !strings.Contains(out, "kvConfigPath=./ringmq-data/namesrv/kvConfig.json\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := ringmq(t, "namesrv", "-p", "--set", "listenPort=9877"); err != nil || !strings.Contains(out, "listenPort=9877\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if before, after, ok := strings.Cut(out, "# without effect here\n"); !ok || !strings.Contains(before, "\nlistenPort=") || !strings.Contains(after, "\nwarmMapedFileEnable=") {
		t.Errorf("-p does not tell which keys have an effect:\n%s", out)
	}
	if out, err := ringmq(t, "version"); err != nil || !strings.HasPrefix(out, "ringmq dev (go") {
		t.Errorf("%v\n%s", err, out)
	}
}

// fake is a process whose shutdown ends when told, or with its context.
type fake struct {
	ready    chan struct{} // closed when it says what it serves; nil never starts
	stopping chan struct{} // closed when shutdown was called
	release  chan error
}

func (f *fake) buffersBytes() int64 { return 0 }

func (f *fake) start() error {
	if f.ready == nil {
		return <-f.release
	}
	return nil
}

func (f *fake) report(io.Writer) { close(f.ready) }

func (f *fake) shutdown(context.Context) error {
	close(f.stopping)
	return <-f.release
}

// TestSignals: the first signal drains, one that repeats it at once changes nothing, a later one ends the process.
func TestSignals(t *testing.T) {
	begin := func(same time.Duration) (*fake, chan os.Signal, chan error) {
		f := &fake{ready: make(chan struct{}), stopping: make(chan struct{}), release: make(chan error, 1)}
		signals, ended := make(chan os.Signal), make(chan error, 1)
		go func() { ended <- run(io.Discard, quiet(), f, signals, same) }()
		<-f.ready
		signals <- syscall.SIGTERM
		<-f.stopping
		return f, signals, ended
	}
	f, signals, ended := begin(time.Hour)
	signals <- syscall.SIGTERM
	f.release <- nil
	if err := <-ended; err != nil {
		t.Errorf("drained: %v", err)
	}
	f, signals, ended = begin(0)
	signals <- syscall.SIGTERM
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "second signal") {
		t.Errorf("second signal: %v", err)
	}
	f.release <- nil
	f, _, ended = begin(0)
	broken := errors.New("disk gone")
	f.release <- broken
	if err := <-ended; !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestSignalWhileStarting: a start that takes long can be given up.
func TestSignalWhileStarting(t *testing.T) {
	f, signals := &fake{release: make(chan error, 1)}, make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	if err := run(io.Discard, quiet(), f, signals, 0); err == nil || !strings.Contains(err.Error(), "while starting") {
		t.Errorf("%v", err)
	}
	f.release <- nil
}

// small are settings that make a server start fast in a directory of its own, on ports that the kernel chooses.
func small(dir string) []string {
	return []string{"storePathRootDir=" + dir, "listenPort=0", "namesrvListenPort=0", "mappedFileSizeCommitLog=1048576", "maxHashSlotNum=500",
		"maxIndexNum=800", "tailCacheBytes=16777216", "diskEngine=pwrite", "brokerName=small"}
}

// TestStandaloneRuns starts both for real, looks at what it prints and stops it; meanwhile the directory is locked.
func TestStandaloneRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := &standaloneProcess{both: parsed(t, []string{"RINGMQ_BROKERNAME=x"}, append(small(dir), "nonsense=1", "timerWheelEnable=true")...), logger: quiet()}
	var out strings.Builder
	signals, ended, reported := make(chan os.Signal), make(chan error, 1), make(chan struct{})
	go func() { ended <- run(&out, quiet(), watched{p, reported}, signals, time.Hour) }()
	select {
	case <-reported:
	case err := <-ended:
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.ns.Addr().String())
	if err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	second := &standaloneProcess{both: parsed(t, nil, small(dir)...), logger: quiet()}
	if err := second.start(); err == nil || !strings.HasPrefix(err.Error(), "the data directory "+dir+" is in use by another broker") {
		t.Errorf("locked: %v", err)
	}
	signals <- os.Interrupt
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"name server    127.0.0.1:", "broker         small of DefaultCluster on 127.0.0.1:", "data           " + dir + ", SYNC_FLUSH\n",
		"disk engine    pwrite (configured)\n", "first message  " + os.Args[0] + " admin sendMessage -n " + p.ns.Addr().String() + " -t Hello -p \"first\"\n",
		"unknown        no such key, the setting is passed over: BROKERNAME (brokerName?), nonsense\n", "not yet        asked for and not supported yet: timerWheelEnable=true\n", "ringmq dev is ready after ", "stopped in order after "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "abort")); err == nil {
		t.Error("not closed in order: there is an abort file")
	}
	if out, err := ringmq(t, "dump", "commitlog", dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestStartNamesTheKey: who cannot start is told which key to change.
func TestStartNamesTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	alone := func(sets ...string) process {
		return &standaloneProcess{both: parsed(t, nil, sets...), logger: quiet()}
	}
	only := &brokerProcess{c: parsed(t, nil, small(file)...).broker, logger: quiet()}
	for _, c := range []struct {
		p    process
		want string
	}{
		{alone(small(file)...), "storePathRootDir=" + file + " cannot be used: "},
		{only, "storePathRootDir=" + file + " cannot be used: "},
		{alone(append(small(t.TempDir()), "storePathCommitLog="+file)...), "storePathCommitLog=" + file + " cannot be used: "},
		{alone(append(small(t.TempDir()), "namesrvListenPort="+port)...), "namesrvListenPort=" + port + ": "},
	} {
		if err := c.p.start(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, not %s...", err, c.want)
		}
	}
}

// TestReadOnlyUnderSystemd: a unit that may not write its store is told what it lacks; whoever runs the broker otherwise is not.
func TestReadOnlyUnderSystemd(t *testing.T) {
	root, log := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "log")
	sets := append(small(root), "storePathCommitLog="+log)
	c := parsed(t, nil, sets...).broker
	about := func(dir string, why error) error {
		return fmt.Errorf("open store: %w", &fs.PathError{Op: "mkdir", Path: dir, Err: why})
	}
	for _, one := range []struct {
		unit   string
		err    error
		advice string // "": none
	}{
		{"8d4c1f", about(root, syscall.EROFS), "ReadWritePaths=" + root + ","},
		{"8d4c1f", about(filepath.Join(log, "00000000000000000000"), syscall.EROFS), "ReadWritePaths=" + log + ","},
		{"8d4c1f", about(root, syscall.EACCES), ""},
		{"8d4c1f", about("/elsewhere", syscall.EROFS), ""},
		{"", about(root, syscall.EROFS), ""},
	} {
		t.Setenv("INVOCATION_ID", one.unit)
		got := unusable(c, one.err)
		if !errors.Is(got, one.err) {
			t.Errorf("the reason is lost: %v", got)
		}
		if says := strings.Contains(got.Error(), "ReadWritePaths"); says != (one.advice != "") || !strings.Contains(got.Error(), one.advice) {
			t.Errorf("INVOCATION_ID=%q, %v: %v", one.unit, one.err, got)
		}
	}
}

// TestStartSaysWhereItIsNotRegistered: a broker whose name server does not answer must not be said to be registered.
func TestStartSaysWhereItIsNotRegistered(t *testing.T) {
	sets := append(small(filepath.Join(t.TempDir(), "data")), "namesrvAddr=127.0.0.1:1")
	p := &brokerProcess{c: parsed(t, nil, sets...).broker, logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	p.report(&out)
	if text := out.String(); !strings.Contains(text, "not yet at     127.0.0.1:1, tried again every second: ") || strings.Contains(text, "registered at") {
		t.Error(text)
	}
	if err := p.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSlaveSuggestsNoSend: a slave refuses sends, so its start does not say how to send.
func TestSlaveSuggestsNoSend(t *testing.T) {
	sets := append(small(filepath.Join(t.TempDir(), "data")), "namesrvAddr=127.0.0.1:1", "brokerRole=SLAVE", "brokerId=1")
	p := &brokerProcess{c: parsed(t, nil, sets...).broker, logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	p.report(&out)
	if text := out.String(); strings.Contains(text, "first message") || !strings.Contains(text, "role           SLAVE, id 1\n") {
		t.Error(text)
	}
	if err := p.shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestHelpListsAll: what the README names is in the help too.
func TestHelpListsAll(t *testing.T) {
	out, err := ringmq(t, "--help")
	for _, name := range []string{"admin", "completion", "doctor", "man"} {
		if err != nil || !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("%v: no %s in\n%s", err, name, out)
		}
	}
}

// watched tells when a process has reported.
type watched struct {
	*standaloneProcess
	reported chan struct{}
}

func (w watched) report(out io.Writer) {
	w.standaloneProcess.report(out)
	close(w.reported)
}

// TestLimitMemory: the heap's limit follows the memory there is and what of it the buffers take, and what the environment says is left alone.
func TestLimitMemory(t *testing.T) {
	was, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer func() { debug.SetMemoryLimit(was); debug.SetGCPercent(percent) }()
	none := func(string) string { return "" }
	for _, c := range []struct{ memory, buffers, want int64 }{{512 << 20, 120 << 20, 196 << 20}, {512 << 20, 400 << 20, 56 << 20}, {24 << 30, 120 << 20, 256 << 20}} {
		debug.SetMemoryLimit(1 << 40)
		limitMemory(none, c.memory, c.buffers)
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("of %d beside %d: %d, want %d", c.memory, c.buffers, got, c.want)
		}
		if got := debug.SetGCPercent(100); got != gcPercent {
			t.Errorf("%d %%", got)
		}
	}
	debug.SetMemoryLimit(1 << 40)
	limitMemory(func(string) string { return "set" }, 512<<20, 0)
	if got, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); got != 1<<40 || percent != 100 {
		t.Errorf("the environment is not obeyed: %d, %d %%", got, percent)
	}
}

// TestBuffersBytes: what a server keeps outside of the heap is what its own configuration says, and a name server keeps nothing there.
func TestBuffersBytes(t *testing.T) {
	for _, sets := range [][]string{{"tailCacheBytes=16777216"}, {"tailCacheBytes=1073741824", "maxHashSlotNum=100000000"}} {
		both := parsed(t, nil, sets...)
		want := both.broker.StoreOptions().BufferBytes()
		if tail := int64(both.broker.Int("tailCacheBytes")); want < tail*3/2 {
			t.Errorf("%s: %d", sets, want)
		}
		for _, p := range []process{&brokerProcess{c: both.broker}, &standaloneProcess{both: both}} {
			if got := p.buffersBytes(); got != want {
				t.Errorf("%s: %T says %d, not %d", sets, p, got, want)
			}
		}
	}
	if n := (&namesrvProcess{}).buffersBytes(); n != 0 {
		t.Error("a name server keeps", n)
	}
}
