package remoting

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"ringmq/interop/golden"
)

// bodyKind says how one kind of body is read and written.
type bodyKind struct {
	code     int32
	response bool
	atLeast  int // bodies of this kind that the recordings hold
	again    func(body []byte) ([]byte, error)
}

// reads decodes into a T and encodes it with encoding/json.
func reads[T any](body []byte) ([]byte, error) {
	var v T
	if err := Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

type appender[T any] interface {
	*T
	AppendJSON(dst []byte) []byte
}

// appends decodes into a T and encodes it with its own AppendJSON.
func appends[T any, P appender[T]](body []byte) ([]byte, error) {
	var v T
	if err := Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return P(&v).AppendJSON(nil), nil
}

func clusterAgain(body []byte) ([]byte, error) {
	var v ClusterInfo
	if err := Unmarshal(body, &v); err != nil {
		return nil, err
	}
	return v.AppendLegacyJSON(nil), nil
}

var bodyKinds = []bodyKind{
	{CodeUpdateAndCreateTopicList, false, 2, reads[TopicConfigList]},
	{CodeGetAllTopicConfig, true, 10, reads[TopicConfigTable]},
	{CodeGetBrokerRuntimeInfo, true, 20, reads[KVTable]},
	{CodeHeartBeat, false, 300, reads[HeartbeatData]},
	{CodeGetConsumerListByGroup, true, 100, reads[ConsumerIDList]},
	{CodeLockBatchMq, false, 20, reads[LockBatch]},
	{CodeLockBatchMq, true, 20, reads[LockBatchOK]},
	{CodeUnlockBatchMq, false, 5, reads[LockBatch]},
	{CodeCheckClientConfig, false, 5, reads[ClientConfigCheck]},
	{CodeRegisterBroker, true, 30, reads[KVTable]},
	{CodeGetRouteinfoByTopic, true, 800, appends[TopicRouteData]},
	{CodeGetBrokerClusterInfo, true, 500, clusterAgain},
	{CodeUpdateAndCreateSubscriptiongroup, false, 5, reads[SubscriptionGroupConfig]},
	{CodeGetAllSubscriptiongroupConfig, true, 10, reads[GroupTable]},
	{CodeGetTopicStatsInfo, true, 4, appends[TopicStats]},
	{CodeGetConsumerConnectionList, true, 9, reads[ConsumerConnection]},
	{CodeGetProducerConnectionList, true, 2, reads[ProducerConnection]},
	{CodeGetAllTopicListFromNameserver, true, 7, reads[TopicList]},
	{CodeGetConsumeStats, true, 70, appends[ConsumeStats]},
	{CodeRegisterTopicInNamesrv, false, 1, appends[TopicRouteData]},
	{CodeGetKvlistByNamespace, true, 1, reads[KVTable]},
	{CodeResetConsumerClientOffset, false, 1, appends[ResetOffsets]},
	{CodeInvokeBrokerToResetOffset, true, 7, appends[ResetOffsets]},
	{CodeGetTopicsByCluster, true, 2, reads[TopicList]},
	{CodeUpdateAndCreateSubscriptiongroupList, false, 2, reads[GroupConfigList]},
	{CodeQueryTopicConsumeByWho, true, 80, reads[GroupList]},
	{CodeGetSystemTopicListFromNs, true, 1, reads[TopicList]},
	{CodeGetSystemTopicListFromBroker, true, 3, reads[TopicList]},
	{CodeViewBrokerStatsData, true, 50, reads[BrokerStatsData]},
	{CodeGetBrokerConsumeStats, true, 2, appends[BrokerConsumeStats]},
	{CodeQueryConsumeQueue, true, 2, reads[QueueUnits]},
	{CodeQueryDataVersion, false, 3, reads[DataVersion]},
	{CodeQueryDataVersion, true, 2, reads[DataVersion]},
	{CodeGetAllProducerInfo, true, 2, reads[ProducerTable]},
	{CodeQueryTopicsByConsumer, true, 1, reads[TopicList]},
	{CodeQuerySubscriptionByConsumer, true, 1, reads[SubscriptionOfGroup]},
	{CodeGetTopicConfig, true, 60, topicAgain},
	{CodeGetSubscriptiongroupConfig, true, 2, reads[SubscriptionGroupConfig]},
}

// topicAgain: static topics are not served here, what belongs to them is dropped on reading.
func topicAgain(body []byte) ([]byte, error) {
	if bytes.Contains(body, []byte(`"mappingDetail":`)) {
		return body, Unmarshal(body, new(TopicConfig))
	}
	return reads[TopicConfig](body)
}

// TestGoldenBodies: recorded bodies decode into their structs and encode with the same members, values and order of members.
func TestGoldenBodies(t *testing.T) {
	seen := make([]int, len(bodyKinds))
	eachBody(t, func(e golden.Exchange, response bool, body []byte) {
		for i, kind := range bodyKinds {
			if kind.code != int32(*e.Code) || kind.response != response {
				continue
			}
			seen[i]++
			again, err := kind.again(body)
			if err != nil {
				if response || e.ResponseHeader == nil || e.ResponseHeader.Code == RespSuccess {
					t.Errorf("%s %d, %s: %v\n%.300s", e.Scenario, e.N, e.Name, err, body)
				}
				continue
			}
			sameBody(t, e, !response && (e.RequestHeader.Language != "JAVA" || strings.HasPrefix(e.Scenario, "raw-")), body, again)
		}
	})
	for i, kind := range bodyKinds {
		if seen[i] < kind.atLeast {
			t.Errorf("%s, response %v: %d bodies, want %d", CodeName(kind.code), kind.response, seen[i], kind.atLeast)
		}
	}
}

// eachBody calls fn for every body of a request, and of an answer that reports success.
func eachBody(t *testing.T, fn func(e golden.Exchange, response bool, body []byte)) {
	var c Command
	for _, e := range exchanges(t) {
		if e.Code == nil {
			continue
		}
		if e.RequestBody > 0 && c.Decode(e.Request) == nil {
			fn(e, false, c.Body)
		}
		if len(e.Response) > 0 && c.Decode(e.Response) == nil && c.Code == RespSuccess && len(c.Body) > 0 {
			fn(e, true, c.Body)
		}
	}
}

// sameBody compares what was recorded with what was written. In foreign requests, those of the Go client and those made by
// hand, members are left out and in another order, and hashes are texts: every member there is must be found again.
func sameBody(t *testing.T, e golden.Exchange, foreign bool, recorded, again []byte) {
	t.Helper()
	a, errA := StandardJSON(recorded)
	b, errB := StandardJSON(again)
	if errA != nil || errB != nil {
		t.Errorf("%s %d, %s: %v %v", e.Scenario, e.N, e.Name, errA, errB)
		return
	}
	want, got := anyJSON(t, a), anyJSON(t, b)
	if foreign && !contains(want, got) || !foreign && !reflect.DeepEqual(want, got) {
		t.Errorf("%s %d, %s:\n%.600s\n%.600s", e.Scenario, e.N, e.Name, a, b)
	}
	// A struct is written with its members in alphabetical order, which is stock's; keys of maps come in any order there.
	if w, g := members(recorded), members(again); !foreign && !reflect.DeepEqual(w, g) {
		t.Errorf("%s %d, %s: members %v, recorded %v", e.Scenario, e.N, e.Name, g, w)
	}
}

func anyJSON(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // 0.0 is not 0: both are compared as they are written
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// contains reports whether got has all that want has, with hashes in quotes as numbers.
func contains(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for k, v := range w {
			ok = ok && contains(v, g[k])
		}
		return ok
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			ok = ok && contains(w[i], g[i])
		}
		return ok
	case string:
		if n, ok := got.(json.Number); ok {
			return string(n) == w
		}
	}
	return reflect.DeepEqual(want, got)
}

