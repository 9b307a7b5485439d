package preflight

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// Fabric asks nvidia-smi for the NVLink fabric that this host's GPUs are part of. It takes a second or more; what is
// not told is empty.
func (h Host) Fabric(ctx context.Context) protocol.Fabric {
	out, code, err := h.Run(ctx, smi, "-q")
	if err != nil || code != 0 {
		return protocol.Fabric{}
	}
	return fabric(string(out))
}

// fabric reads the block "Fabric" of each GPU. GPUs that differ are told as such.
func fabric(text string) (f protocol.Fabric) {
	states, domains := map[string]bool{}, map[string]bool{}
	inside, indent, clique := false, 0, ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " \t")
		depth := len(line) - len(trimmed)
		key, value, found := strings.Cut(trimmed, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !found && key == "Fabric":
			inside, indent, clique = true, depth, ""
		case inside && key != "" && depth <= indent:
			inside = false
		case !inside || value == "" || value == "N/A":
		case key == "State":
			states[value] = true
		case key == "CliqueId":
			clique = value
		case key == "ClusterUUID":
			domains[value+"."+clique] = true
		}
	}
	f.State = strings.Join(slices.Sorted(maps.Keys(states)), ", ")
	f.Domain = strings.Join(slices.Sorted(maps.Keys(domains)), ", ")
	return f
}

// HasPeerMemory tells whether a kernel module lets network cards read and write the memory of GPUs.
func (h Host) HasPeerMemory() bool {
	modules, _ := os.ReadFile(filepath.Join(orElse(h.Proc, "/proc"), "modules")) // none: there is no such module
	for line := range bytes.Lines(modules) {
		name, _, _ := bytes.Cut(line, []byte(" "))
		if s := string(name); s == "nvidia_peermem" || s == "nv_peer_mem" {
			return true
		}
	}
	return false
}
