package member

// EachConsumer calls fn with every client of every consumer group, and how the group consumes. fn must be short. Any goroutine.
func (c *consumers) EachConsumer(fn func(group, consumeType string, client *Client)) {
	c.eachGroup(func(name string, g *consumerGroup) {
		for _, m := range g.members {
			fn(name, g.view.Load().ConsumeType, &m.Client)
		}
	})
}

// EachProducer calls fn with every client of every producer group. fn must be short. Any goroutine.
func (p *producers) EachProducer(fn func(group string, client *Client)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for group, members := range p.groups {
		for _, m := range members {
			fn(group, &m.Client)
		}
	}
}

// Online lists the consumer groups that have members, as they are. Any goroutine.
func (c *consumers) Online() []*Group {
	var all []*Group
	c.eachGroup(func(_ string, g *consumerGroup) { all = append(all, g.view.Load()) })
	return all
}
