package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ringmq/netpoll/remoting"
)

// metadata is what a broker, or a cluster, has been told to have.
type metadata struct {
	Topics map[string]*remoting.TopicConfig             `json:"topicConfigTable,omitempty"`
	Groups map[string]*remoting.SubscriptionGroupConfig `json:"subscriptionGroupTable,omitempty"`
	Time   int64                                        `json:"exportTime"`
}

func runExportMetadata(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	onlyTopics, onlyGroups := a.Has("topic"), a.Has("subscriptionGroup")
	m := metadata{Time: s.now().UnixMilli()}
	name := "metadata.json"
	switch {
	case onlyTopics && onlyGroups:
		return errors.New("-t and -g exclude each other")
	case onlyTopics:
		name = "topic.json"
	case onlyGroups:
		name = "subscriptionGroup.json"
	}
	for _, addr := range addrs {
		if !onlyGroups {
			if err := s.addTopics(ctx, addr, a.Has("specialTopic"), &m); err != nil {
				return err
			}
		}
		if !onlyTopics {
			if err := s.addGroups(ctx, addr, &m); err != nil {
				return err
			}
		}
	}
	return export(a, name, m, out)
}

// addTopics adds a broker's topics to those of others: queues of one topic add up.
func (s *Session) addTopics(ctx context.Context, addr string, special bool, m *metadata) error {
	topics, _, err := s.topicTable(ctx, addr)
	if err != nil {
		return err
	}
	if m.Topics == nil {
		m.Topics = map[string]*remoting.TopicConfig{}
	}
	for name, one := range topics {
		if !special && (strings.HasPrefix(name, retryPrefix) || strings.HasPrefix(name, deadPrefix)) {
			continue
		}
		if there := m.Topics[name]; there != nil {
			one.ReadQueueNums += there.ReadQueueNums
			one.WriteQueueNums += there.WriteQueueNums
		}
		m.Topics[name] = one
	}
	return nil
}

// systemGroups are groups that every broker has by itself.
var systemGroups = map[string]bool{
	"TOOLS_CONSUMER": true, "FILTERSRV_CONSUMER": true, "SELF_TEST_C_GROUP": true, "CID_ONS-HTTP-PROXY": true, "CID_ONSAPI_PULL": true, "CID_ONSAPI_PERMISSION": true,
	"CID_ONSAPI_OWNER": true, "CID_RMQ_SYS_TRANS": true, "SCHEDULE_CONSUMER": true, "CID_SYS_RMQ_TRANS": true, "CLIENT_INNER_PRODUCER": true, "SELF_TEST_P_GROUP": true,
	"__MONITOR_CONSUMER": true, "CID_SCHEDULE_CONSUMER": true, "DEFAULT_CONSUMER": true, "DEFAULT_PRODUCER": true, "TOOLS_PRODUCER": true,
}

func (s *Session) addGroups(ctx context.Context, addr string, m *metadata) error {
	groups, err := s.groupTable(ctx, addr)
	if err != nil {
		return err
	}
	if m.Groups == nil {
		m.Groups = map[string]*remoting.SubscriptionGroupConfig{}
	}
	for name, one := range groups {
		if systemGroups[name] {
			continue
		}
		if there := m.Groups[name]; there != nil {
			one.RetryQueueNums += there.RetryQueueNums
		}
		m.Groups[name] = one
	}
	return nil
}

// export writes a file into the folder that -f names.
func export(a Args, name string, v any, out *Out) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	dir := a.Or("filePath", exportFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, name)
	if err := replaceFile(file, append(text, '\n')); err != nil {
		return err
	}
	out.Textf("export %s success\n", file)
	out.Set("file", file)
	return nil
}

// replaceFile writes a new file and puts it in the place of the one that is there, so that nobody reads half of it, and no link is
// written through.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

func exportConfigs() *Command {
	c := clusterFlag()
	c.Required = true
	return &Command{Name: "exportConfigs", Short: "Write brokers' main settings to a JSON file", Reads: true, Run: runExportConfigs, Flags: []Flag{c, exportFlag()}}
}

// exportedKeys are the settings that stock exports.
var exportedKeys = []string{"brokerClusterName", "brokerId", "brokerName", "brokerRole", "fileReservedTime", "filterServerNums", "flushDiskType", "maxMessageSize", "messageDelayLevel",
	"msgTraceTopicName", "slaveReadEnable", "traceOn", "traceTopicEnable", "useTLS", "autoCreateTopicEnable", "autoCreateSubscriptionGroup"}

func runExportConfigs(ctx context.Context, s *Session, a Args, out *Out) error {
	all, _, err := s.replicas(ctx, a)
	if err != nil {
		return err
	}
	configs, masters := map[string]map[string]string{}, 0
	for _, r := range all {
		if r.master != "" {
			continue
		}
		masters++
		c, err := s.ask.BrokerConfig(ctx, r.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", r.addr, err)
		}
		some := map[string]string{}
		for _, k := range exportedKeys {
			if v, ok := c[k]; ok {
				some[k] = v
			}
		}
		configs[c["brokerName"]] = some
	}
	return export(a, "configs.json", map[string]any{
		"brokerConfigs": configs,
		"clusterScale":  map[string]int{"namesrvSize": len(s.names), "masterBrokerSize": masters, "slaveBrokerSize": len(all) - masters},
	}, out)
}
