package broker

import (
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/config"
	"ringmq/broker/lag"
	"ringmq/broker/quota"
)

// inForce are the values that requests ask for all the time and that a request may change: a look at them must not cost a search by
// key.
type inForce struct {
	permission   int32 // brokerPermission
	litePull     bool  // litePullMessageEnable
	longPolling  bool  // longPollingEnable
	shortPolling time.Duration
	slaveRead    bool // slaveReadEnable
	residency    residencyMode
	slow         time.Duration // slowLogThresholdMs: requests that took longer are logged; 0: none are

	coldControl    bool          // coldDataFlowControlEnable
	coldScan       bool          // coldDataScanEnable
	coldScanEvery  time.Duration // timerColdDataCheckIntervalMs
	coldAdapts     bool          // coldCtrStrategyEnable
	coldGroupLimit int64         // cgColdReadThreshold, in bytes a period
	coldTotalLimit int64         // globalColdReadThreshold

	lagLimits lag.Limits // lagAlarmMessages and the keys beside it

	quotas quota.Limits // clientSendMaxMessagesPerSecond and the keys beside it
}

// configuration keeps the values in force. Any goroutine.
type configuration struct {
	mu  sync.Mutex // of those who read the configuration anew, so that the newest stays
	now atomic.Pointer[inForce]
}

func (f *configuration) get() *inForce { return f.now.Load() }

// read takes the values from the configuration. After every change of it.
func (f *configuration) read(c *config.Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Store(&inForce{
		permission: int32(c.Int("brokerPermission")), litePull: c.Bool("litePullMessageEnable"), longPolling: c.Bool("longPollingEnable"),
		shortPolling: time.Duration(c.Int("shortPollingTimeMills")) * time.Millisecond, slaveRead: c.Bool("slaveReadEnable"),
		residency:   residencyModeOf(c.Text("suggestByResidency")),
		slow:        time.Duration(c.Int("slowLogThresholdMs")) * time.Millisecond,
		coldControl: c.Bool("coldDataFlowControlEnable"), coldScan: c.Bool("coldDataScanEnable"), coldAdapts: c.Bool("coldCtrStrategyEnable"),
		coldScanEvery:  time.Duration(c.Int("timerColdDataCheckIntervalMs")) * time.Millisecond,
		coldGroupLimit: c.Int64("cgColdReadThreshold"), coldTotalLimit: c.Int64("globalColdReadThreshold"),
		lagLimits: lag.Limits{
			Messages: c.Int64("lagAlarmMessages"), BehindMs: c.Int64("lagAlarmBehindMs"), ClearPercent: c.Int("lagAlarmClearPercent"),
			Hold: time.Duration(c.Int64("lagAlarmHoldMs")) * time.Millisecond,
		},
		quotas: quotasOf(c),
	})
}

// quotasOf are the limits of clients.
func quotasOf(c *config.Config) (l quota.Limits) {
	for k := range quota.Kinds {
		l.PerSecond[k] = c.Int64(k.Key())
	}
	l.Enforced = c.Text("clientQuotaAction") == "limit" && l.PerSecond != (quota.Counts{})
	return l
}