// members lists the names at the top level in the order of the text.
func members(body []byte) []string {
	var names []string
	depth, inText, start := 0, false, 0
	for i := 0; i < len(body); i++ {
		switch ch := body[i]; {
		case inText && ch == '\\':
			i++
		case ch == '"':
			inText = !inText
			if inText {
				start = i
			} else if depth == 1 && i+1 < len(body) && body[i+1] == ':' {
				names = append(names, string(body[start+1:i]))
			}
		case inText:
		case ch == '{' || ch == '[':
			depth++
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return names
}

// TestGoldenRegistrations: recorded registrations, plain and compressed, decode; plain ones encode to what was recorded.
func TestGoldenRegistrations(t *testing.T) {
	plain, packed, topics := 0, 0, 0
	var c Command
	for _, e := range exchanges(t) {
		if e.Code == nil || int32(*e.Code) != CodeRegisterBroker || c.Decode(e.Request) != nil || len(c.Body) == 0 {
			continue
		}
		if crc, ok, err := c.Int32("bodyCrc32"); err != nil || ok && crc != 0 && crc != int32(BodyCRC(c.Body)) && e.ResponseHeader.Code == 0 {
			t.Errorf("%s %d: checksum %d, ours %d", e.Scenario, e.N, crc, BodyCRC(c.Body))
		}
		compressed := c.Bool("compressed")
		b, err := DecodeRegisterBody(c.Body, compressed, c.Version)
		if err != nil {
			if e.ResponseHeader != nil && e.ResponseHeader.Code == 0 {
				t.Errorf("%s %d: %v", e.Scenario, e.N, err)
			}
			continue
		}
		topics += len(b.TopicConfigSerializeWrapper.TopicConfigTable)
		if compressed {
			packed++
			continue
		}
		plain++
		if !strings.Contains(string(c.Body), `"filterServerList"`) || strings.Contains(string(c.Body), `"topicQueueMappingInfoMap":{"`) {
			continue
		}
		sameBody(t, e, strings.HasPrefix(e.Scenario, "raw-"), c.Body, appendJSON(nil, b))
	}
	if plain < 200 || packed < 1 || topics < 1000 {
		t.Errorf("%d plain, %d compressed, %d topics", plain, packed, topics)
	}
}
