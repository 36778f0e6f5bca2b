package stats

import (
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/meta"
	"ringmq/netpoll/remoting"
	"ringmq/store/tally"
)

// Names of figures, as 315 asks for them. Keys are a topic, topic@group, or the cluster's name.
const (
	TopicPutNums    = "TOPIC_PUT_NUMS"
	TopicPutSize    = "TOPIC_PUT_SIZE"
	GroupGetNums    = "GROUP_GET_NUMS"
	GroupGetSize    = "GROUP_GET_SIZE"
	SendBackPutNums = "SNDBCK_PUT_NUMS"
	BrokerPutNums   = "BROKER_PUT_NUMS"
	BrokerGetNums   = "BROKER_GET_NUMS"
	UserPutNums     = "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC"
	UserGetNums     = "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC"
)

// Stats are the figures of one broker. Any goroutine.
type Stats struct {
	cluster   string
	scheduled []byte // key of what is taken to be delivered late
	began     time.Time

	topicPut, groupGet, sendBack *set
	dead                         *set // messages that became dead letters
	givenBack                    *set // messages by the group that gave them back
	brokerPut, brokerGet         item
	userPut, userGet             item // of topics that are not the system's

	getFound, getMiss, transferred atomic.Int64 // pulls that found something, or nothing; messages handed out
	getTimeMaxMs                   atomic.Int64
	edition                        atomic.Uint64

	rpcs struct {
		mu sync.RWMutex
		m  map[RpcKey]*tally.Histogram
	}
	created map[Creation]*tally.Histogram // all there can be; it does not change

	mu     sync.Mutex
	rates  rates
	minute time.Time // of the last sample of each window
	hour   time.Time
	day    time.Time
	today  time.Time // beginning of the day that the morning figures belong to
	puts   lastMinute
	put    mornings
	got    mornings
}

// mornings are totals at the beginning of days.
type mornings struct{ yesterday, today int64 }

