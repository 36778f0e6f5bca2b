package broker

import (
	"fmt"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// What is longer than this, or has more values, is decoded by a worker: everybody else on the loop would wait for it. Requests of clients
// are shorter as a rule.
const (
	maxLoopBody   = 16 << 10
	maxLoopValues = 1000
)

// What has more than this is not decoded at all: in memory an empty object takes a hundred times its text.
const (
	maxBodyObjects = 1 << 16
	maxBodyValues  = 1 << 20
)

// maxDecoded is how many long bodies are decoded at a time.
const maxDecoded = 2

// bySize serves a request with small on the loop or, if its body is long, with large on a worker. Requests of a connection may overtake
// such a one, as they may on stock, whose threads take them as they come.
func (b *Broker) bySize(small, large onWorker) onLoop {
	quick := b.quick(small)
	return func(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
		if len(req.Body) <= maxLoopBody {
			if _, values := remoting.CountJSON(req.Body); values <= maxLoopValues {
				return quick(c, req)
			}
		}
		return b.serveOn(b.decoders, c, req, func(c *netpoll.Conn, own *remoting.Command) answer {
			if objects, values := remoting.CountJSON(own.Body); objects > maxBodyObjects || values > maxBodyValues {
				return fail(remoting.RespSystemError, fmt.Sprintf("the body has %d objects and %d values; it may have %d and %d", objects, values, maxBodyObjects, maxBodyValues))
			}
			return large(c, own)
		})
	}
}
