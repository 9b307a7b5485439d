package rundir

import (
	"path/filepath"
	"strings"
)

// SampledHosts lists the hosts of whose GPUs an attempt's session has samples, sorted.
func (a Attempt) SampledHosts() (hosts []string) {
	for _, f := range filesIn(a.GPULogs(), "", gpuSuffix) {
		hosts = append(hosts, strings.TrimSuffix(filepath.Base(f), gpuSuffix))
	}
	return hosts
}
