package tuning

import (
	"cmp"

	"ringmq/store/disk"
)

// Facts is what Probe found out about a host. A number of -1 and an empty text are not known: the file is not there, or could not be
// read, which Unseen then says.
type Facts struct {
	Kernel  KernelFacts  `json:"kernel"`
	Memory  MemoryFacts  `json:"memory"`
	Files   FileFacts    `json:"files"`
	CPU     CPUFacts     `json:"cpu"`
	Store   StoreFacts   `json:"store"`
	Devices []Device     `json:"devices"` // under the log: first the one that is mounted, then what it is made of
	Network NetworkFacts `json:"network"`
	Ring    RingFacts    `json:"ring"`
	Unseen  []Unseen     `json:"unseen"`
}

// Unseen is a file that could not be read although it is there.
type Unseen struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// KernelFacts say what runs here, and as whom.
type KernelFacts struct {
	Release   string `json:"release"`
	Major     int    `json:"major"`
	Minor     int    `json:"minor"`
	Container string `json:"container"` // what shows that this is a container; "" if nothing does
	Virtual   string `json:"virtual"`   // the hypervisor's name for the machine; "" if there is none
	Root      bool   `json:"root"`      // with user id 0
	ReadOnly  bool   `json:"readOnly"`  // /proc/sys is mounted read-only
}

// atLeast says whether the kernel is that old or newer; one that is not known is.
func (k *KernelFacts) atLeast(major, minor int) bool {
	return k.Major < 0 || k.Major > major || k.Major == major && k.Minor >= minor
}

// MemoryFacts are the settings of virtual memory.
type MemoryFacts struct {
	TotalBytes       int64 `json:"totalBytes"`
	SwapBytes        int64 `json:"swapBytes"`
	CgroupLimitBytes int64 `json:"cgroupLimitBytes"` // the least of the groups of the process that was asked about, else of this one; -1: none

	Overcommit           int64  `json:"overcommit"`
	MaxMaps              int64  `json:"maxMaps"`
	Swappiness           int64  `json:"swappiness"`
	DirtyBackgroundBytes int64  `json:"dirtyBackgroundBytes"`
	DirtyBackgroundRatio int64  `json:"dirtyBackgroundRatio"`
	DirtyBytes           int64  `json:"dirtyBytes"`
	DirtyRatio           int64  `json:"dirtyRatio"`
	DirtyExpireCentis    int64  `json:"dirtyExpireCentiseconds"`
	DirtyWritebackCentis int64  `json:"dirtyWritebackCentiseconds"`
	ZoneReclaim          int64  `json:"zoneReclaim"`
	MinFreeKiB           int64  `json:"minFreeKiB"`
	HugePages            string `json:"hugePages"`       // of /sys/kernel/mm/transparent_hugepage/enabled
	HugePagesDefrag      string `json:"hugePagesDefrag"` // of .../defrag
}

// FileFacts are limits on descriptors and locked memory. The process is the one that was asked about, else this one.
type FileFacts struct {
	PID          int    `json:"pid"`          // 0: this one, whose limits its shell gave it
	OpenHard     int64  `json:"openHard"`     // the broker raises the soft limit to it
	LockedBytes  int64  `json:"lockedBytes"`  // soft
	MaxFiles     int64  `json:"maxFiles"`     // of the whole host
	MaxOpen      int64  `json:"maxOpen"`      // what a hard limit may be at most
	Maps         int64  `json:"maps"`         // mappings of the process; -1 without a pid
	UnitOpen     int64  `json:"unitOpen"`     // LimitNOFILE of the unit; -1: it sets none
	UnitLocked   int64  `json:"unitLocked"`   // LimitMEMLOCK of the unit; -1: it sets none
	UnitThere    bool   `json:"unitThere"`    // a unit of that name is installed
	SystemdThere bool   `json:"systemdThere"` // /etc/systemd/system is
	Unit         string `json:"unit"`         // its name
	User         string `json:"user"`         // that the broker runs as, for limits.d; "*": whoever is not root
	LimitsOpen   int64  `json:"limitsOpen"`   // nofile in the file that Apply keeps in limits.d; -1: it has none
}

// CPUFacts are processors and clocks.
type CPUFacts struct {
	Online         int      `json:"online"`
	OnlineList     string   `json:"onlineList"`   // as "0-3,8"
	QuotaPercent   int64    `json:"quotaPercent"` // of one processor, by the same groups; -1: none
	Governors      []string `json:"governors"`    // one a policy; empty: nothing is to be set here
	GovernorFiles  []string `json:"governorFiles"`
	CanPerformance bool     `json:"canPerformance"` // every policy offers the governor "performance"
	Clock          string   `json:"clock"`
	Clocks         []string `json:"clocks"` // to choose from
	Nodes          int      `json:"nodes"`  // of memory
	NumaBalancing  int64    `json:"numaBalancing"`
}

