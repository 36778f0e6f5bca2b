package admin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// Session is who is asked in one run of a command.
type Session struct {
	ask      *ask.Asker
	timeout  time.Duration // ask's
	names    []string
	now      func() time.Time
	wait     func(ctx context.Context, d time.Duration) error
	bodyDir  string
	progress func(what string, done, total int64)
	steps    func(all []Step)
	stop     func(ctx context.Context, addr string) (string, error)
}

// redial forgets all connections, for a command that goes on after servers were away.
func (s *Session) redial() {
	s.ask.Close()
	s.ask = ask.New(s.timeout)
}

// counted goes through 0 to n-1 and tells how far that is, its end included. A loop that is left early tells no end, and one without a
// name nothing.
func (s *Session) counted(what string, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		tell := func(done int) {
			if what != "" {
				s.progress(what, int64(done), int64(n))
			}
		}
		for i := range n {
			if tell(i); !yield(i) {
				return
			}
		}
		tell(n)
	}
}

// atOnce is how many questions of one kind ahead has under way.
const atOnce = 8

// ahead is counted over all, with the answers to look in their order; the next few are asked while one is being used. look is called by
// goroutines of its own, and none of them is there any more when the loop has ended.
func ahead[I, O any](s *Session, what string, all []I, look func(I) (O, error)) iter.Seq2[O, error] {
	type answer struct {
		o   O
		err error
	}
	return func(yield func(O, error) bool) {
		var under sync.WaitGroup
		defer under.Wait()
		answers, asked := make([]answer, len(all)), make([]chan struct{}, 0, len(all))
		for i := range s.counted(what, len(all)) {
			for n := len(asked); n < min(i+atOnce, len(all)); n++ {
				done := make(chan struct{})
				asked = append(asked, done)
				under.Go(func() {
					defer close(done)
					answers[n].o, answers[n].err = look(all[n])
				})
			}
			<-asked[i]
			if !yield(answers[i].o, answers[i].err) {
				return
			}
		}
	}
}

// call asks one server; an error says which.
func (s *Session) call(ctx context.Context, addr string, req *remoting.Command) (*remoting.Command, error) {
	resp, err := s.ask.Call(ctx, addr, req)
	if err != nil {
		return resp, fmt.Errorf("%s: %w", addr, err)
	}
	return resp, nil
}

// body is call for an answer whose body is JSON.
func (s *Session) body(ctx context.Context, addr string, req *remoting.Command, v any) error {
	_, err := s.ask.Body(ctx, addr, req, v)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return nil
}

// fromNames asks one name server after the other until one answers, whatever it answers.
func (s *Session) fromNames(ctx context.Context, req *remoting.Command, v any) error {
	var errs []error
	for _, addr := range s.names {
		err := s.body(ctx, addr, req, v)
		if err == nil || ask.CodeOf(err) != -1 {
			return err
		}
		errs = append(errs, fmt.Errorf("name server %w", err))
	}
	if len(errs) == 0 {
		return errors.New("no name server: give one with -n, or in NAMESRV_ADDR")
	}
	return errors.Join(errs...)
}

// atNames asks every name server, and goes on after one that fails.
func (s *Session) atNames(fn func(addr string) error) error {
	if len(s.names) == 0 {
		return errors.New("no name server: give one with -n, or in NAMESRV_ADDR")
	}
	return each(s.names, fn)
}