// New starts at zero.
func New(cluster string, clock func() time.Time) *Stats {
	now := clock()
	s := &Stats{cluster: cluster, scheduled: []byte(meta.ScheduleTopic + "@" + scheduleGroup), began: now, topicPut: newSet(), groupGet: newSet(), sendBack: newSet(), dead: newSet(), givenBack: newSet(), today: midnight(now)}
	s.rpcs.m = map[RpcKey]*tally.Histogram{}
	s.created = creations()
	s.puts.began = now
	return s
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// Get counts messages handed out to a group in one answer.
func (s *Stats) Get(group, topic []byte, count, bytes int64) {
	var room [288]byte
	key := append(append(append(room[:0], topic...), '@'), group...)
	e := s.groupGet.get(key)
	e.nums.add(count, 1)
	e.size.add(bytes, 1)
	s.brokerGet.value.Add(count)
	s.getFound.Add(1)
	s.transferred.Add(count)
	if !meta.IsSystemTopicName(topic) {
		s.userGet.value.Add(count)
	}
}

// scheduleGroup is what stock calls whoever delivers delayed messages.
const scheduleGroup = "SCHEDULE_CONSUMER"

// Waits counts a message that was given back, in the topic in which it waits; the broker's own figures leave it out, as stock's do.
func (s *Stats) Waits(bytes int64) {
	e := s.topicPut.get([]byte(meta.ScheduleTopic))
	e.nums.add(1, 1)
	e.size.add(bytes, 1)
}

// Delivered counts a delayed message: out of the topic in which it waited, and into its own.
func (s *Stats) Delivered(topic []byte, bytes int64) {
	taken := s.groupGet.get(s.scheduled)
	taken.nums.add(1, 1)
	taken.size.add(bytes, 1)
	put := s.topicPut.get(topic)
	put.nums.add(1, 1)
	put.size.add(bytes, 1)
	put.kinds.add(Delay, 1, bytes)
	s.brokerPut.value.Add(1)
	if !meta.IsSystemTopicName(topic) {
		s.userPut.value.Add(1)
	}
}

// Miss counts a pull that found nothing.
func (s *Stats) Miss() { s.getMiss.Add(1) }

// NoteGetTime counts how long a read took.
func (s *Stats) NoteGetTime(d time.Duration) {
	ms := d.Milliseconds()
	for old := s.getTimeMaxMs.Load(); ms > old && !s.getTimeMaxMs.CompareAndSwap(old, ms); old = s.getTimeMaxMs.Load() {
	}
}

// SendBack counts a message that a group gave back.
func (s *Stats) SendBack(group, topic string) {
	s.sendBack.get([]byte(topic+"@"+group)).nums.add(1, 1)
	s.givenBack.get([]byte(group)).nums.add(1, 1)
}

// Find returns a figure's windows, the body of 315; false when it has never counted anything.
func (s *Stats) Find(name, key string) (remoting.BrokerStatsData, bool) {
	k := []byte(key)
	pick := func(set *set, size bool) (remoting.BrokerStatsData, bool) {
		e := set.find(k)
		if e == nil {
			return remoting.BrokerStatsData{}, false
		}
		if size {
			return e.size.data(), true
		}
		return e.nums.data(), true
	}
	switch name {
	case TopicPutNums, TopicPutSize:
		return pick(s.topicPut, name == TopicPutSize)
	case GroupGetNums, GroupGetSize:
		return pick(s.groupGet, name == GroupGetSize)
	case SendBackPutNums:
		return pick(s.sendBack, false)
	}
	if i := s.ofBroker(name); i != nil {
		return i.data(), key == s.cluster && i.value.Load() > 0
	}
	return remoting.BrokerStatsData{}, false
}

// ofBroker is the figure of the broker as a whole of that name, nil if there is none.
func (s *Stats) ofBroker(name string) *item {
	switch name {
	case BrokerPutNums:
		return &s.brokerPut
	case BrokerGetNums:
		return &s.brokerGet
	case UserPutNums:
		return &s.userPut
	case UserGetNums:
		return &s.userGet
	}
	return nil
}

// GroupGetTps is a group's messages per second in a topic over the last minute.
func (s *Stats) GroupGetTps(group, topic string) float64 {
	d, _ := s.Find(GroupGetNums, topic+"@"+group)
	return float64(d.StatsMinute.Tps)
}

// TopicPutTps is a topic's messages per second over the last minute.
func (s *Stats) TopicPutTps(topic string) float64 {
	d, _ := s.Find(TopicPutNums, topic)
	return float64(d.StatsMinute.Tps)
}

// DeleteTopic forgets the figures of a topic.
func (s *Stats) DeleteTopic(topic string) {
	for _, set := range []*set{s.topicPut, s.groupGet, s.sendBack, s.dead} {
		set.drop(ofTopic(topic))
	}
	s.edition.Add(1)
}

// DeleteGroup forgets the figures of a group.
func (s *Stats) DeleteGroup(group string) {
	s.groupGet.drop(ofGroup(group))
	s.sendBack.drop(ofGroup(group))
	s.dead.drop(ofGroup(group))
	s.givenBack.drop(func(key string) bool { return key == group })
}

// Sample is called once a second.
func (s *Stats) Sample(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rates.take(now, counts{put: s.brokerPut.value.Load(), found: s.getFound.Load(), miss: s.getMiss.Load(), transferred: s.transferred.Load()})
	due := func(last *time.Time, step time.Duration) bool {
		// A second's slack: ticks are not exact.
		if !last.IsZero() && now.Sub(*last) < step-time.Second/2 {
			return false
		}
		*last = now
		return true
	}
	minute, hour, day := due(&s.minute, minuteStep), due(&s.hour, hourStep), due(&s.day, dayStep)
	if minute || hour || day {
		for _, i := range []*item{&s.brokerPut, &s.brokerGet, &s.userPut, &s.userGet} {
			i.sample(now, minute, hour, day)
		}
		for _, set := range []*set{s.topicPut, s.groupGet, s.sendBack} {
			set.each(func(_ string, e *entry) {
				e.nums.sample(now, minute, hour, day)
				e.size.sample(now, minute, hour, day)
			})
		}
	}
	if m := midnight(now); m.After(s.today) {
		s.today = m
		s.put = mornings{s.put.today, s.userPut.value.Load()}
		s.got = mornings{s.got.today, s.userGet.value.Load()}
	}
}