// StoreFacts are about the file system under the store's log, which is what a send waits for.
type StoreFacts struct {
	Dir         string         `json:"dir"`
	LogDir      string         `json:"logDir,omitempty"` // where the log is, if that is another file system than Dir's
	There       bool           `json:"there"`            // Dir is; without it, or the log's, the nearest directory above was looked at
	Mount       string         `json:"mount"`
	Type        string         `json:"type"`
	Source      string         `json:"source"`
	Options     []string       `json:"options"` // of the mount and of the file system
	TotalBytes  int64          `json:"totalBytes"`
	FreeBytes   int64          `json:"freeBytes"` // for a process that is not root
	FreeInodes  int64          `json:"freeInodes"`
	Measured    *disk.Measured `json:"measured"` // by probe-disk; nil: not yet, or not any more, which MeasuredWhy says
	MeasuredWhy string         `json:"measuredWhy"`

	Rest   *Room  `json:"rest,omitempty"`  // of Dir's file system, if that is not the log's
	Ratios Ratios `json:"ratios,omitzero"` // of the configuration that was given
}

// Room is what a file system has.
type Room struct {
	TotalBytes int64 `json:"totalBytes"`
	FreeBytes  int64 `json:"freeBytes"` // for a process that is not root
	FreeInodes int64 `json:"freeInodes"`
}

// Ratios are how full a broker lets a disk become, in percent of it; 0: as stock's default has it.
type Ratios struct {
	Expired  int `json:"expired"`  // diskMaxUsedSpaceRatio: from here on expired segments go at any hour
	Forcibly int `json:"forcibly"` // diskSpaceCleanForciblyRatio: from here on they go whatever their age
	Full     int `json:"full"`     // diskSpaceWarningLevelRatio: from here on nothing is stored
}

// orStock puts the defaults where nothing else is said.
func (r Ratios) orStock() Ratios {
	return Ratios{cmp.Or(r.Expired, stockRatios.Expired), cmp.Or(r.Forcibly, stockRatios.Forcibly), cmp.Or(r.Full, stockRatios.Full)}
}

// Device is a block device under the store. What is not there is -1 or "".
type Device struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"` // nvme, virtio, xen, scsi, mmc, dm, md, loop, or other
	Model      string `json:"model"`
	Virtual    bool   `json:"virtual"` // a hypervisor's
	Leaf       bool   `json:"leaf"`    // made of no other device
	Top        bool   `json:"top"`     // the one that is mounted: its read-ahead counts
	Rotational bool   `json:"rotational"`
	Node       int64  `json:"node"` // of memory, that it is attached to

	Scheduler    string   `json:"scheduler"`
	Schedulers   []string `json:"schedulers"`
	SchedulerHas []string `json:"schedulerHas"` // names of the settings of the one in force, which it takes with it
	ReadAheadKiB int64    `json:"readAheadKiB"`
	Requests     int64    `json:"requests"`
	NoMerges     int64    `json:"noMerges"`
	Affinity     int64    `json:"affinity"`
	WriteCache   string   `json:"writeCache"`
	ThrottleUs   int64    `json:"throttleUs"` // wbt_lat_usec
}

// NetworkFacts are about connections and their way to the processors.
type NetworkFacts struct {
	Backlog       int64       `json:"backlog"`
	SynBacklog    int64       `json:"synBacklog"`
	PortLow       int64       `json:"portLow"`
	PortHigh      int64       `json:"portHigh"`
	Reserved      string      `json:"reserved"`
	TCPPages      []int64     `json:"tcpPages"`
	ReadBytes     []int64     `json:"readBytes"`
	WriteBytes    []int64     `json:"writeBytes"`
	SlowAfterIdle int64       `json:"slowAfterIdle"`
	SteerEntries  int64       `json:"steerEntries"` // rps_sock_flow_entries
	Interfaces    []Interface `json:"interfaces"`   // with a device behind them
	Ports         []int       `json:"ports"`        // that servers here listen on
}

// Interface is a network card.
type Interface struct {
	Name   string `json:"name"`
	Queues int    `json:"queues"` // for receiving
	Steers bool   `json:"steers"` // some queue hands packets to other processors

	Interrupts    int `json:"interrupts"`
	InterruptCPUs int `json:"interruptCPUs"` // that they fall on
}

// RingFacts say whether io_uring may be had.
type RingFacts struct {
	Disabled int64  `json:"disabled"` // kernel.io_uring_disabled; -1: the kernel has no such switch
	Seccomp  int64  `json:"seccomp"`  // mode of the process
	Why      string `json:"why"`      // it cannot; "": it can
}