// each goes on after one that fails.
func each(addrs []string, fn func(addr string) error) error {
	var errs []error
	for _, addr := range addrs {
		if err := fn(addr); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// cluster is request 106.
func (s *Session) cluster(ctx context.Context) (*remoting.ClusterInfo, error) {
	var c remoting.ClusterInfo
	if err := s.fromNames(ctx, ask.Request(remoting.CodeGetBrokerClusterInfo), &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// route is request 105; brokers and queues come in the order of their names.
func (s *Session) route(ctx context.Context, topic string) (*remoting.TopicRouteData, error) {
	var r remoting.TopicRouteData
	err := s.fromNames(ctx, ask.Request(remoting.CodeGetRouteinfoByTopic, "topic", topic, "acceptStandardJsonOnly", "true"), &r)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.BrokerDatas, func(a, b remoting.BrokerData) int { return strings.Compare(a.BrokerName, b.BrokerName) })
	slices.SortStableFunc(r.QueueDatas, func(a, b remoting.QueueData) int { return strings.Compare(a.BrokerName, b.BrokerName) })
	return &r, nil
}

// topics is request 206.
func (s *Session) topics(ctx context.Context) ([]string, error) {
	var t remoting.TopicList
	if err := s.fromNames(ctx, ask.Request(remoting.CodeGetAllTopicListFromNameserver), &t); err != nil {
		return nil, err
	}
	slices.Sort(t.TopicList)
	return t.TopicList, nil
}

const masterID = 0

// addrOf is where a broker is asked: its master, or any slave while there is none. "": nowhere.
func addrOf(b *remoting.BrokerData) string {
	if addr := b.BrokerAddrs[masterID]; addr != "" {
		return addr
	}
	if ids := slices.Sorted(maps.Keys(b.BrokerAddrs)); len(ids) > 0 {
		return b.BrokerAddrs[ids[rand.IntN(len(ids))]]
	}
	return ""
}

// addrsOf are the brokers of a route, each asked once; cluster "": of all clusters.
func addrsOf(r *remoting.TopicRouteData, cluster string) (addrs []string) {
	for i := range r.BrokerDatas {
		b := &r.BrokerDatas[i]
		if addr := addrOf(b); addr != "" && (cluster == "" || cluster == b.Cluster) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// brokersIn are the brokers of a cluster by name.
func brokersIn(c *remoting.ClusterInfo, cluster string) ([]*remoting.BrokerData, error) {
	names, ok := c.ClusterAddrTable[cluster]
	if !ok {
		return nil, fmt.Errorf("there is no cluster %s; the name server knows %s", cluster, strings.Join(slices.Sorted(maps.Keys(c.ClusterAddrTable)), ", "))
	}
	var all []*remoting.BrokerData
	for _, name := range slices.Sorted(slices.Values(names)) {
		if b := c.BrokerAddrTable[name]; b != nil {
			all = append(all, b)
		}
	}
	return all, nil
}

// Which brokers of a cluster are meant.
type which int

const (
	masters which = iota
	mastersAndSlaves
)

// targets are the brokers that -b or -c name. A broker may be given by its name too, which means its master.
func (s *Session) targets(ctx context.Context, a Args, w which) ([]string, error) {
	broker, cluster := a["brokerAddr"], a["clusterName"]
	switch {
	case broker != "":
		addr, err := s.brokerAt(ctx, broker)
		return []string{addr}, err
	case cluster == "":
		return nil, errors.New("which broker? Give one with -b host:port, or all of a cluster with -c CLUSTER")
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return nil, err
	}
	brokers, err := brokersIn(c, cluster)
	if err != nil {
		return nil, err
	}
	var addrs, slaves []string
	for _, b := range brokers {
		slaves = append(slaves, slavesOf(b)...)
		for _, id := range slices.Sorted(maps.Keys(b.BrokerAddrs)) {
			if id == masterID || w == mastersAndSlaves {
				addrs = append(addrs, b.BrokerAddrs[id])
			}
		}
	}
	switch {
	case len(addrs) > 0:
	case len(slaves) > 0:
		return nil, fmt.Errorf("no master of cluster %s is registered, only %s", cluster, strings.Join(slaves, ", "))
	default:
		return nil, fmt.Errorf("no broker of cluster %s is registered", cluster)
	}
	return addrs, nil
}

// brokerAt is the address of a broker that is given by it, or by its name.
func (s *Session) brokerAt(ctx context.Context, given string) (string, error) {
	if strings.Contains(given, ":") {
		return given, nil
	}
	return s.brokerNamed(ctx, given)
}

// brokerNamed is the address of the master with a name.
func (s *Session) brokerNamed(ctx context.Context, name string) (string, error) {
	c, err := s.cluster(ctx)
	if err != nil {
		return "", err
	}
	b := c.BrokerAddrTable[name]
	if b == nil {
		return "", fmt.Errorf("there is no broker %s; the name server knows %s", name, strings.Join(slices.Sorted(maps.Keys(c.BrokerAddrTable)), ", "))
	}
	if addr := b.BrokerAddrs[masterID]; addr != "" {
		return addr, nil
	}
	return "", masterless(b, name)
}

// masterless is what is wrong with a broker that only slaves are registered of.
func masterless(b *remoting.BrokerData, name string) error {
	return fmt.Errorf("no master of broker %s is registered, only %s", name, strings.Join(slavesOf(b), ", "))
}

// slavesOf names the slaves of a broker for a sentence.
func slavesOf(b *remoting.BrokerData) (all []string) {
	for _, id := range slices.Sorted(maps.Keys(b.BrokerAddrs)) {
		if id != masterID {
			all = append(all, fmt.Sprintf("the slave %s/%d at %s", b.BrokerName, id, b.BrokerAddrs[id]))
		}
	}
	return all
}

// replica is a broker that belongs to a master, for commands that list both.
type replica struct {
	addr, master string // master "": it is one itself
}

// title is how stock heads what one broker answered.
func (r replica) title() string {
	if r.master == "" {
		return fmt.Sprintf("============Master: %s============\n", r.addr)
	}
	return fmt.Sprintf("============My Master: %s=====Slave: %s============\n", r.master, r.addr)
}

// replicas are the brokers that -b or -c name, masters before their slaves, and how each is headed.
func (s *Session) replicas(ctx context.Context, a Args) (all []replica, titles []string, err error) {
	if a["brokerAddr"] != "" {
		addrs, err := s.targets(ctx, a, masters)
		if err != nil {
			return nil, nil, err
		}
		return []replica{{addr: addrs[0]}}, []string{fmt.Sprintf("============%s============\n", addrs[0])}, nil
	}
	if a["clusterName"] == "" {
		_, err := s.targets(ctx, a, masters)
		return nil, nil, err
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return nil, nil, err
	}
	brokers, err := brokersIn(c, a["clusterName"])
	if err != nil {
		return nil, nil, err
	}
	for _, b := range brokers {
		master := b.BrokerAddrs[masterID]
		for _, id := range slices.Sorted(maps.Keys(b.BrokerAddrs)) {
			r := replica{addr: b.BrokerAddrs[id]}
			if id != masterID {
				if r.master = master; master == "" {
					r.master = "NO_MASTER"
				}
			}
			all, titles = append(all, r), append(titles, r.title())
		}
	}
	return all, titles, nil
}
