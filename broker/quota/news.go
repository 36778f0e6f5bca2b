package quota

import (
	"log/slog"
	"time"
)

// maxLines is how many lines one tick brings at most, whoever calls himself what.
const maxLines = 10

// news are what a tick has to say.
type news struct {
	events []event
	untold int
}

// event is a client that has come above a limit, or is below it again.
type event struct {
	client    string
	kind      Kind
	begins    bool
	perSecond int64 // what it used; at the end the most of any second
	limit     int64
	slowed    bool          // at the beginning: it has to wait
	lasted    time.Duration // at the end
}

func (n *news) add(e event) {
	if len(n.events) >= maxLines {
		n.untold++
		return
	}
	n.events = append(n.events, e)
}

func (n *news) say(logger *slog.Logger) {
	for _, e := range n.events {
		if e.begins {
			action := "log"
			if e.slowed {
				action = "limit"
			}
			logger.Warn("client is over its quota", "client", e.client, "key", e.kind.Key(), "limit", e.limit, "perSecond", e.perSecond, "action", action)
			continue
		}
		logger.Info("client is within its quota again", "client", e.client, "key", e.kind.Key(), "limit", e.limit, "mostPerSecond", e.perSecond,
			"seconds", int64(e.lasted/time.Second))
	}
	if n.untold > 0 {
		logger.Warn("more clients came over their quotas, or within them again, than are named", "untold", n.untold)
	}
}
