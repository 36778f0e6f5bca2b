// Package broker is the product's rules: what a send, a pull, a heartbeat, a lock or an operator's request does, with the codes
// and words of the reference broker.
//
// A request is served on its connection's event loop if it needs no disk, and on a worker otherwise (handlers.go tells which).
// A send is appended on the loop and its answer parked until the log's visible watermark has passed it (reply.go); a pull that
// finds nothing is held until its queue has more (hold.go). What all loops share is touched when a loop's turn ends, not for every
// message.
//
// Reading order: broker.go, role.go, inforce.go, tables.go, losttopics.go, leftover.go and room.go (what a broker is made of); handlers.go, bodies.go,
// sendqueue.go, send.go, sendrefused.go, memo.go, topics.go, reply.go (a message in); pull.go, pullchecks.go, filter.go, pullreaders.go, coldcontrol.go, coldheld.go, hold.go, held.go,
// wanters.go, putoff.go (a message out); offsets.go, client.go, lock.go, retry.go, sendback.go, query.go (what clients ask besides); register.go and registration.go (name
// servers); copies.go, copiestold.go, slave.go, group.go, masterhas.go, peer.go, returning.go, suggest.go, synchronizer.go, delaycopy.go, backup.go (pairs); usage.go, slowed.go,
// figures.go, slowlog.go, slowpull.go, scrape.go, agebook.go, scrapelag.go, unattended.go, pushing.go, health.go, lagwatch.go, lagsigns.go, lagages.go, lagslow.go, lagtold.go, laghook.go (what is seen of it), then
// the operators' requests in admin.go, admin_broker.go, admin_client.go, admin_cold.go, admin_group.go, admin_ha.go, admin_reset.go, admin_topic.go.
package broker
