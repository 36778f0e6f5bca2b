package broker

import (
	"encoding/json"
	"strconv"

	"ringmq/netpoll/remoting"
)

// maxRegistrationBytes is about how much of topics one request brings, well below what a frame may have: names of other brokers'
// files may need escapes.
const maxRegistrationBytes = 4 << 20

// registrationParts parts a table into tables of about limit bytes as JSON, one at least. The first has two topics or more where
// there are as many: a name server refuses a stranger that brings one.
func registrationParts(table map[string]*remoting.TopicConfig, limit int) []map[string]*remoting.TopicConfig {
	const fields = 200 // bytes of a topic beside its texts
	var parts []map[string]*remoting.TopicConfig
	part, bytes := map[string]*remoting.TopicConfig{}, 0
	for name, c := range table {
		size := fields + 2*len(name) + len(c.TopicFilterType)
		for k, v := range c.Attributes {
			size += len(k) + len(v) + 8
		}
		if bytes+size > limit && len(part) >= 2 {
			parts = append(parts, part)
			part, bytes = map[string]*remoting.TopicConfig{}, 0
		}
		part[name] = c
		bytes += size
	}
	return append(parts, part)
}

// identify sets the fields by which a name server knows a broker.
func (b *Broker) identify(cmd *remoting.Command) {
	cmd.Set("brokerName", b.name)
	cmd.Set("brokerAddr", b.advertise.String())
	cmd.Set("clusterName", b.cluster)
	cmd.Set("brokerId", strconv.FormatInt(b.c.ID(), 10))
}

// registration is the request that enters the broker with the topics that make up a version.
func (b *Broker) registration(table map[string]*remoting.TopicConfig, version remoting.DataVersion) *remoting.Command {
	if perm := b.permission(); perm&(remoting.PermRead|remoting.PermWrite) != remoting.PermRead|remoting.PermWrite {
		masked := make(map[string]*remoting.TopicConfig, len(table))
		for n, c := range table {
			m := *c
			m.Perm &= perm
			masked[n] = &m
		}
		table = masked
	}
	body, err := json.Marshal(remoting.RegisterBrokerBody{
		FilterServerList: []string{},
		TopicConfigSerializeWrapper: remoting.TopicConfigTable{
			DataVersion: version, TopicConfigTable: table,
			TopicQueueMappingDetailMap: map[string]any{}, TopicQueueMappingInfoMap: map[string]any{},
		},
	})
	if err != nil {
		panic(err)
	}
	cmd := remoting.NewRequest(remoting.CodeRegisterBroker)
	b.identify(cmd)
	cmd.Set("haServerAddr", b.haAddr())
	cmd.Set("enableActingMaster", "false")
	cmd.Set("compressed", "false")
	cmd.Set("bodyCrc32", strconv.FormatUint(uint64(remoting.BodyCRC(body)), 10))
	cmd.Body = body
	return cmd
}
