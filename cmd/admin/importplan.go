package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// plan compares the document with what is there. Topics and groups come before progress, which brokers refuse without them.
func (im *importer) plan(ctx context.Context) error {
	for _, t := range im.targets {
		im.planTopics(t)
		im.planGroups(t)
	}
	im.planOrder(ctx)
	if im.mode == offsetsNone {
		return nil
	}
	return im.planOffsets(ctx)
}

func (im *importer) add(st step) { im.steps = append(im.steps, st) }

// standing says for an entry of the document whether a target stands for its broker, and whether nobody does.
func (im *importer) standing(t *importTarget, broker string) (own, nobody bool) {
	_, stood := im.names[broker]
	return t.sources[broker], !stood
}

// topicsFor are the topics that a target is to have: those of the brokers that it stands for, and those of brokers that nobody stands
// for. One that stands for none gets all. Of several that have a topic, the first by name counts.
func (im *importer) topicsFor(t *importTarget) map[string]*remoting.TopicConfig {
	all := map[string]*remoting.TopicConfig{}
	for _, first := range []bool{true, false} {
		for _, e := range im.doc.Topics {
			own, nobody := im.standing(t, e.Broker)
			if all[e.Config.TopicName] == nil && own == first && (own || nobody || len(t.sources) == 0) && im.pick.topic(e.Config.TopicName) {
				all[e.Config.TopicName] = e.Config
			}
		}
	}
	return all
}

// groupsFor are the groups that a target is to have: all, since every member asks every broker.
func (im *importer) groupsFor(t *importTarget) map[string]*remoting.SubscriptionGroupConfig {
	all := map[string]*remoting.SubscriptionGroupConfig{}
	for _, first := range []bool{true, false} {
		for _, e := range im.doc.Groups {
			if own, _ := im.standing(t, e.Broker); all[e.Config.GroupName] == nil && own == first && im.pick.group(e.Config.GroupName) {
				all[e.Config.GroupName] = e.Config
			}
		}
	}
	return all
}

// compare makes a step of what is wanted and what is there. differ: in what; "" while they are the same.
func (im *importer) compare(st step, there bool, differ string, do func(ctx context.Context) error) step {
	switch {
	case !there:
		st.state, st.do = stepCreate, do
	case differ == "":
		st.state, st.detail = stepEqual, ""
	case im.overwrite:
		st.state, st.detail, st.do = stepChange, differ, do
	default:
		st.state, st.detail = stepKept, differ
	}
	return st
}

func (im *importer) planTopics(t *importTarget) {
	wanted := im.topicsFor(t)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		want, here := wanted[name], t.topics[name]
		st := step{what: "topic", broker: t.name, name: name}
		if t.system[name] {
			st.state, st.detail = stepLeft, "the broker has a topic of this name by itself"
			im.add(st)
			continue
		}
		st.detail = fmt.Sprintf("%d queues to read, %d to write, %s", want.ReadQueueNums, want.WriteQueueNums, permName(want.Perm))
		differ, attributes := "", map[string]string(nil)
		if here != nil {
			differ, attributes = differences(here, want), here.Attributes
		}
		st = im.compare(st, here != nil, differ, func(ctx context.Context) error {
			return im.s.putTopic(ctx, t.addr, want, attributesText(attributeChanges(attributes, want.Attributes)))
		})
		if t.wants[name] = want; st.state == stepKept {
			t.wants[name] = here
		}
		im.add(st)
	}
}

func (im *importer) planGroups(t *importTarget) {
	wanted := im.groupsFor(t)
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		want, here := wanted[name], t.groups[name]
		differ, attributes := "", map[string]string(nil)
		if here != nil {
			differ, attributes = differences(here, want), here.Attributes
		}
		st := step{what: "group", broker: t.name, name: name}
		im.add(im.compare(st, here != nil, differ, func(ctx context.Context) error {
			changed := *want
			changed.Attributes = attributeChanges(attributes, want.Attributes)
			return im.s.putGroup(ctx, t.addr, &changed)
		}))
		t.willHave(name)
	}
}

