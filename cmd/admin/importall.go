package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"ringmq/netpoll/remoting"
)

func importAll() *Command {
	return &Command{
		Name: "import", Short: "Create the topics and groups of a file of export's, and set progress", Run: runImportAll,
		Operand: Flag{Long: "file", Usage: "file of export's, or of exportMetadata's", Required: true},
		Flags: append([]Flag{
			brokerFlag(), clusterFlag(),
			{Long: "offsets", Usage: "progress of groups: none (the default) leaves it; exact sets the offsets of the file, where queues have them; time looks up by when messages were stored"},
			{Long: "margin", Usage: "how much earlier --offsets time goes: what clocks, and the two ways of a message, may differ by; 1m if it is not given", Kind: Span},
			{Long: "dryRun", Usage: "only say what would be done", Kind: Switch},
			{Long: "overwrite", Usage: "change what is there and different, progress of groups included", Kind: Switch},
			{Long: "brokers", Usage: "which broker stands for which of the file: old=new,old=new; without it those of the same name"},
		}, pickFlags()...),
	}
}

// importLeft is the exit code where nothing failed, and something of the file is not as the file has it.
const importLeft = 2

// Ways to set progress.
const (
	offsetsNone  = "none"
	offsetsExact = "exact"
	offsetsTime  = "time"
)

// defaultMargin is what --offsets time goes back further than the file says.
const defaultMargin = time.Minute

// step is one thing of a document at one broker, or at the name servers.
type step struct {
	what, broker, name string
	state              stepState
	detail             string
	do                 func(ctx context.Context) error // nil: there is nothing to do
}

// stepState is what becomes of it.
type stepState string

const (
	stepEqual  stepState = "equal"  // it is there and the same
	stepCreate stepState = "create" // it is not there
	stepChange stepState = "change" // it is there and different, and --overwrite was given
	stepKept   stepState = "kept"   // it is there and different, and stays
	stepLeft   stepState = "left"   // it cannot be done, or must not
)

func runImportAll(ctx context.Context, s *Session, a Args, out *Out) error {
	p, err := pickOf(a)
	if err != nil {
		return err
	}
	im := &importer{s: s, pick: p, mode: a.Or("offsets", offsetsNone), margin: a.Span("margin", defaultMargin), overwrite: a.Has("overwrite")}
	if im.mode != offsetsNone && im.mode != offsetsExact && im.mode != offsetsTime {
		return fmt.Errorf("--offsets %q is neither none nor exact nor time", im.mode)
	}
	if a.Has("margin") && im.mode != offsetsTime {
		return errors.New("--margin is for --offsets time")
	}
	text, err := readFile(a["file"])
	if err != nil {
		return err
	}
	if im.doc, err = readTransfer(text); err != nil {
		return fmt.Errorf("%s: %w", a["file"], err)
	}
	if err := im.findTargets(ctx, a); err != nil {
		return err
	}
	if err := im.plan(ctx); err != nil {
		return err
	}
	im.show(out, a.Has("dryRun"))
	failed := 0
	if !a.Has("dryRun") {
		failed = im.carryOut(ctx, out)
	}
	return im.verdict(failed, out)
}

// readFile reads a file that is not too long to be an export.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	about, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if about.Size() > maxTransferBytes {
		return nil, fmt.Errorf("%s: %d bytes, more than the %d of an export", name, about.Size(), maxTransferBytes)
	}
	return io.ReadAll(io.LimitReader(f, maxTransferBytes+1)) // a pipe has no size
}

// importer compares a document with brokers, and makes them have what it has.
type importer struct {
	s         *Session
	pick      pick
	mode      string
	margin    time.Duration // of offsetsTime
	overwrite bool
	doc       *transfer

	targets []*importTarget
	names   map[string]string // broker of the document -> target that stands for it
	steps   []step

	notBegun int // of them, when a signal came
}

// importTarget is a broker that is to have what the document has.
type importTarget struct {
	addr, name string
	sources    map[string]bool // brokers of the document that it stands for
	topics     map[string]*remoting.TopicConfig
	system     map[string]bool
	groups     map[string]*remoting.SubscriptionGroupConfig
	progress   map[string]map[int32]int64
	stats      map[string]map[int32]remoting.TopicOffset // by topic, as they were asked for
	members    map[string][]string                       // by group, likewise
	stopped    map[string]error                          // by group, as asked right before its progress was set; nil: it has no members
	wants      map[string]*remoting.TopicConfig          // topics that it has when all is done, as the document has them
}

const planRow = "%-7v %-7v %-20v %-44v %v\n"

var planCols = []Col{{"#What", "what"}, {"#State", "state"}, {"#Broker", "broker"}, {"#Name", "name"}, {"#Detail", "detail"}}

// show writes the plan. In the table form what is equal is only counted.
func (im *importer) show(out *Out, dry bool) {
	if im.doc.addedUp {
		out.Textf("A file of exportMetadata's names no broker: every broker gets all of it. If it was made with -c, queues of all brokers were added up in it.\n")
	}
	out.Table("plan", planRow, planCols...)
	counts := map[stepState]int{}
	for i := range im.steps {
		st := &im.steps[i]
		if counts[st.state]++; st.state == stepEqual && out.format == Table {
			continue
		}
		out.Row(st.what, string(st.state), st.broker, st.name, st.detail)
	}
	out.Textf("%d to create, %d to change, %d equal, %d different and kept, %d cannot be done\n", counts[stepCreate], counts[stepChange], counts[stepEqual], counts[stepKept], counts[stepLeft])
	if n := len(im.doc.Offsets); n > 0 && im.mode == offsetsNone {
		out.Textf("the %d offsets of the file are not looked at: --offsets time or --offsets exact sets progress\n", n)
	}
	if dry {
		out.Textf("nothing was changed\n")
	}
}

