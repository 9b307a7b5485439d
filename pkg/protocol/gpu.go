package protocol

import "time"

// GPUUse is how a GPU was used in a span of time, by samples of it. What its driver does not tell is absent.
type GPUUse struct {
	Host  string `json:"host"`
	Index int    `json:"index"` // on its host
	// Seconds is how much of the span the samples cover.
	Seconds float64 `json:"seconds"`
	// Utilization is the part of the time in which the GPU computed something, from 0 to 1.
	Utilization *Spread `json:"utilization,omitempty"`
	Memory      *Spread `json:"memory_bytes,omitempty"`
	Power       *Spread `json:"power_watts,omitempty"`
	// Energy is the power over the time that the samples cover; 0: it is not known.
	Energy float64 `json:"energy_joules,omitempty"`
}

// Spread is what a number was in a span of time.
type Spread struct {
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// GPUStatus is the last sample of a GPU. What its driver does not tell is absent.
type GPUStatus struct {
	Index       int       `json:"index"` // on its host
	At          time.Time `json:"at"`
	Utilization *float64  `json:"utilization,omitempty"` // 0 to 1
	Memory      *float64  `json:"memory_bytes,omitempty"`
	Power       *float64  `json:"power_watts,omitempty"`
	// Energy is what it has used since the agent began; 0: it is not known.
	Energy float64 `json:"energy_joules,omitempty"`
}
