package metrics

import "ringmq/broker/quota"

// maxClients is how many clients have series of their own, and fewer if metricsTopK says so: their names change with every start of theirs.
const maxClients = 100

// clients shows who uses most at the moment, and who uses more than one may.
func (c *Collector) clients() {
	c.counter("ringmq_connections_turned_away_total", c.f.Net.TurnedAway, "all")
	c.counter("ringmq_connections_turned_away_total", c.f.Net.TurnedAwayOfHost, "host")
	for kind, n := range c.f.OverQuota {
		c.gauge("ringmq_clients_over_quota", float64(n), kind)
	}
	for request, n := range c.f.QuotaWaits {
		c.counter("ringmq_quota_waits_total", n, request)
	}
	if c.f.EachClient == nil || !c.shows("ringmq_client_sent_messages_total") {
		return
	}
	t := c.users
	t.begin()
	c.f.EachClient(func(name string, bytesPerSecond int64, used *quota.Counts) {
		t.values = append(t.values, bytesPerSecond)
		t.values = append(t.values, used[:]...)
		t.add(key{name: name})
	})
	show := func(r row, client string) {
		used := r.vals[1:] // they compete with what they move now
		c.counter("ringmq_client_sent_messages_total", used[quota.SendMessages], client)
		c.counter("ringmq_client_sent_bytes_total", used[quota.SendBytes], client)
		c.counter("ringmq_client_pulled_bytes_total", used[quota.PullBytes], client)
	}
	own, rest := t.split()
	for _, r := range own {
		show(r, r.name)
	}
	for _, r := range rest {
		show(r, Others)
	}
}
