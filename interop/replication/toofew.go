package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

const fewTopic = "TooFew"

// slaveTimeout of the scene is 1 s, and syncFlushTimeout, which would tell sends that wait the same, 5: both they and consumers are to hear of a
// silent slave between the two.
const (
	silenceGrace = 3 * time.Second
	silenceLimit = time.Second + silenceGrace
)

// tooFew: what sends are told when the slave falls silent. Those that wait get FLUSH_SLAVE_TIMEOUT, and consumers see them within
// slaveTimeout. With minInSyncReplicas=2 later ones are refused, and nothing of them is stored; with 1 they get SLAVE_NOT_AVAILABLE and are.
// Who does not wait for copies is not told anything. When the slave is back, so is everything.
func tooFew(p *pair) (string, error) {
	p.master.set("minInSyncReplicas", "2")
	if err := p.start(); err != nil {
		return "", err
	}
	f := &few{p: p}
	defer f.close()
	var text []string
	for _, part := range []struct {
		least string
		later int32
		kept  int64 // of a later send
	}{{"2", remoting.RespSystemError, 0}, {"1", remoting.RespSlaveNotAvailable, 1}} {
		if part.least != "2" {
			p.master.set("minInSyncReplicas", part.least)
			if err := p.master.inOrder(); err != nil {
				return "", err
			}
		}
		took, err := f.silence(part.later, part.kept)
		if err != nil {
			return strings.Join(text, "; "), fmt.Errorf("minInSyncReplicas=%s: %w", part.least, err)
		}
		text = append(text, fmt.Sprintf("minInSyncReplicas=%s: waiting sends told %d after %.1f s, later ones %d", part.least, remoting.RespFlushSlaveTimeout, took.Seconds(), part.later))
	}
	if err := p.check(); err != nil {
		return strings.Join(text, "; "), err
	}
	return strings.Join(text, "; "), nil
}

// few is the producer of the scene.
type few struct {
	p *pair
	c *netpoll.Client
}

func (f *few) close() {
	if f.c != nil {
		f.c.Close()
		f.c = nil
	}
}

// silence mutes the slave's link for a while.
func (f *few) silence(later int32, kept int64) (took time.Duration, err error) {
	f.close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if f.c, err = rig.Dial(ctx, f.p.master.addr()); err != nil {
		return 0, err
	}
	if err := rig.CreateTopic(ctx, f.c, fewTopic, 1); err != nil {
		return 0, err
	}
	before, err := f.copied(ctx)
	if err != nil {
		return 0, err
	}
	f.p.link.set(linkState{muted: [2]bool{true, true}})
	defer f.p.link.set(linkState{})
	const waiting = 8
	began := time.Now()
	codes := make([]int32, waiting)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i], _ = f.send(ctx, "") })
	}
	all.Wait()
	took = time.Since(began)
	for _, code := range codes {
		if code != remoting.RespFlushSlaveTimeout {
			return took, fmt.Errorf("sends that wait when the slave falls silent are told %v", codes)
		}
	}
	if took > silenceLimit {
		return took, fmt.Errorf("they are told after %s", took)
	}
	if err := f.visible(ctx, before+waiting, began.Add(silenceLimit)); err != nil {
		return took, err
	}
	for range 3 {
		if code, _ := f.send(ctx, ""); code != later {
			return took, fmt.Errorf("a later send is told %d", code)
		}
	}
	if code, _ := f.send(ctx, "WAIT\x01false\x02"); code != remoting.RespSuccess {
		return took, fmt.Errorf("a send that waits for no copies is told %d", code)
	}
	if err := f.visible(ctx, before+waiting+3*kept+1, time.Now().Add(silenceGrace)); err != nil {
		return took, err
	}
	f.p.link.set(linkState{})
	_, err = f.copied(ctx)
	return took, err
}

// visible waits until consumers see exactly so many messages: an answer may come a moment before. They are asked before the
// end, and see them then.
func (f *few) visible(ctx context.Context, want int64, end time.Time) error {
	for ; ; time.Sleep(5 * time.Millisecond) {
		late := time.Now().After(end)
		got, err := rig.MaxOffset(ctx, f.c, fewTopic, 0)
		if err != nil || got == want && !late {
			return err
		}
		if got > want || late {
			return fmt.Errorf("consumers see messages up to %d, %d are stored, %.1f s after they were to see them", got, want, time.Since(end).Seconds())
		}
	}
}

// copied waits until a send has its copies, and returns how many messages the queue has then.
func (f *few) copied(ctx context.Context) (messages int64, err error) {
	for end := time.Now().Add(f.p.patience()); ; time.Sleep(50 * time.Millisecond) {
		code, offset := f.send(ctx, "")
		if code == remoting.RespSuccess {
			return offset + 1, nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("with the slave there sends are told %d", code)
		}
	}
}

// send returns the code of an answer, -1 where there is none, and the queue offset that it names.
func (f *few) send(ctx context.Context, properties string) (code int32, offset int64) {
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	for k, v := range map[string]string{
		"a": "FewProducer", "b": fewTopic, "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1", "h": "0", "i": properties, "j": "0", "k": "false", "m": "false",
	} {
		req.Set(k, v)
	}
	req.Body = []byte("few")
	resp, err := f.c.Call(ctx, req)
	if err != nil {
		return -1, 0
	}
	offset, _, _ = resp.Int64("queueOffset") // an answer that refuses names none
	return resp.Code, offset
}
