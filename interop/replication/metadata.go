package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// metadata: a topic, a group and its progress, and how far delayed messages were delivered, all made on the master, are on the slave a little later:
// with stock a little over a minute. So are the modes in which groups ask for messages, which only a stock broker sets: they lie in the master's
// store from its start.
func metadata(p *pair) (string, error) {
	const extra, group, delayed = "PairExtra", "PairGroup", 3
	mode := `{"messageRequestModeMap":{"` + extra + `":{"` + group + `":{"consumerGroup":"` + group + `","mode":"POP","popShareQueueNum":7,"topic":"` + extra + `"}}}}`
	if err := p.master.at.document("messageRequestMode.json", mode); err != nil {
		return "", err
	}
	if err := p.start(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	m, err := rig.Dial(ctx, p.master.addr())
	if err != nil {
		return "", err
	}
	defer m.Close()
	if err := rig.CreateTopic(ctx, m, extra, 3); err != nil {
		return "", err
	}
	req := remoting.NewRequest(remoting.CodeUpdateAndCreateSubscriptiongroup)
	req.Body = []byte(`{"groupName":"` + group + `","retryMaxTimes":7}`)
	if _, err := rig.Expect(m.Call(ctx, req)); err != nil {
		return "", fmt.Errorf("group: %w", err)
	}
	if _, err := rig.Expect(rig.Call(ctx, m, remoting.CodeUpdateConsumerOffset, map[string]string{
		"consumerGroup": group, "topic": extra, "queueId": "2", "commitOffset": "41"})); err != nil {
		return "", fmt.Errorf("progress: %w", err)
	}
	for range delayed {
		if err := sendDelayed(ctx, m, extra); err != nil {
			return "", err
		}
	}
	began := time.Now()
	s, err := rig.Dial(ctx, p.slave.addr())
	if err != nil {
		return "", err
	}
	defer s.Close()
	text := ""
	for _, want := range []struct {
		what string
		code int32
		body []string
	}{
		{"topic", remoting.CodeGetAllTopicConfig, []string{`"` + extra + `"`}},
		{"group", remoting.CodeGetAllSubscriptiongroupConfig, []string{`"` + group + `"`, `"retryMaxTimes":7`}},
		{"progress", remoting.CodeGetAllConsumerOffset, []string{`"` + extra + "@" + group + `"`, `2:41`}},
		{"progress of delayed messages", remoting.CodeGetAllDelayOffset, []string{fmt.Sprintf(`{1:%d`, delayed)}},
		{"mode of requests", remoting.CodeGetAllMessageRequestMode, []string{`"` + extra + `"`, `"` + group + `"`, `"mode":"POP"`, `"popShareQueueNum":7`}},
	} {
		if missing, err := awaitTable(ctx, s, want.code, want.body...); err != nil {
			return "", fmt.Errorf("%s of the master is not on the slave after %.0f s, %s is missing: %w", want.what, time.Since(began).Seconds(), missing, err)
		}
		text += fmt.Sprintf("%s after %.1f s, ", want.what, time.Since(began).Seconds())
	}
	return text[:len(text)-2], nil
}

// sendDelayed stores a message for delay level 1, a second.
func sendDelayed(ctx context.Context, c rig.Caller, topic string) error {
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	for k, v := range map[string]string{
		"a": "DelayedProducer", "b": topic, "c": "TBW102", "d": "3", "e": "0", "f": "0", "g": "1", "h": "0", "i": "DELAY\x011\x02", "j": "0", "k": "false", "m": "false",
	} {
		req.Set(k, v)
	}
	req.Body = []byte("delayed")
	if _, err := rig.Expect(c.Call(ctx, req)); err != nil {
		return fmt.Errorf("delayed message: %w", err)
	}
	return nil
}

// slaveKnows waits until the slave has a topic of the master's.
func (p *pair) slaveKnows(topic string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := rig.Dial(ctx, p.slave.addr())
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := awaitTable(ctx, s, remoting.CodeGetAllTopicConfig, `"`+topic+`"`); err != nil {
		return fmt.Errorf("the slave does not know topic %s: %w", topic, err)
	}
	return nil
}

var quotedNumber = regexp.MustCompile(`"(\d+)":`)

// plain is a table without what one writes and another does not: indentation, and quotes around keys that are numbers.
func plain(table []byte) []byte {
	return quotedNumber.ReplaceAll(bytes.Join(bytes.Fields(table), nil), []byte("$1:"))
}

// awaitTable asks a broker for a table until all parts are in it. With an error comes what was missing last.
func awaitTable(ctx context.Context, c *netpoll.Client, code int32, parts ...string) (missing string, err error) {
	for missing = "everything"; missing != ""; time.Sleep(100 * time.Millisecond) {
		resp, err := rig.Expect(rig.Call(ctx, c, code, nil))
		if err != nil {
			return missing, err
		}
		body := plain(resp.Body)
		missing = ""
		for _, part := range parts {
			if !bytes.Contains(body, []byte(part)) {
				missing = part
			}
		}
	}
	return "", nil
}
