package tuning

import (
	"errors"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Options say what Probe is to look at.
type Options struct {
	Dir   string // of the store, absolute and free of links; it need not be there
	Log   string // the directory of its log, in the same way; "": commitlog in Dir
	PID   int    // a broker that runs; 0: this process stands for it
	Unit  string // of systemd, as "ringmq.service"
	User  string // that the broker runs as; "": "*"
	Ports []int  // that servers listen on; nil: stock's

	Ratios Ratios // of the broker's configuration
}

var (
	stockPorts  = []int{9876, 10909, 10911, 10912}
	stockRatios = Ratios{Expired: 75, Forcibly: 85, Full: 90}
)

// Probe reads what there is to know. It changes nothing, needs no rights, and never fails: what it could not see is in Facts.Unseen.
func Probe(h Host, o Options) *Facts {
	if !path.IsAbs(o.Dir) || o.Log != "" && !path.IsAbs(o.Log) {
		panic("tuning: a directory of the store is not absolute: " + o.Dir + ", " + o.Log)
	}
	if o.User == "" {
		o.User = "*"
	}
	if o.Ports == nil {
		o.Ports = stockPorts
	}
	p := &prober{Host: h, o: o, proc: "/proc/self"}
	if o.PID > 0 {
		p.proc = "/proc/" + strconv.Itoa(o.PID)
	}
	var f Facts
	p.mounts = parseMounts(p.text("/proc/self/mountinfo"))
	f.Kernel = p.kernel()
	f.Memory = p.memory()
	f.Files = p.files()
	f.CPU = p.cpu()
	f.Store, f.Devices = p.store()
	f.Network = p.network()
	f.Ring = p.ring()
	f.Unseen = append([]Unseen{}, p.unseen...)
	return &f
}

// prober remembers what could not be read.
type prober struct {
	Host
	o      Options
	proc   string // of the process whose limits and control groups count
	mounts []mount
	unseen []Unseen
}

// text is a file without white space around it; "" without one.
func (p *prober) text(name string) string {
	text, err := p.ReadFile(name)
	if err != nil {
		p.failed(name, err)
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (p *prober) failed(name string, err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EINVAL) {
		return // some files of the kernel answer so where a device has no such property
	}
	why := err.Error()
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		why = cause.Err.Error()
	}
	p.unseen = append(p.unseen, Unseen{Name: name, Why: why})
}

// number is a file that holds one; -1 without it.
func (p *prober) number(name string) int64 { return number(p.text(name)) }

// number is what a text says, as large as fits; -1 if it is none.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err == nil && n >= 0:
		return n
	case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(text, "-"):
		return math.MaxInt64 // fs.file-max may be the largest number without a sign
	}
	return -1
}

func (p *prober) numbers(name string) []int64 {
	all := []int64{}
	for _, w := range strings.Fields(p.text(name)) {
		all = append(all, number(w))
	}
	return all
}

// choice is a file that lists words, the one in force in brackets.
func (p *prober) choice(name string) (chosen string, all []string) { return choice(p.text(name)) }

func choice(text string) (chosen string, all []string) {
	all = []string{}
	for _, w := range strings.Fields(text) {
		if bare, ok := strings.CutPrefix(w, "["); ok {
			w = strings.TrimSuffix(bare, "]")
			chosen = w
		}
		all = append(all, w)
	}
	if chosen == "" && len(all) == 1 {
		chosen = all[0]
	}
	return chosen, all
}

// list is the names in a directory that match a pattern of package path.
func (p *prober) list(dir, pattern string) []string {
	names, err := p.ReadDir(dir)
	p.failed(dir, err)
	return slices.DeleteFunc(names, func(n string) bool {
		ok, err := path.Match(pattern, n)
		return err != nil || !ok
	})
}

// field is what stands behind a name in a file of lines "name: value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kibibytes of a value as /proc/meminfo has it; -1 without one.
func kibibytes(value string) int64 {
	n := number(strings.TrimSpace(strings.TrimSuffix(value, "kB")))
	if n < 0 || n > math.MaxInt64>>10 {
		return -1
	}
	return n << 10
}
