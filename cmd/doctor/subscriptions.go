package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/cmd/ask"
)

// judgeSubscriptions compares what the members of a group subscribe to. All members of a group must subscribe to the same.
func (g *groupSeen) judgeSubscriptions() (all []Finding) {
	bySubscription := map[string][]string{}
	for _, m := range g.Members {
		if m.Info != nil {
			s := subscriptionText(m.Info, g.Name)
			bySubscription[s] = append(bySubscription[s], m.ID)
		}
	}
	if len(bySubscription) > 1 {
		var texts []string
		for _, s := range slices.Sorted(maps.Keys(bySubscription)) {
			texts = append(texts, fmt.Sprintf("%s: %s", list(bySubscription[s]), s))
		}
		all = append(all, broken("group", "subscriptions-differ", g.Name, "%s", strings.Join(texts, "; ")).
			because("the broker keeps the subscription that came last, for all: messages that the others want are skipped and counted as consumed",
				"give clients that want something else a group of their own"))
	}
	if models := g.models(); len(models) > 1 {
		var texts []string
		for _, m := range slices.Sorted(maps.Keys(models)) {
			texts = append(texts, m+": "+list(models[m]))
		}
		all = append(all, broken("group", "message-models-differ", g.Name, "%s", strings.Join(texts, "; ")).
			because("members that cluster share out queues also with those that broadcast, so that some messages are consumed by nobody else", "set the same MessageModel in all members, or give the others a group of their own"))
	}
	if g.Topic != "" && len(g.Members) > 0 && !g.subscribes(g.Topic) {
		all = append(all, broken("group", "topic-not-subscribed", g.Name, "its members subscribe to %s, not to %s", list(g.subscribed()), g.Topic).
			because("nothing of that topic is consumed", "subscribe to it in all members, or look at the spelling"))
	}
	return all
}

// models are the members by their message model, where they tell it.
func (g *groupSeen) models() map[string][]string {
	all := map[string][]string{}
	for _, m := range g.Members {
		if m.Info != nil && m.Info.Properties["messageModel"] != "" {
			model := m.Info.Properties["messageModel"]
			all[model] = append(all[model], m.ID)
		}
	}
	return all
}

// subscriptionText is what a member subscribes to, without the retries that every member has.
func subscriptionText(r *ask.RunningInfo, group string) string {
	var texts []string
	for _, s := range r.SubscriptionSet {
		if s.Topic == retryPrefix+group {
			continue
		}
		text := s.Topic + " " + s.SubString
		if s.ExpressionType != "" && s.ExpressionType != "TAG" {
			text += " (" + s.ExpressionType + ")"
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	if len(texts) == 0 {
		return "nothing"
	}
	return strings.Join(texts, ", ")
}

// subscribed are the topics that brokers have noted for the group.
func (g *groupSeen) subscribed() []string {
	all := map[string]bool{}
	for i := range g.Brokers {
		if c := g.Brokers[i].Consumers; c != nil {
			for topic := range c.SubscriptionTable {
				if topic != retryPrefix+g.Name {
					all[topic] = true
				}
			}
		}
	}
	if len(all) == 0 {
		return []string{"nothing"}
	}
	return slices.Sorted(maps.Keys(all))
}

func (g *groupSeen) subscribes(topic string) bool { return slices.Contains(g.subscribed(), topic) }