// carryOut does what is to be done, and goes on after what fails.
func (im *importer) carryOut(ctx context.Context, out *Out) (failed int) {
	out.Table("done", "%-7v %-7v %-20v %-44v %v\n", Col{"", "what"}, Col{"", "result"}, Col{"", "broker"}, Col{"", "name"}, Col{"", "error"})
	begun := 0
	for i := range im.steps {
		st := &im.steps[i]
		if ctx.Err() == nil {
			im.s.progress("items", int64(i), int64(len(im.steps)))
		}
		if st.do == nil {
			continue
		}
		if ctx.Err() != nil {
			im.notBegun++
			continue
		}
		begun++
		err := st.do(ctx)
		switch {
		case err != nil:
			failed++
			out.Row(st.what, "failed", st.broker, st.name, err.Error())
		case out.format != Table:
			out.Row(st.what, "done", st.broker, st.name, "")
		}
	}
	if ctx.Err() == nil {
		im.s.progress("items", int64(len(im.steps)), int64(len(im.steps)))
	}
	out.Textf("%d done, %d failed\n", begun-failed, failed)
	return failed
}

// verdict is the exit code: an error where something failed, an EndError where something of the file is not as the file has it.
func (im *importer) verdict(failed int, out *Out) error {
	left, kept := 0, 0
	for _, st := range im.steps {
		switch st.state {
		case stepKept:
			kept++
		case stepLeft:
			left++
		}
	}
	out.Set("kept", kept)
	out.Set("left", left)
	out.Set("failed", failed)
	switch {
	case im.notBegun > 0:
		return &EndError{Interrupted, fmt.Sprintf("interrupted: %d items failed, %d were not begun", failed, im.notBegun)}
	case failed > 0:
		return fmt.Errorf("%d of %d items failed", failed, len(im.steps))
	case kept > 0:
		return &EndError{importLeft, fmt.Sprintf("%d of %d items are not as the file has them; --overwrite changes the %d that are different", kept+left, len(im.steps), kept)}
	case left > 0:
		return &EndError{importLeft, fmt.Sprintf("%d of %d items are not as the file has them", left, len(im.steps))}
	}
	return nil
}

// findTargets asks the brokers that -b or -c name what they have, and finds out which broker of the document each stands for.
func (im *importer) findTargets(ctx context.Context, a Args) error {
	addrs, err := im.s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		t, err := im.s.importTarget(ctx, addr)
		if err != nil {
			return err
		}
		im.targets = append(im.targets, t)
	}
	return im.pair(a["brokers"])
}

func (s *Session) importTarget(ctx context.Context, addr string) (*importTarget, error) {
	t := &importTarget{addr: addr, sources: map[string]bool{}, system: map[string]bool{}, stats: map[string]map[int32]remoting.TopicOffset{},
		members: map[string][]string{}, stopped: map[string]error{}, wants: map[string]*remoting.TopicConfig{}}
	c, err := s.whoIs(ctx, addr)
	if err != nil {
		return nil, err
	}
	if t.name = c["brokerName"]; c["brokerRole"] == "SLAVE" {
		return nil, fmt.Errorf("%s is a slave: it takes everything from its master, where this belongs", addr)
	}
	if t.topics, t.system, err = s.topicTable(ctx, addr); err != nil {
		return nil, err
	}
	if t.groups, err = s.groupTable(ctx, addr); err != nil {
		return nil, err
	}
	t.progress, err = s.allProgress(ctx, addr)
	return t, err
}

// pair finds for every broker of the document the target that stands for it: the one that was given, the one of the same name, or,
// where there is one of each, that one.
func (im *importer) pair(given string) error {
	im.names = map[string]string{}
	targets, sources := map[string]*importTarget{}, im.doc.brokers()
	for _, t := range im.targets {
		targets[t.name] = t
	}
	for _, word := range strings.FieldsFunc(given, func(ch rune) bool { return ch == ',' || ch == ' ' }) {
		from, to, ok := strings.Cut(word, "=")
		switch {
		case !ok:
			return fmt.Errorf("--brokers %q: %q is not of the form old=new", given, word)
		case !sources[from]:
			return fmt.Errorf("--brokers %q: the file has no broker %s", given, from)
		case targets[to] == nil:
			return fmt.Errorf("--brokers %q: %s is none of the brokers that -b or -c name", given, to)
		}
		im.names[from] = to
	}
	for from := range sources {
		_, there := im.names[from]
		switch {
		case there:
		case given == "" && len(sources) == 1 && len(im.targets) == 1:
			im.names[from] = im.targets[0].name
		case targets[from] != nil:
			im.names[from] = from
		}
	}
	for from, to := range im.names {
		targets[to].sources[from] = true
	}
	return nil
}

// brokers are the names of all brokers that entries come from.
func (t *transfer) brokers() map[string]bool {
	all := map[string]bool{}
	for _, b := range t.Source.Brokers {
		all[b.Name] = true
	}
	for _, e := range t.Topics {
		all[e.Broker] = true
	}
	for _, e := range t.Groups {
		all[e.Broker] = true
	}
	for _, e := range t.Offsets {
		all[e.Broker] = true
	}
	delete(all, "") // a file of exportMetadata's
	return all
}

// errReset is a broker's answer while a member has to be told of another offset first.
var errReset = errors.New("an offset that was set before has not been taken up by the group's members yet")
