package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// planOffsets plans the progress of every group in every topic of the document that a target has.
func (im *importer) planOffsets(ctx context.Context) error {
	all := map[groupTopic][]transferOffset{}
	orphans := map[string]int{}
	for _, e := range im.doc.Offsets {
		if !im.pick.group(e.Group) || !im.pick.topic(e.Topic) {
			continue
		}
		k := groupTopic{e.Group, e.Topic}
		all[k] = append(all[k], e)
		if _, stood := im.names[e.Broker]; !stood {
			orphans[e.Broker]++
		}
	}
	keys := slices.SortedFunc(maps.Keys(all), func(a, b groupTopic) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.topic, b.topic))
	})
	for _, t := range im.targets {
		for i := range im.s.counted("progress of groups", len(keys)) {
			k := keys[i]
			if t.wants[k.topic] == nil {
				continue // another target has it
			}
			if err := im.planProgress(ctx, t, k, all[k]); err != nil {
				return err
			}
		}
	}
	if im.mode == offsetsExact {
		for _, name := range slices.Sorted(maps.Keys(orphans)) {
			im.add(step{what: "offset", state: stepLeft, broker: name, name: fmt.Sprintf("%d offsets", orphans[name]),
				detail: "no broker here stands for this one of the file: say which with --brokers, or take --offsets time"})
		}
	}
	return nil
}

