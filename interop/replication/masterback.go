package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// stockMasterBack: a stock master's directory is put back to an older copy. Stock compares nothing, so its slave of ours asks: it is refused since it is
// ahead, and refused again once the master's log has grown past its own, when it would have been sent what belongs elsewhere. Its log
// stays as it is. When its store has been emptied it copies again.
func stockMasterBack(p *pair) (string, error) {
	p.slave.set("adminHttpAddress", loopback(p.base+slaveMetricsPort))
	p.master.set("inSyncReplicas", "1") // it takes messages while its slave is refused
	defer p.rest()
	if err := p.filled(1); err != nil {
		return "", err
	}
	if err := p.tellsBlank(); err != nil {
		return "", err
	}
	older, err := p.aside()
	if err != nil {
		return "", err
	}
	if err := p.master.start(); err != nil {
		return "", err
	}
	if err := p.alone(p.master, 50); err != nil {
		return "", err
	}
	if err := p.settle(); err != nil {
		return "", err
	}
	if err := p.master.proc.end(); err != nil {
		return "", err
	}
	if err := p.putBack(older); err != nil {
		return "", err
	}
	text, err := p.standsStill()
	if err != nil {
		return text, err
	}
	if err := p.slave.proc.end(); err != nil {
		return text, err
	}
	if err := p.slave.at.empty(); err != nil {
		return text, err
	}
	p.compared = 0
	if err := p.slave.start(); err != nil {
		return text, err
	}
	if err := p.prime(); err != nil {
		return text, err
	}
	p.run()
	if _, err := p.recovered(); err != nil {
		return text, err
	}
	if err := p.check(); err != nil {
		return text, fmt.Errorf("emptied: %w", err)
	}
	if refused, err := scraped(p.base+slaveMetricsPort, "ringmq_replication_refused"); err != nil || refused[0] != 0 {
		return text, fmt.Errorf("emptied: ringmq_replication_refused is %v: %w", refused, err)
	}
	return text + "; " + p.history.String(), nil
}

// tellsBlank makes sure that a stock broker answers for the blank at the end of a segment as for a record: a slave whose log ends there asks for that.
func (p *pair) tellsBlank() error {
	v := p.master.at.view
	if len(v.blanks) == 0 {
		return errors.New("the log has no blank")
	}
	at := v.blanks[0][0] - record.BlankBytes
	return p.master.told(func(ctx context.Context, c rig.Caller) error {
		resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeViewMessageById, map[string]string{"offset": strconv.FormatInt(at, 10)}))
		if err != nil {
			return fmt.Errorf("the blank at %d: %w", at, err)
		}
		if want := record.AppendBlank(nil, int32(v.blanks[0][1]-at)); !bytes.HasPrefix(resp.Body, want) {
			return fmt.Errorf("the blank at %d: %d bytes, % x", at, len(resp.Body), resp.Body[:min(len(resp.Body), record.BlankBytes)])
		}
		return nil
	})
}

// standsStill starts the master, whose log is shorter than its slave's, and then longer, and makes sure that the slave takes nothing.
func (p *pair) standsStill() (text string, err error) {
	v := p.slave.at.view
	end := v.pos
	before, err := v.sum(end)
	if err != nil {
		return "", err
	}
	said := 0
	for _, turn := range []struct {
		name     string
		messages int // that the master gets first
	}{{"shorter", 0}, {"longer", 100}} {
		if turn.messages == 0 {
			err = p.master.start()
		} else {
			err = errors.Join(p.alone(p.master, turn.messages), p.slave.inOrder())
		}
		if err != nil {
			return text, err
		}
		var why string
		if why, said, err = p.slaveRefused(said); err != nil {
			return text, fmt.Errorf("the master's log is %s: %w", turn.name, err)
		}
		if err := p.master.at.view.walk(p.history); err != nil {
			return text, err
		}
		if m := p.master.at.view.pos; turn.messages == 0 && m >= end || turn.messages > 0 && m <= end {
			return text, fmt.Errorf("the master's log, to be %s, ends at %d, the slave's at %d", turn.name, m, end)
		}
		if err := v.walk(p.history); err != nil {
			return text, err
		}
		if after, err := v.sum(end); err != nil || after != before || v.pos != end {
			return text, fmt.Errorf("the slave's log is another one (%x, %x) or ends at %d instead of %d: %w", before, after, v.pos, end, err)
		}
		text += fmt.Sprintf("%s: %s; ", turn.name, why)
	}
	return strings.TrimSuffix(text, "; "), nil
}

// slaveRefused waits until the slave of ours says in its metrics, and once more than it did so far in its log, that it is refused, and returns why and how
// often it has said so.
func (p *pair) slaveRefused(said int) (why string, now int, err error) {
	const words = "nothing is copied from the master until somebody decides"
	for end := time.Now().Add(p.patience()); ; time.Sleep(100 * time.Millisecond) {
		refused, err := scraped(p.base+slaveMetricsPort, "ringmq_replication_refused")
		log, readErr := os.ReadFile(p.slave.proc.log)
		if readErr != nil {
			return "", said, readErr
		}
		if n := strings.Count(string(log), words); err == nil && refused[0] == 1 && n > said {
			_, why, _ = strings.Cut(string(log[strings.LastIndex(string(log), words):]), "why=\"")
			why, _, _ = strings.Cut(why, "\"")
			return why, n, nil
		}
		if time.Now().After(end) {
			return "", said, fmt.Errorf("after %s the slave is not refused: ringmq_replication_refused is %v, %w", p.patience(), refused, err)
		}
	}
}

// sum is one of all bytes of a log up to an offset.
func (v *view) sum(end int64) (sum uint32, err error) {
	for base := v.start; base < end; base += v.segment {
		b, err := os.ReadFile(segmentFile(v.dir, base))
		if err != nil {
			return 0, err
		}
		if int64(len(b)) != v.segment {
			return 0, fmt.Errorf("segment %d has %d bytes", base, len(b))
		}
		sum = crc32.Update(sum, crc32.IEEETable, b[:min(v.segment, end-base)])
	}
	return sum, nil
}
