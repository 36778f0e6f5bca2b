// Package delay delivers delayed messages. A message with a delay level waits in topic SCHEDULE_TOPIC_XXXX, queue
// level-1, and the tags code of its queue entry is the time at which it is due. The Service sleeps until the first of
// them is due, reads it, and appends it to the topic and queue it was meant for. How far every level has come is kept in
// the document delayOffset.json; after a crash a message may be delivered again, never left out.
//
// Reading order: transform.go (what a message becomes before and after), offsets.go (the document), service.go and worker.go (one
// goroutine for all levels).
package delay
