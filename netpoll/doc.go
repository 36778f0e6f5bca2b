// Package netpoll turns sockets into requests and replies into sockets. Each event loop decodes all complete frames of a
// readable event in place and hands them to the handler inline; what the handler answers, then or later, leaves in one write
// per connection.
//
// Back-pressure is a pause: a connection whose handler says Hold, whose peer does not read, or that asks for more than the
// memory budget is no longer read from until the reason is gone. gnet would go on reading into an unbounded buffer, so the
// pause is made on the loop's own epoll descriptor (pause.go).
//
// Reading order: options.go (the contract), server.go (start, sweep, shutdown), quiet.go (loops that need no sweep), listen.go, gate.go (who may ask), engine.go (gnet, and what happens
// when it ends by itself), door.go (how many connections there may be), loop.go (one event loop), bell.go (how the kernel wakes it), tick.go (whether it turns), linger.go (how it waits), conn.go (one connection), promise.go (tasks that must not be forgotten), frames.go (bytes to requests), pause.go,
// budget.go (who is paused, and when it goes on), taken.go (when an answer has left), request.go (server to client), workers.go (slow work), client.go and
// lines.go (outbound connections), words.go and seldom.go (what is said of them, and how often).
package netpoll
