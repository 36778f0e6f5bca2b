package member

import (
	"slices"

	"ringmq/netpoll/remoting"
)

// Consume types and message models as clients name them.
const (
	ConsumeActively  = "CONSUME_ACTIVELY"
	ConsumePassively = "CONSUME_PASSIVELY"
	Clustering       = "CLUSTERING"
	Broadcasting     = "BROADCASTING"
)

// Group is a consumer group as it was at one moment. It does not change.
type Group struct {
	Name             string
	ConsumeType      string
	MessageModel     string
	ConsumeFromWhere string
	subscriptions    map[string]*Subscription
	bytes            int // that they take
}

// Subscription is what a group wants of a topic. It does not change.
type Subscription struct {
	remoting.SubscriptionData         // as a client wrote it, and as others are told
	Wanted                    []int32 // its CodeSet in order, each once
}

func newSubscription(d *remoting.SubscriptionData) *Subscription {
	codes := slices.Clone([]int32(d.CodeSet))
	slices.Sort(codes)
	return &Subscription{SubscriptionData: *d, Wanted: slices.Clone(slices.Compact(codes))}
}

// Subscriptions returns what the group wants by topic. It must not be changed.
func (g *Group) Subscriptions() map[string]*Subscription { return g.subscriptions }
