package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"ringmq/store/queue"
)

// retain deletes old segments in the background: one at a time with a pause between, so that a delete does not stand in
// anyone's way. It looks every CheckIntervalMs, when a segment has become full, and when space ran out.
func (s *Store) retain() {
	for {
		t := time.NewTimer(time.Duration(s.retention.Load().CheckIntervalMs) * time.Millisecond)
		select {
		case <-t.C:
		case <-s.cleanNow:
			t.Stop()
		case <-s.stop.Done():
			t.Stop()
			return
		}
		s.checkSpace()
		if _, err := s.clean(s.stop, false); err != nil && s.stop.Err() == nil {
			s.logger.Error("retention: deleting failed, trying again", "error", err)
		}
	}
}

// wakeRetention makes retention look at once.
func (s *Store) wakeRetention() {
	select {
	case s.cleanNow <- struct{}{}:
	default:
	}
}

// CleanNow deletes what retention may delete, whatever the hour, and returns how many bytes of log went. May take long.
func (s *Store) CleanNow(ctx context.Context) (int64, error) {
	s.checkSpace()
	return s.clean(ctx, true)
}

// clean deletes segments from the front while there is a reason to, never the last one.
func (s *Store) clean(ctx context.Context, manual bool) (freed int64, err error) {
	s.cleaning.Lock()
	defer s.cleaning.Unlock()
	r := s.retention.Load()
	deleted, behind := 0, false
	for deleted < r.MaxSegmentsPerRound || s.pressing(r) {
		why := s.reason(r, manual)
		if why == "" {
			break
		}
		n, err := s.log.DeleteOldest()
		if err != nil {
			return freed, fmt.Errorf("delete oldest segment: %w", err)
		}
		if n == 0 {
			break
		}
		freed += n
		deleted++
		s.deletedSegments.Add(1)
		s.EarliestMessageTime() // here it may wait for the disk; who looks at figures shall not have to
		level := slog.LevelInfo
		if why == diskNearlyFull {
			level = slog.LevelWarn // these messages had not expired
		}
		s.logger.Log(ctx, level, "retention: segment deleted", "why", why, "logMin", s.log.Min(), "logBytes", s.log.Max()-s.log.Min(), "used", math.Round(s.usedRatio()*1000)/1000)
		s.checkSpace()
		behind = deleted%max(r.MaxSegmentsPerRound, 1) != 0
		if !behind { // while the disk is full, or producers are fast, this may not end for hours
			if err := s.follow(); err != nil {
				return freed, err
			}
		}
		if !sleepContext(ctx, time.Duration(r.DeleteIntervalMs)*time.Millisecond) {
			break
		}
	}
	if !behind {
		return freed, nil
	}
	return freed, s.follow()
}

// pressing says that segments must go faster than one round allows: the log must not outgrow its bound, the disk must
// not fill.
func (s *Store) pressing(r *Retention) bool {
	return s.tooLarge(r) || !r.KeepUnexpired && s.usedOnceRead() > float64(r.CleanForciblyRatio)/100
}

func (s *Store) tooLarge(r *Retention) bool {
	return r.CommitLogMaxBytes > 0 && s.log.Max()-s.log.Min() > r.CommitLogMaxBytes
}

const diskNearlyFull = "disk nearly full"

// reason says why the oldest segment should go now; "" when it should stay.
func (s *Store) reason(r *Retention, manual bool) string {
	segment := s.o.SegmentBytes
	first := s.log.Min() / segment * segment
	next := first + segment
	// What is not yet in the queues must not go, nor the segment that is being written.
	if next >= s.log.Max() || next > s.dispatch.at.Load() || next >= s.log.Durable().Load() {
		return ""
	}
	used := s.usedOnceRead()
	switch {
	case s.tooLarge(r):
		return "log larger than its bound"
	case !r.KeepUnexpired && used > float64(r.CleanForciblyRatio)/100:
		return diskNearlyFull
	case !manual && !hourOf(s.o.Clock().In(s.o.Location), r.DeleteWhen) && used <= float64(r.MaxUsedRatio)/100:
		return ""
	}
	last, ok := s.lastStored(first)
	if !ok && s.unaged != next {
		s.unaged = next
		s.logger.Warn("how old the oldest segment is cannot be told: no record behind it can be read; it stays, and all behind it, until the log is too large or the disk too full", "segment", first)
	}
	if ok && s.o.Clock().UnixMilli()-last > int64(r.ReservedHours)*time.Hour.Milliseconds() {
		return "expired"
	}
	return ""
}

// lastStored is the store time (ms) of the last record of a full segment. Where it was not noted when the segment became
// full, the first record of the next one that begins with one stands for it: it is not older. A time that lies ahead of the clock tells no age: the
// clock was ahead then, or is behind now. What was stored later is not older either, and may tell.
func (s *Store) lastStored(segment int64) (int64, bool) {
	d := s.dispatch
	d.mu.Lock()
	t, ok := d.sealed[segment]
	d.mu.Unlock()
	for at := segment + s.o.SegmentBytes; !ok && at < s.log.Max(); at += s.o.SegmentBytes {
		t, ok = s.log.StoreTime(at)
	}
	if ok && t > s.o.Clock().UnixMilli() {
		t = min(t, d.earliestBehind(segment))
	}
	return t, ok
}

// hourOf says whether now lies in one of the hours of deleteWhen.
func hourOf(now time.Time, when string) bool {
	for _, h := range strings.Split(when, ";") {
		if n, err := strconv.Atoi(strings.TrimSpace(h)); err == nil && n == now.Hour() {
			return true
		}
	}
	return false
}

// follow lets queues and index forget what the log no longer holds. One that fails keeps none of the others from it.
func (s *Store) follow() error {
	low := s.log.Min()
	var first error
	s.queues.Each(func(q *queue.Queue) {
		err := q.CorrectMin(low)
		if err == nil {
			_, err = q.DeleteBefore(low)
		}
		if err != nil && !errors.Is(err, queue.ErrDeleted) && first == nil {
			first = err
		}
	})
	err := s.batches.each(func(q *batchQueue) error { return q.follow(low) })
	if s.index != nil {
		err = errors.Join(err, s.index.DeleteBefore(low))
	}
	if first == nil {
		first = err
	}
	if first != nil {
		return fmt.Errorf("queues follow the log to %d: %w", low, first)
	}
	return nil
}

func sleepContext(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
