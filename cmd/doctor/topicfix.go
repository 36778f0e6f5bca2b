package doctor

import (
	"cmp"
	"fmt"
	"strconv"

	"ringmq/netpoll/remoting"
)

// share is a topic's part on one broker, as a name server's route and the broker itself tell of it.
type share struct {
	topic   string
	q       remoting.QueueData // by the route
	master  string             // address by the route; "": it has none
	cluster string
	ordered bool     // the route has a list of the queues of ordered messages
	alone   bool     // no other broker has the topic
	at      *topicAt // nil: the broker does not have it, or does not tell
	names   []string // name servers
}

// addr is where the broker can be asked.
func (s *share) addr() string {
	if s.at != nil {
		return s.at.Addr
	}
	return s.master
}

func (s *share) perm() int32 {
	if s.at != nil {
		return s.at.Config.Perm
	}
	return s.q.Perm
}

// allow gives the topic a permission back. Where the broker has it, the route was told otherwise of the broker as a whole.
func (s *share) allow(perm int32) string {
	switch {
	case s.at == nil || s.at.Config.Perm&perm == 0:
		return adminCommand("updateTopicPerm", "-t", s.topic, "-b", s.addr(), "-p", strconv.Itoa(int(s.perm()|perm)))
	case perm == remoting.PermWrite:
		return "the broker was drained, or brokerPermission is without 2; when it is to be used again: " + reopenCommand(s.q.BrokerName, s.names)
	}
	return "brokerPermission of the broker is without 4: " + adminCommand("updateBrokerConfig", "-b", s.addr(), "-k", "brokerPermission", "-v", strconv.Itoa(int(remoting.PermRead|remoting.PermWrite)))
}

// reopenCommand has name servers send producers to a broker again.
func reopenCommand(broker string, names []string) string {
	return adminCommand("addWritePerm", append([]string{"-b", broker}, atNames(names)...)...)
}

// resize gives the topic so many queues and leaves the rest of it, which the command sets to defaults unless it is said. It is in words where
// that is not known, and where the command would list the queues of ordered messages for this broker alone: clients that are told such a list use
// no others.
func (s *share) resize(read, write int32) string {
	if command := s.resizeCommand(read, write); command != "" {
		return command
	}
	return fmt.Sprintf("give it %d queues to read and %d to write there, and leave the rest of it as it is", read, write)
}

func (s *share) resizeCommand(read, write int32) string {
	if s.at == nil || s.at.Config.Order && !s.ordered && !s.alone {
		return ""
	}
	c := s.at.Config
	words := []string{"-t", s.topic, "-b", s.at.Addr, "-r", strconv.Itoa(int(read)), "-w", strconv.Itoa(int(write)), "-p", strconv.Itoa(int(c.Perm))}
	if c.TopicSysFlag&1 != 0 {
		words = append(words, "-u", "true")
	}
	if c.TopicSysFlag&2 != 0 {
		words = append(words, "-s", "true")
	}
	if c.Order {
		words = append(append(words, "-o", "true"), atNames(s.names)...)
	}
	return adminCommand("updateTopic", words...)
}

// again is for a topic that a route lists and the broker does not have. It is taken out of the route only where no broker has it: that deletes
// it from all of a cluster.
func (s *share) again(anywhere bool) string {
	read, write := s.q.ReadQueueNums, s.q.WriteQueueNums
	if read == 0 || write == 0 {
		read, write = max(read, write, 1), max(read, write, 1)
	}
	perm := cmp.Or(s.q.Perm, remoting.PermRead|remoting.PermWrite)
	text := "make it there: " + adminCommand("updateTopic", "-t", s.topic, "-b", s.addr(), "-r", strconv.Itoa(int(read)), "-w", strconv.Itoa(int(write)), "-p", strconv.Itoa(int(perm)))
	if anywhere || s.cluster == "" {
		return text
	}
	return text + ", or take it out of the route: " + adminCommand("deleteTopic", append([]string{"-t", s.topic, "-c", s.cluster}, atNames(s.names)...)...)
}
