package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"ringmq/broker"
	"ringmq/broker/config"
	"ringmq/netpoll"
	"ringmq/replica"
	"ringmq/store"
	"ringmq/store/disk"
)

// Options of a run that makes a backup, or has one go on.
type Options struct {
	Dir     string        // of the backup
	Broker  string        // host:port of the master
	HA      string        // host:port of its HA service; "": where it says itself
	Version string        // of this program
	Timeout time.Duration // of a connection and of an answer; 0: 10 s

	Tell     func(format string, args ...any)          // a line for whoever looks; nil: nobody does
	Progress func(what string, done, total int64)      // how far it is; nil likewise
	Logger   *slog.Logger                              // of the store; nil: nothing is logged
	patience time.Duration                             // with a master that gives nothing; 0: as replica has it
	alter    func(o *store.Options)                    // of a test, before the store is opened
	reached  func(ctx context.Context, at int64) error // of a test: called while the log is copied; an error ends that
	complete func()                                    // of a test: called when the directory has just been made complete
}

func (o Options) withDefaults() Options {
	o.Dir = filepath.Clean(o.Dir)
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Tell == nil {
		o.Tell = func(string, ...any) {}
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// run is one backup in the making.
type run struct {
	Options
	m        *Manifest
	progress *broker.BackupProgress
	tables   *broker.BackupTables
	reach    replica.Extent
	st       *store.Store
}

// Take makes a backup of a running master in o.Dir, or has the one that is there go on to where the master is now. It returns what the
// directory says then. After an error, or when ctx ends, the directory says that it is under way, and the next call goes on.
//
// What is taken when: progress of consumers and delays, then where the log ends, then the tables, then the log up to there. So no progress lies behind
// the queues, and no topic is missing that has messages. Every message that was acknowledged before the call is in it.
func Take(ctx context.Context, o Options) (*Manifest, error) {
	r := &run{Options: o.withDefaults()}
	if err := r.ask(ctx); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	so, err := r.storeOptions()
	if err != nil {
		return nil, err
	}
	if r.st, err = store.Open(so); err != nil {
		if errors.Is(err, store.ErrLocked) {
			return nil, fmt.Errorf("%s is in use, by another backup or a broker: %w", r.Dir, err)
		}
		return nil, err
	}
	// Under the lock now: another run may have come to its end meanwhile.
	if r.m, err = ReadManifest(r.Dir); err == nil {
		if err = r.fill(ctx); err != nil {
			err = errors.Join(err, r.remember())
		}
	}
	var last func() error
	if err == nil {
		last = r.finish
	}
	// In order even so: the next run goes on without having to look at all of it.
	if closed := r.st.CloseWith(context.WithoutCancel(ctx), last); err == nil {
		err = closed
	}
	if err != nil && r.m != nil && !r.m.Complete() {
		return nil, fmt.Errorf("the backup is not complete, the same command goes on with it: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return r.m, nil
}

// ask takes from the master all but the log.
func (r *run) ask(ctx context.Context) error {
	dial, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	c, err := netpoll.Dial(dial, r.Broker, netpoll.DialOptions{})
	if err != nil {
		return fmt.Errorf("%s: %s", r.Broker, netpoll.Unreachable(err))
	}
	defer c.Close()
	err = r.timed(ctx, func(ctx context.Context) (err error) {
		r.progress, err = broker.AskBackupProgress(ctx, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", r.Broker, err)
	}
	f := &r.progress.Facts
	if f.ID != 0 || f.Role == string(config.Slave) {
		return fmt.Errorf("%s is a slave (%s, id %d); a backup is made of the master", r.Broker, f.Broker, f.ID)
	}
	if r.HA == "" {
		r.HA = f.HAAddr
	}
	err = r.timed(ctx, func(ctx context.Context) (err error) {
		r.reach, err = replica.Reach(ctx, r.HA)
		return err
	})
	if err != nil {
		return fmt.Errorf("the HA port of %s, %s (--ha says where it is if not there): %w", f.Broker, r.HA, err)
	}
	err = r.timed(ctx, func(ctx context.Context) (err error) {
		r.tables, err = broker.AskBackupTables(ctx, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", r.Broker, err)
	}
	return nil
}

// timed calls fn with a bound of its own.
func (r *run) timed(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	return fn(ctx)
}

// begin looks at what the directory is, and makes it a backup under way.
func (r *run) begin() error {
	m, err := ReadManifest(r.Dir)
	f := &r.progress.Facts
	switch {
	case errors.Is(err, ErrNoBackup):
		empty, err := isEmpty(r.Dir)
		if err == nil && !empty {
			err = fmt.Errorf("%s is no backup and not empty: a backup has a directory of its own", r.Dir)
		}
		if err != nil {
			return err
		}
		if err := makeDir(r.Dir); err != nil {
			return err
		}
		r.Tell("a backup of %s begins in %s", f.Broker, r.Dir)
		r.m = &Manifest{State: StateUnderWay, Cluster: f.Cluster, Broker: f.Broker, Began: now(), Keys: f.Keys}
		return r.m.write(r.Dir, r.Version)
	case err != nil:
		return err
	case m.Broker != f.Broker || m.Cluster != f.Cluster:
		return fmt.Errorf("%s is a backup of %s in %s, not of %s in %s", r.Dir, m.Broker, m.Cluster, f.Broker, f.Cluster)
	}
	r.m = m
	if m.Complete() {
		r.Tell("the backup of %s goes on from %d, where it ended at %s", f.Broker, m.To, m.Ended)
	} else {
		r.Tell("the backup of %s goes on where it was interrupted", f.Broker)
	}
	return nil
}

// makeDir makes a directory and those above it that there are not, so that their names are durable too.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(dir))
	if above != dir {
		if err := makeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return disk.OS().SyncDir(above)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// fill brings the open store to where the master was, tables and all.
func (r *run) fill(ctx context.Context) error {
	if err := r.recall(); err != nil {
		return err
	}
	at, to := r.st.LogMax(), r.reach.End
	switch begun := at > r.st.LogMin(); {
	case begun && at < r.reach.Min:
		return fmt.Errorf("the log of %s begins at %d, behind %d, where this backup ends: its retention has taken what lies between. This backup stays as it is; begin another one in another directory",
			r.m.Broker, r.reach.Min, at)
	case begun && at > to:
		return fmt.Errorf("this backup ends at %d, behind the end of the log of %s at %d: the two have parted. Begin another one in another directory", at, r.m.Broker, to)
	case !begun:
		at = r.reach.Min
	}
	if err := r.room(to - at); err != nil {
		return err
	}
	// From here on it changes. Under the lock of the store: nobody else writes here.
	was := *r.m
	if r.m.Complete() {
		r.m.State, r.m.Began = StateUnderWay, now()
		if err := r.m.write(r.Dir, r.Version); err != nil {
			return err
		}
	}
	r.Tell("the log is copied from %d to %d, %d MiB, over %s", at, to, (to-at)>>20, r.HA)
	if err := r.copyLog(ctx, at, to); err != nil {
		return r.asItWas(was, at, err)
	}
	if err := r.settle(ctx, to); err != nil {
		return err
	}
	if err := r.heal(ctx, to); err != nil {
		return err
	}
	if err := r.bury(to); err != nil {
		return err
	}
	docs, lowered, err := tablesOf(r.progress, r.tables, func(topic string, queue int32) int64 { return r.st.MaxOffset([]byte(topic), queue) })
	if err != nil {
		return err
	}
	for _, d := range docs {
		if err := r.st.SaveDoc(d.doc, d.text); err != nil {
			return err
		}
	}
	if lowered > 0 {
		r.Tell("progress in %d queues lay behind their end, since the topic was deleted or its messages are gone, and is at the end now", lowered)
	}
	r.note(to)
	return nil
}

// asItWas has a backup be complete again that was, and got nothing: its log still ends at an offset, and nothing in it waits to be healed.
func (r *run) asItWas(was Manifest, at int64, why error) error {
	if !was.Complete() || r.st.LogMax() != at || len(r.m.Doubtful) > 0 {
		return why
	}
	*r.m = was
	return errors.Join(why, r.m.write(r.Dir, r.Version))
}

// slackBytes is what is wanted beside the log: queues, index, and segments that are prepared ahead.
func (r *run) slackBytes(bytes int64) int64 { return bytes/16 + 2*r.reach.SegmentBytes }

// room says whether the disk has room for so much more log. It is looked at once: what fills up meanwhile is an error then.
func (r *run) room(bytes int64) error {
	if bytes == 0 {
		return nil
	}
	s, err := disk.OS().Space(r.Dir)
	if err != nil {
		return err
	}
	if want := bytes + r.slackBytes(bytes); s.FreeBytes < want {
		return fmt.Errorf("%s has %d MiB free, and up to %d MiB are wanted for the log, its queues and the index", r.Dir, s.FreeBytes>>20, want>>20)
	}
	return nil
}

func (r *run) copyLog(ctx context.Context, from, to int64) error {
	if to == 0 {
		return nil // the master has nothing yet
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := replica.CopyAside(ctx, replica.AsideOptions{Store: r.st, Addr: r.HA, To: to, Patience: r.patience, Logger: r.Logger, Opaque: r.opaque, Progress: func(at int64) {
		r.Progress("log", max(0, at-from), to-from)
		if r.reached == nil {
			return
		}
		if err := r.reached(ctx, at); err != nil {
			cancel(err)
		}
	}})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("interrupted at %d of %d: %w", r.st.LogMax(), to, cause)
	}
	return err
}

const (
	settleLook     = 20 * time.Millisecond
	settlePatience = 2 * time.Minute
)

// settle waits until queues and index have come to the end of the log, as long as they get on.
func (r *run) settle(ctx context.Context, to int64) error {
	tick := time.NewTicker(settleLook)
	defer tick.Stop()
	left, moved := int64(-1), time.Now()
	for total := int64(0); ; {
		s := r.st.Stats()
		now := max(s.DispatchBehindBytes, 0) + s.IndexBehindBytes
		if now == 0 && s.CommitLogMax == to {
			return nil
		}
		if now != left {
			left, moved = now, time.Now()
		}
		total = max(total, now)
		r.Progress("queues", total-now, total)
		if time.Since(moved) > settlePatience {
			return fmt.Errorf("queues and index are %d bytes behind the log and do not get on; is the disk full?", now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bury has the queues forget what was deleted on the master. Who was deleted after the log's end was taken is gone before that end, too: the
// table of topics does not have it.
func (r *run) bury(to int64) error {
	graves := map[string]int64{}
	for topic, end := range r.tables.Graves {
		graves[topic] = min(end, to)
	}
	later, err := r.st.BuryCopies(graves)
	if err == nil && len(later) > 0 {
		err = fmt.Errorf("%d deleted topics cannot be forgotten yet", len(later))
	}
	return err
}

// note has the manifest say what is in the store. It is written when the store is closed.
func (r *run) note(to int64) {
	m, f := r.m, &r.progress.Facts
	m.From, m.Before, m.To = r.st.LogMin(), m.To, to
	m.MasterVersion, m.Keys = f.Version, f.Keys
}

// finish says that the backup is complete. Everything else is durable, and the store's lock is still held: nobody has changed anything since.
func (r *run) finish() (err error) {
	m := *r.m
	if m.Files, err = documentSums(r.Dir); err != nil {
		return err
	}
	m.State, m.Ended = StateComplete, now()
	if err = m.write(r.Dir, r.Version); err == nil {
		*r.m = m
		if r.complete != nil {
			r.complete()
		}
	}
	return err
}
