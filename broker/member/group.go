package member

import "ringmq/netpoll/remoting"

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
	subscriptions    map[string]*remoting.SubscriptionData
}

// Subscriptions returns what the group wants by topic. It must not be changed.
func (g *Group) Subscriptions() map[string]*remoting.SubscriptionData { return g.subscriptions }