// willHave notes that the group is there when all is done.
func (t *importTarget) willHave(group string) {
	if _, there := t.groups[group]; !there {
		if t.groups == nil {
			t.groups = map[string]*remoting.SubscriptionGroupConfig{}
		}
		t.groups[group] = nil
	}
}

// putGroup is request 200. Attributes are changes of them.
func (s *Session) putGroup(ctx context.Context, addr string, g *remoting.SubscriptionGroupConfig) error {
	body, err := json.Marshal(g)
	if err != nil {
		return err
	}
	req := ask.Request(remoting.CodeUpdateAndCreateSubscriptiongroup)
	req.Body = body
	_, err = s.call(ctx, addr, req)
	return err
}

// attributeChanges are what makes attributes those that are wanted: "+key" with its value, "-key".
func attributeChanges(here, want map[string]string) map[string]string {
	changes := map[string]string{}
	for k, v := range want {
		if before, there := here[k]; !there || before != v {
			changes["+"+k] = v
		}
	}
	for k := range here {
		if _, stays := want[k]; !stays {
			changes["-"+k] = ""
		}
	}
	return changes
}

// attributesText writes changes as a request of a topic has them.
func attributesText(changes map[string]string) string {
	var words []string
	for _, p := range pairsOf(changes) {
		if p.key[0] == '+' {
			p.key += "=" + p.value
		}
		words = append(words, p.key)
	}
	return strings.Join(words, ",")
}

// differences says in which members two things of a type differ; "" where they do not. What is empty is as good as not there.
func differences(here, want any) string {
	h, w := members(here), members(want)
	keys := maps.Clone(h)
	maps.Copy(keys, w)
	var words []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if !reflect.DeepEqual(h[k], w[k]) {
			words = append(words, fmt.Sprintf("%s is %s, in the file %s", k, toJSON(h[k]), toJSON(w[k])))
		}
	}
	return strings.Join(words, "; ")
}

// members are those of a value's JSON that are not empty.
func members(v any) map[string]any {
	var all map[string]any
	if err := json.Unmarshal([]byte(toJSON(v)), &all); err != nil {
		panic(err) // it was just written
	}
	maps.DeleteFunc(all, func(_ string, v any) bool {
		switch v := v.(type) {
		case nil:
			return true
		case string:
			return v == ""
		case []any:
			return len(v) == 0
		case map[string]any:
			return len(v) == 0
		}
		return false
	})
	return all
}

// planOrder is about the queues of ordered topics, which name servers keep by the names of brokers.
func (im *importer) planOrder(ctx context.Context) {
	if len(im.doc.Order) == 0 {
		return
	}
	table, err := im.s.orderTable(ctx)
	for _, topic := range slices.Sorted(maps.Keys(im.doc.Order)) {
		if !im.pick.topic(topic) {
			continue
		}
		st := step{what: "order", broker: "name servers", name: topic}
		conf, stranger := im.orderHere(im.doc.Order[topic])
		switch {
		case err != nil:
			st.state, st.detail = stepLeft, err.Error()
		case stranger != "":
			st.state, st.detail = stepLeft, fmt.Sprintf("no broker here stands for %s of %s: say which with --brokers, or set it with updateOrderConf", stranger, im.doc.Order[topic])
		default:
			here, differ := table[topic], ""
			if here != conf {
				differ = fmt.Sprintf("it is %s, in the file %s", here, conf)
			}
			st.detail = conf
			st = im.compare(st, here != "", differ, func(ctx context.Context) error { return im.s.putKV(ctx, orderTopics, topic, conf) })
		}
		im.add(st)
	}
}

// orderHere puts the brokers that are here into a topic's queues. stranger: a broker that nobody here stands for.
func (im *importer) orderHere(conf string) (here, stranger string) {
	var words []string
	for _, word := range strings.Split(conf, ";") {
		if word == "" {
			continue
		}
		name, queues, _ := strings.Cut(word, ":")
		to, stood := im.names[name]
		if !stood {
			return "", name
		}
		words = append(words, to+":"+queues)
	}
	return strings.Join(words, ";"), ""
}
