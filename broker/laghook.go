package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"ringmq/broker/lag"
)

// tell counts alarms, logs them, and hands them to the webhook.
func (w *lagWatch) tell(news []lag.Alarm) {
	for i := range news {
		a := &news[i]
		level, text, count := slog.LevelWarn, "consumers lag", &w.begun
		if !a.Cleared.IsZero() {
			level, text, count = slog.LevelInfo, "consumers no longer lag", &w.ended
		}
		count.Add(1)
		w.b.logger.Log(context.Background(), level, text, "group", a.Group, "topic", a.Topic, "messages", a.Diff, "behindMs", a.BehindMs, "inTps", a.In, "outTps", a.Out,
			"members", a.Members, "cause", a.Cause, "evidence", a.Evidence)
		if w.hook != nil {
			w.hook.put(lagNews{Broker: w.b.name, Cluster: w.b.cluster, Alarm: *a})
		}
	}
}

// lagNews is the body of a request to the webhook.
type lagNews struct {
	Event   string `json:"event"` // raised or cleared
	Cluster string `json:"cluster"`
	Broker  string `json:"broker"`
	lag.Alarm
}

// lagHook posts alarms to a URL, one after the other. What it cannot deliver in a few tries it logs and drops: alarms are in the log
// anyway, and an endpoint that is down must not hold anything up.
type lagHook struct {
	url    string
	logger *slog.Logger
	client *http.Client
	news   chan lagNews
	pause  time.Duration // after the first try that failed; twice as long after the next one
}

const (
	lagHookTries   = 3
	lagHookWaiting = 256 // alarms that wait to be posted
	lagHookTimeout = 5 * time.Second
)

func newLagHook(url string, logger *slog.Logger) *lagHook {
	// Its own transport: connections end with the broker.
	return &lagHook{url: url, logger: logger, client: &http.Client{Timeout: lagHookTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
		news: make(chan lagNews, lagHookWaiting), pause: time.Second}
}

// put never waits.
func (h *lagHook) put(n lagNews) {
	if n.Event = "raised"; !n.Cleared.IsZero() {
		n.Event = "cleared"
	}
	select {
	case h.news <- n:
	default:
		h.logger.Error("alarm of lag not posted: too many wait", "url", h.url, "group", n.Group, "topic", n.Topic, "event", n.Event)
	}
}

func (h *lagHook) run(stop <-chan struct{}) {
	defer h.client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case <-stop:
			return
		case n := <-h.news:
			h.deliver(ctx, n)
		}
	}
}

func (h *lagHook) deliver(ctx context.Context, n lagNews) {
	body, err := json.Marshal(n)
	for try := 0; err == nil && try < lagHookTries; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(h.pause << (try - 1)):
			}
		}
		failed := h.post(ctx, body)
		if failed == nil {
			return
		}
		if try == lagHookTries-1 {
			err = failed
		}
	}
	h.logger.Error("alarm of lag not posted", "url", h.url, "group", n.Group, "topic", n.Topic, "event", n.Event, "error", err)
}

func (h *lagHook) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}
