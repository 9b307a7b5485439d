package exposition_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/exposition"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// says checks that a text has some lines, and none of others.
func says(t *testing.T, text []byte, lines, none string) {
	t.Helper()
	for line := range strings.SplitSeq(lines, "\n") {
		if line != "" && !strings.Contains("\n"+string(text), "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	for word := range strings.FieldsSeq(none) {
		if strings.Contains(string(text), word) {
			t.Errorf("%s in\n%s", word, text)
		}
	}
}

// What is not known is absent: no moment before time began, no age of output that never came, no GPU without numbers.
func TestUnknownIsAbsent(t *testing.T) {
	s := loading()
	s.Child = &protocol.ChildStatus{}
	s.Service = &protocol.ServiceStatus{Ready: true, Probe: &protocol.ProbeStatus{Healthy: true}}
	s.GPUs = []protocol.GPUStatus{{Index: 0, Energy: 5}, {Index: 1}}
	says(t, exposition.Text(s),
		"disagg_child_resident_memory_bytes 0\ndisagg_service_ready 1\ndisagg_probe_healthy 1",
		"disagg_child_start_timestamp disagg_child_output_age disagg_child_progress disagg_probe_timestamp disagg_gpu_")
	parse(t, exposition.Text(s))
	s.Child, s.Service = nil, nil
	says(t, exposition.Text(s), `disagg_agent_info{version="1.2.3"} 1`,
		"disagg_child disagg_service disagg_probe disagg_job")
}

// Each number is in Prometheus' base unit, of the device that it is of; energy is told of what tells its power.
func TestUnits(t *testing.T) {
	s := loading()
	s.Child.StartedAt = time.UnixMilli(1500)
	s.GPUs = append(s.GPUs, protocol.GPUStatus{Index: 7, Power: number(0), Energy: 3})
	says(t, exposition.Text(s), `disagg_child_start_timestamp_seconds 1.5
disagg_child_output_age_seconds 2.5
disagg_child_progress_ratio{what="weights"} 0.61
disagg_gpu_utilization_ratio{device="0"} 0.25
disagg_gpu_memory_used_bytes{device="1"} 1.073741824e+09
disagg_gpu_power_watts{device="7"} 0
disagg_gpu_energy_joules_total{device="7"} 3`, `power_watts{device="1"} energy_joules_total{device="1"}`)
}

// Of a stage, and of a phase, exactly one word holds; a word that is none of them holds nowhere.
func TestOneWordHolds(t *testing.T) {
	s := measuring()
	for _, stage := range append(protocol.Stages(), "moonstruck") {
		s.Stage, s.Job.Phase = stage, protocol.Phases()[0]
		text := string(exposition.Text(s))
		want := 1
		if stage == "moonstruck" {
			want = 0
		}
		if got := strings.Count(text, "disagg_rank_stage{stage=\""+string(stage)+"\"} 1\n"); got != want {
			t.Errorf("%s holds %d times", stage, got)
		}
		if n := strings.Count(text, "\ndisagg_rank_stage{"); n != len(protocol.Stages()) {
			t.Errorf("%d stages", n)
		}
		if n := strings.Count(text, "\ndisagg_job_phase{"); n != len(protocol.Phases()) {
			t.Errorf("%d phases", n)
		}
	}
}

// Points are counted by what became of them; more of them than were asked for make no negative number.
func TestPointsAreCounted(t *testing.T) {
	s := measuring()
	for points, want := range map[int][3]int{6: {3, 1, 2}, 4: {3, 1, 0}, 1: {3, 1, 0}, 0: {3, 1, 0}} {
		s.Points = points
		s.Job.Points = []protocol.Point{{}, {}, {Invalid: "x"}, {}}
		says(t, exposition.Text(s), fmt.Sprintf("disagg_run_points{state=\"counts\"} %d\n"+
			"disagg_run_points{state=\"invalid\"} %d\ndisagg_run_points{state=\"not_run\"} %d",
			want[0], want[1], want[2]), "")
	}
	s.Job.Cause = nil
	says(t, exposition.Text(s), "", "disagg_run_first_cause")
}

// Every number of a role is its own.
func TestRolesAreTold(t *testing.T) {
	s := measuring()
	s.Job.Roles = []protocol.RoleState{
		{Role: roles.Role{Kind: roles.Ctx, Index: 2}, Ranks: 5, Attached: 4, Started: 3, Exited: 2, Gone: 1},
	}
	says(t, exposition.Text(s), `disagg_role_ranks{of_role="CTX_2",state="planned"} 5
disagg_role_ranks{of_role="CTX_2",state="attached"} 4
disagg_role_ranks{of_role="CTX_2",state="started"} 3
disagg_role_ranks{of_role="CTX_2",state="exited"} 2
disagg_role_ranks{of_role="CTX_2",state="gone"} 1
disagg_role_ready{of_role="CTX_2"} 0`, "GEN_0")
	s.Job.Roles = nil
	says(t, exposition.Text(s), "", "disagg_role_")
}
