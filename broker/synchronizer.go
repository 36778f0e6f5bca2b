package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// synchronizer copies the tables of a slave's master: topics, groups, progress of consumers and of delayed messages, modes of requests.
// One goroutine.
type synchronizer struct {
	b    *Broker
	wake chan struct{}

	client  *netpoll.Client
	addr    string        // of client
	dialled time.Time     // when client was
	ours    bool          // the master is of this kind: what has not changed costs it next to nothing
	gone    atomic.Bool   // its process was not there since the progress was taken last
	last    time.Time     // of the last round with everything; zero: none with this master
	rest    time.Duration // between two looks at the progress: a table that is long, and comes whole, is not asked for all the time
	looked  time.Time     // at the progress last
	told    bool          // whether it works was, and
	failing bool          // that it does not

	delays heldDelays // that came over client

	topics  tableOf
	groups  tableOf
	modes   []byte
	edition uint64 // of the topics as they were taken

	gravesFrom string           // edition of the master's list of deleted topics as it was taken
	graves     map[string]int64 // of that list, what the store has yet to hear
}

// tableOf is the version of a table as it was taken.
type tableOf struct {
	version remoting.DataVersion
	taken   bool
}

// Stock asks for everything once a minute. Progress is asked for more often: what a slave does not have when its master dies, consumers
// get again.
const (
	syncTime       = 3 * time.Second
	syncAllTime    = time.Minute
	syncTimeout    = 10 * time.Second
	tableStep      = 1 << 20 // bytes of progress for each of which it is asked for syncTime later
	maxOffersRound = 1000
)

func newSynchronizer(b *Broker) *synchronizer {
	return &synchronizer{b: b, wake: make(chan struct{}, 1)}
}

