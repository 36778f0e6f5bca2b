// Package broker is the product's rules: what a send, a pull, a heartbeat, a lock or an operator's request does, with the codes
// and words of the reference broker.
//
// A request is served on its connection's event loop if it needs no disk, and on a worker otherwise (handlers.go tells which).
// A send is appended on the loop and its answer parked until the log's visible watermark has passed it (reply.go); a pull that
// finds nothing is held until its queue has more (hold.go). What all loops share is touched when a loop's turn ends, not for every
// message.
//
// Reading order: broker.go, losttopics.go, inforce.go, handlers.go, sendqueue.go, send.go, memo.go, topics.go, reply.go, pull.go, pullreaders.go, coldcontrol.go, coldheld.go, hold.go, held.go, putoff.go, usage.go, slowed.go,
// offsets.go, client.go, lock.go, retry.go, sendback.go, query.go, register.go, figures.go, slowlog.go, slowpull.go, scrape.go, scrapelag.go, pushing.go, health.go,
// then the operators' requests in admin_*.go.
package broker