// planProgress plans where a group is to go on in the queues of a topic at a target.
func (im *importer) planProgress(ctx context.Context, t *importTarget, k groupTopic, entries []transferOffset) error {
	if _, there := t.groups[k.group]; !there {
		im.add(step{what: "offset", state: stepLeft, broker: t.name, name: k.group + " " + k.topic, detail: "the group is neither here nor in the file"})
		return nil
	}
	if im.mode == offsetsTime {
		return im.planByTime(ctx, t, k, entries)
	}
	own := map[int32][]transferOffset{}
	for _, e := range entries {
		if t.sources[e.Broker] {
			own[e.QueueID] = append(own[e.QueueID], e)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(own)) {
		if len(own[id]) > 1 {
			im.add(im.offsetStep(t, k, id, stepLeft, "several brokers of the file have this queue: take --offsets time"))
			continue
		}
		offset := own[id][0].Offset
		low, high, err := im.bounds(ctx, t, k.topic, id)
		switch {
		case err != nil:
			return err
		case id >= queueCount(t.wants[k.topic]):
			im.add(im.offsetStep(t, k, id, stepLeft, fmt.Sprintf("the topic has %d queues here", queueCount(t.wants[k.topic]))))
		case offset < low || offset > high:
			im.add(im.offsetStep(t, k, id, stepLeft, fmt.Sprintf("offset %d is not in the queue, which goes from %d to %d here: take --offsets time", offset, low, high)))
		default:
			im.add(im.setOffset(ctx, t, k, id, offset, ""))
		}
	}
	return nil
}

// planByTime looks up offsets by time, for all queues by the same: the earliest of the group in the topic, less the margin. Which message went
// to which queue is decided anew in another cluster, and a queue without progress in the file, or here, may have any of those that are still
// to be consumed.
func (im *importer) planByTime(ctx context.Context, t *importTarget, k groupTopic, entries []transferOffset) error {
	first := slices.MinFunc(entries, func(a, b transferOffset) int { return cmp.Compare(a.StoreTimestamp, b.StoreTimestamp) })
	if first.StoreTimestamp == 0 {
		im.add(step{what: "offset", state: stepLeft, broker: t.name, name: k.group + " " + k.topic, detail: fmt.Sprintf(
			"the file does not say when the next message of queue %d of %s was stored: it may be earlier than those of all other queues", first.QueueID, first.Broker)})
		return nil
	}
	at := max(first.StoreTimestamp-im.margin.Milliseconds(), 0)
	how := fmt.Sprintf(", by the earliest time in the topic, %s, less %s", stampSeconds(first.StoreTimestamp), im.margin)
	for id := range queueCount(t.wants[k.topic]) {
		_, high, err := im.bounds(ctx, t, k.topic, id)
		if err != nil {
			return err
		}
		offset := int64(0)
		if high > 0 {
			if offset, err = im.s.offsetAt(ctx, t.addr, k.topic, strconv.Itoa(int(id)), at); err != nil {
				return err
			}
		}
		im.add(im.setOffset(ctx, t, k, id, max(offset, 0), how))
	}
	return nil
}

func queueCount(c *remoting.TopicConfig) int32 { return max(c.ReadQueueNums, c.WriteQueueNums) }

// bounds are where a queue of the target begins and ends. One that is yet to be made is empty.
func (im *importer) bounds(ctx context.Context, t *importTarget, topic string, id int32) (low, high int64, err error) {
	if t.topics[topic] == nil {
		return 0, 0, nil
	}
	if t.stats[topic] == nil {
		if t.stats[topic], err = im.s.queueStats(ctx, t.addr, topic); err != nil {
			return 0, 0, err
		}
	}
	q := t.stats[topic][id]
	return max(q.MinOffset, 0), max(q.MaxOffset, 0), nil
}

func (im *importer) offsetStep(t *importTarget, k groupTopic, id int32, state stepState, detail string) step {
	return step{what: "offset", state: state, broker: t.name, name: fmt.Sprintf("%s %s queue %d", k.group, k.topic, id), detail: detail}
}

// setOffset compares an offset with the group's progress. That of a group with members is theirs: they know better, and the next one
// that says how far it is would undo it.
func (im *importer) setOffset(ctx context.Context, t *importTarget, k groupTopic, id int32, offset int64, how string) step {
	here, there := t.progress[k.topic+"@"+k.group][id]
	differ := ""
	if here != offset {
		differ = fmt.Sprintf("from %d to %d%s", here, offset, how)
	}
	st := im.compare(im.offsetStep(t, k, id, "", fmt.Sprintf("%d%s", offset, how)), there, differ, func(ctx context.Context) error {
		if err := im.s.stillStopped(ctx, t, k.group); err != nil {
			return err
		}
		return im.s.setProgress(ctx, t.addr, k.group, remoting.MessageQueue{Topic: k.topic, BrokerName: t.name, QueueID: id}, offset)
	})
	if st.do == nil {
		return st
	}
	if who, err := im.s.membersOf(ctx, t, k.group); err != nil {
		st.do, st.state, st.detail = nil, stepLeft, st.detail+"; whether the group has members is not known: "+err.Error()
	} else if len(who) > 0 {
		st.do, st.state = nil, stepLeft
		st.detail += "; " + connectedText(who)
	}
	return st
}

// membersOf are the ids of a group's members that are connected to a target.
func (s *Session) membersOf(ctx context.Context, t *importTarget, group string) ([]string, error) {
	if t.groups[group] == nil {
		return nil, nil // it is yet to be made
	}
	if who, asked := t.members[group]; asked {
		return who, nil
	}
	who, err := s.membersAt(ctx, t.addr, group)
	if err == nil {
		t.members[group] = who
	}
	return who, err
}

// membersAt asks a broker for the ids of a group's members.
func (s *Session) membersAt(ctx context.Context, addr, group string) (who []string, err error) {
	c, err := s.ask.Consumers(ctx, addr, group)
	switch {
	case ask.CodeOf(err) == remoting.RespConsumerNotOnline:
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, m := range c.ConnectionSet {
		who = append(who, m.ClientID)
	}
	slices.Sort(who)
	return who, nil
}

func connectedText(who []string) string {
	return fmt.Sprintf("%d members are connected, %s: stop them first, or use resetOffsetByTime", len(who), strings.Join(who[:min(len(who), 3)], ", "))
}

// stillStopped asks for a group's members again, right before its progress at a target is set for the first time: between the plan and that, all
// that comes before was done, and somebody may have started them.
func (s *Session) stillStopped(ctx context.Context, t *importTarget, group string) error {
	err, asked := t.stopped[group]
	if asked {
		return err
	}
	who, err := s.membersAt(ctx, t.addr, group)
	switch {
	case err != nil:
		err = fmt.Errorf("whether the group has members is not known: %w", err)
	case len(who) > 0:
		err = errors.New(connectedText(who))
	}
	t.stopped[group] = err
	return err
}

// setProgress is commit that notices when the broker does not take it.
func (s *Session) setProgress(ctx context.Context, addr, group string, q remoting.MessageQueue, offset int64) error {
	resp, err := s.call(ctx, addr, ask.Request(remoting.CodeUpdateConsumerOffset, "consumerGroup", group, "topic", q.Topic, "queueId", strconv.Itoa(int(q.QueueID)),
		"commitOffset", strconv.FormatInt(offset, 10)))
	if err == nil && strings.Contains(string(resp.Remark), "previously reset") {
		err = fmt.Errorf("%s: %w", addr, errReset)
	}
	return err
}