// poke has a round begin soon. Any goroutine.
func (s *synchronizer) poke() {
	if s == nil {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run goes round until stop.
func (s *synchronizer) run(stop <-chan struct{}) {
	tick := time.NewTicker(syncTime)
	defer tick.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-stop
		cancel()
	}()
	for {
		select {
		case <-stop:
			s.hangUp()
			return
		case <-tick.C:
		case <-s.wake:
		}
		err := s.round(ctx)
		if err != nil {
			s.hangUp()
		}
		if failing := err != nil; (failing != s.failing || !s.told) && s.addr != "" && ctx.Err() == nil {
			s.told = true
			if s.failing = failing; failing {
				s.b.logger.Warn("the master's tables cannot be copied, tried again every few seconds", "master", s.addr, "error", err)
			} else {
				s.b.logger.Info("the master's tables are copied", "master", s.addr, "ours", s.ours)
			}
		}
	}
}

func (s *synchronizer) hangUp() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// connect sees to a connection to the master as it is known at the moment.
func (s *synchronizer) connect(ctx context.Context, addr string) error {
	if s.client != nil && s.addr == addr {
		select {
		case <-s.client.Done():
		default:
			return nil
		}
	}
	s.hangUp()
	if s.addr != addr {
		s.addr, s.last, s.topics, s.groups = addr, time.Time{}, tableOf{}, tableOf{}
		s.gravesFrom, s.graves = "", nil
	}
	c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	if errors.Is(err, syscall.ECONNREFUSED) {
		s.gone.Store(true)
	}
	if err != nil {
		return err
	}
	s.client, s.dialled, s.last, s.delays = c, time.Now(), time.Time{}, heldDelays{}
	return nil
}

// missing looks for a master that has left the route, where it was: name servers hear of the end of a process before a look of this one does, and
// when it is back nothing tells that it was away. One that cannot be reached may come back with an older table.
func (s *synchronizer) missing(ctx context.Context) {
	if s.addr == "" || s.gone.Load() {
		return
	}
	c, err := netpoll.Dial(ctx, s.addr, netpoll.DialOptions{})
	if err != nil {
		s.gone.Store(true)
		return
	}
	c.Close()
}

// round copies what has changed, or is due.
func (s *synchronizer) round(ctx context.Context) error {
	addr := s.b.replication.group.master().addr
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	switch addr {
	case "":
		s.missing(ctx)
		return nil
	case s.b.advertise.String():
		return nil
	}
	if err := s.connect(ctx, addr); err != nil {
		return err
	}
	all := time.Since(s.last) >= syncAllTime
	if all || s.ours {
		if err := s.tables(ctx); err != nil {
			return err
		}
	}
	if all || time.Since(s.looked) >= s.rest {
		if err := s.progress(ctx); err != nil {
			return err
		}
		s.looked = time.Now()
	}
	if all {
		s.last = time.Now()
	}
	return nil
}

// call asks the master; same: what this slave has is what there is.
func (s *synchronizer) call(ctx context.Context, code int32, has *remoting.DataVersion) (body []byte, same bool, err error) {
	resp, same, err := s.ask(ctx, remoting.NewRequest(code), has)
	if err != nil {
		return nil, false, err
	}
	return resp.Body, same, nil
}

// ask is call for a request with fields, or an answer.
func (s *synchronizer) ask(ctx context.Context, cmd *remoting.Command, has *remoting.DataVersion) (resp *remoting.Command, same bool, err error) {
	if resp, err = askPeer(ctx, s.client, cmd, has); err != nil {
		return nil, false, err
	}
	v, ours := resp.Get(remoting.PeerKey)
	s.ours = ours
	return resp, string(v) == peerSame, nil
}

// tables copies topics, groups and modes of requests.
func (s *synchronizer) tables(ctx context.Context) error {
	b := s.b
	has := &s.topics.version
	if !s.topics.taken || b.topics.Edition() != s.edition {
		has = nil
	}
	cmd := remoting.NewRequest(remoting.CodeGetAllTopicConfig)
	cmd.Set(peerGravesKey, s.gravesFrom)
	resp, same, err := s.ask(ctx, cmd, has)
	if err != nil {
		return err
	}
	if !same {
		var both topicsWithGraves
		if err := remoting.Unmarshal(resp.Body, &both); err != nil {
			return err
		}
		if edition, ok := resp.Get(peerGravesKey); ok && string(edition) != s.gravesFrom {
			s.gravesFrom, s.graves = string(edition), both.Graves
		}
		t := both.TopicConfigTable
		if len(t.TopicConfigTable) > 0 && (has == nil || t.DataVersion != *has) {
			s.edition = b.topics.Replace(t.TopicConfigTable, t.DataVersion)
			s.topics = tableOf{t.DataVersion, true}
		}
	}
	if err := s.bury(); err != nil {
		return err
	}
	has = &s.groups.version
	if !s.groups.taken || b.groups.Version() != s.groups.version {
		has = nil
	}
	body, same, err := s.call(ctx, remoting.CodeGetAllSubscriptiongroupConfig, has)
	if err != nil {
		return err
	}
	if !same {
		var g remoting.GroupTable
		if err := remoting.Unmarshal(body, &g); err != nil {
			return err
		}
		if has == nil || g.DataVersion != *has {
			b.groups.Replace(g)
			s.groups = tableOf{g.DataVersion, true}
		}
	}
	return s.requestModes(ctx)
}

// bury has the store forget what was deleted on the master, as far as it has come in the master's log; what it has not, later. Offsets of the
// log count only while the master has accepted that this one is a copy of its own.
func (s *synchronizer) bury() error {
	f := s.b.replication.follower
	if len(s.graves) == 0 || f == nil || !f.FollowsOurs() {
		return nil
	}
	later, err := s.b.store.BuryCopies(s.graves)
	s.graves = later
	return err
}

// requestModes copies how clients of a group ask for messages; an old master does not know such modes.
func (s *synchronizer) requestModes(ctx context.Context) error {
	body, _, err := s.call(ctx, remoting.CodeGetAllMessageRequestMode, nil)
	if err != nil {
		return err
	}
	std, err := remoting.StandardJSON(body)
	if err != nil {
		return err
	}
	if !json.Valid(std) || bytes.Equal(body, s.modes) {
		return nil
	}
	if err := s.b.store.SaveDoc(store.DocRequestMode, body); err != nil {
		return err
	}
	s.modes = body
	return nil
}

// progress copies how far consumers and the delivery of delayed messages have come.
func (s *synchronizer) progress(ctx context.Context) error {
	if s.b.replication.refused() {
		s.delays = heldDelays{}
		return nil // a log of its own has offsets of its own
	}
	if err := s.consumerProgress(ctx); err != nil {
		return err
	}
	return s.delayProgress(ctx)
}

// consumerProgress copies how far consumers have come, and offers what was committed here.
func (s *synchronizer) consumerProgress(ctx context.Context) error {
	b := s.b
	known := b.offsets.Known()
	has := &known
	if s.gone.Load() || b.offsets.HasLocal() {
		has = nil
	}
	body, same, err := s.call(ctx, remoting.CodeGetAllConsumerOffset, has)
	if err != nil || same {
		return err
	}
	s.rest = min(time.Duration(len(body)/tableStep)*syncTime, syncAllTime)
	t, err := meta.ParseOffsets(body)
	if err != nil {
		return err
	}
	offers := b.offsets.Mirror(t, s.gone.Load())
	s.gone.Store(false)
	b.persister.Mark(b.documents.offsets, nil)
	return s.offer(ctx, offers[:min(len(offers), maxOffersRound)])
}

// offer tells the master of progress that it does not have, as a client commits. What it does not hear stays here until it does.
func (s *synchronizer) offer(ctx context.Context, offers []meta.Offer) error {
	taken := 0
	for _, o := range offers {
		cmd := remoting.NewRequest(remoting.CodeUpdateConsumerOffset)
		cmd.Set("consumerGroup", o.Group)
		cmd.Set("topic", o.Topic)
		cmd.Set("queueId", strconv.Itoa(int(o.Queue)))
		cmd.Set("commitOffset", strconv.FormatInt(o.Offset, 10))
		cmd.Set(peerKnownKey, strconv.FormatInt(o.Known, 10))
		resp, err := s.client.Call(ctx, cmd)
		if err != nil {
			return fmt.Errorf("offer progress: %w", err)
		}
		if resp.Code == remoting.RespSuccess { // otherwise it does not know the group or the topic yet
			s.b.offsets.Settled(o)
			taken++
		}
	}
	if taken > 0 {
		s.b.logger.Info("progress was offered to the master, which did not have it", "queues", taken)
	}
	return nil
}
