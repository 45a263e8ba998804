package reports

// Health is the state of the generator, its machine and, where it could be
// seen, the server, over the measured phase. A zero means not observed, or
// nothing. Everything but the largest values, which are of the whole run, is of
// the measured phase with its drain.
type Health struct {
	// LagP50NS is the median schedule lag in nanoseconds.
	LagP50NS int64 `json:"lag_p50_ns,omitempty"`
	// LagP99NS is the 99th percentile of the schedule lag in nanoseconds.
	LagP99NS int64 `json:"lag_p99_ns,omitempty"`
	// LagMaxNS is the largest schedule lag in nanoseconds.
	LagMaxNS int64 `json:"lag_max_ns,omitempty"`
	// LagLimitNS is the 99th percentile of the schedule lag beyond which a run
	// is invalid, in nanoseconds; beyond half of it a run is degraded.
	LagLimitNS int64 `json:"lag_limit_ns,omitempty"`
	// GridOverruns is how often the pacer missed a whole grid step.
	GridOverruns int64 `json:"grid_overruns,omitempty"`
	// InFlightMax is the most messages without an answer at the end of a second.
	InFlightMax int64 `json:"in_flight_max,omitempty"`

	// GeneratorCores is how many cores the generator may use at once.
	GeneratorCores int `json:"generator_cores,omitempty"`
	// GeneratorCPUNS is the CPU time of the generator.
	GeneratorCPUNS int64 `json:"generator_cpu_ns,omitempty"`
	// GeneratorCPUShare is the same as share of all cores, 0 to 1.
	GeneratorCPUShare float64 `json:"generator_cpu_share,omitempty"`
	// GeneratorWaitMeanNS is how long a thread of the generator that was ready
	// to run waited for a core, in nanoseconds, as the mean of all waits.
	GeneratorWaitMeanNS int64 `json:"generator_wait_mean_ns,omitempty"`
	// GeneratorGCCPUShare is the part of the generator's CPU time that its
	// garbage collector took, 0 to 1, as the runtime estimates it.
	GeneratorGCCPUShare float64 `json:"generator_gc_cpu_share,omitempty"`
	// GeneratorGCPauseP99NS is the 99th percentile of the generator's pauses
	// for garbage collection in nanoseconds, as an upper bound.
	GeneratorGCPauseP99NS int64 `json:"generator_gc_pause_p99_ns,omitempty"`
	// GeneratorGCPauseMaxNS is the longest of these pauses, as an upper bound.
	GeneratorGCPauseMaxNS int64 `json:"generator_gc_pause_max_ns,omitempty"`
	// GeneratorSchedLatencyP99NS is the 99th percentile of the time that the
	// generator's goroutines were ready and did not run, in nanoseconds.
	GeneratorSchedLatencyP99NS int64 `json:"generator_sched_latency_p99_ns,omitempty"`
	// GoroutinesMax is the most goroutines of the generator.
	GoroutinesMax int64 `json:"goroutines_max,omitempty"`
	// OpenFilesMax is the most files and sockets that the generator had open.
	OpenFilesMax int64 `json:"open_files_max,omitempty"`
	// OpenFilesLimit is how many it may have open.
	OpenFilesLimit int64 `json:"open_files_limit,omitempty"`

	// Cores is how many cores the machine has.
	Cores int `json:"cores,omitempty"`
	// MachineCPUShare is how busy all cores were together, 0 to 1.
	MachineCPUShare float64 `json:"machine_cpu_share,omitempty"`
	// OthersCPUShare is the part of it that neither the generator nor the
	// server, as far as it was seen, accounts for.
	OthersCPUShare float64 `json:"others_cpu_share,omitempty"`
	// BusiestCoreShare is how busy the busiest core was, 0 to 1.
	BusiestCoreShare float64 `json:"busiest_core_share,omitempty"`
	// StealShare is the share of all cores that the hypervisor gave to other
	// machines, 0 to 1.
	StealShare float64 `json:"steal_share,omitempty"`
	// ThrottledShare is the share of time in which a CPU quota held the
	// generator back, 0 to 1.
	ThrottledShare float64 `json:"throttled_share,omitempty"`
	// CPUPressureShare is the share of time in which some task waited for a
	// core, 0 to 1.
	CPUPressureShare float64 `json:"cpu_pressure_share,omitempty"`
	// CPUPressureFullShare is the share of time in which all tasks did.
	CPUPressureFullShare float64 `json:"cpu_pressure_full_share,omitempty"`
	// RunQueueMax is the most tasks that ran or waited for a core.
	RunQueueMax int64 `json:"run_queue_max,omitempty"`
	// TCPRetransmits is how many segments the machine sent again.
	TCPRetransmits int64 `json:"tcp_retransmits,omitempty"`

	// ServerCPUBy says how the server's CPU time was observed: "clock" by the
	// CPU clocks of its processes, to the nanosecond, "ticks" by the process
	// table, to 10 ms for each process, "metrics" or, on the generator's
	// machine, "local metrics" by what it tells of itself.
	ServerCPUBy string `json:"server_cpu_by,omitempty"`
	// ServerCPUNS is the CPU time of the server, with all processes that
	// descend from it.
	ServerCPUNS int64 `json:"server_cpu_ns,omitempty"`
	// ServerCPUShare is the same as share of all cores of the generator's
	// machine, 0 to 1, where the server runs on it.
	ServerCPUShare float64 `json:"server_cpu_share,omitempty"`
	// ServerCPUPerMessageNS is the CPU time of the server per delivered
	// message of the measured phase in nanoseconds: a channel message to ten
	// members counts as ten.
	ServerCPUPerMessageNS float64 `json:"server_cpu_per_message_ns,omitempty"`
	// ServerRSSBytes is the largest resident memory of the server.
	ServerRSSBytes int64 `json:"server_rss_bytes,omitempty"`
	// Series is the state of each second of the run.
	Series []HealthPoint `json:"series,omitempty"`
}
