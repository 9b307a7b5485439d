package slurm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// optionLine is the options of a plan's job as they stand on a command line.
func optionLine(p plan.Plan) string {
	var words []string
	for _, o := range batchOptions(p) {
		words = append(words, o.argument())
	}
	return " " + strings.Join(words, " ") + " "
}

// Each option of a profile is one of the job, and an empty one is none.
func TestOptionsOfProfile(t *testing.T) {
	yes, no := true, false
	base := examinedPlan(t)
	base.Cluster = profile.Profile{}
	for name, tt := range map[string]struct {
		change func(*profile.Profile)
		want   string
		not    string
	}{
		"bare": {
			func(*profile.Profile) {}, "--exclusive",
			"--gres --gpus --segment --partition --account --qos --constraint --reservation --licenses --exclude",
		},
		"exclusive":   {func(p *profile.Profile) { p.Exclusive = &yes }, "--exclusive", ""},
		"shared":      {func(p *profile.Profile) { p.Exclusive = &no }, "", "--exclusive"},
		"GPUs":        {func(p *profile.Profile) { p.GPUs = profile.GPUsPerNode }, "--gpus-per-node=4", "--gres"},
		"gres":        {func(p *profile.Profile) { p.GPUs = profile.GPUsGRES }, "--gres=gpu:4", "--gpus-per-node"},
		"no GPUs":     {func(p *profile.Profile) { p.GPUs = profile.GPUsNone }, "", "--gpus-per-node --gres"},
		"segment":     {func(p *profile.Profile) { p.Segment = true }, "--segment=3", ""},
		"partition":   {func(p *profile.Profile) { p.Partition = "a" }, "--partition=a", ""},
		"account":     {func(p *profile.Profile) { p.Account = "a" }, "--account=a", ""},
		"QOS":         {func(p *profile.Profile) { p.QOS = "a" }, "--qos=a", ""},
		"constraint":  {func(p *profile.Profile) { p.Constraint = "a" }, "--constraint=a", ""},
		"reservation": {func(p *profile.Profile) { p.Reservation = "a" }, "--reservation=a", ""},
		"licences":    {func(p *profile.Profile) { p.Licenses = "a:2" }, "--licenses=a:2", ""},
		"nodes":       {func(p *profile.Profile) { p.Exclude = "n[1-2]" }, "--exclude=n[1-2]", ""},
		"arguments":   {func(p *profile.Profile) { p.SbatchArgs = []string{"--x=a=b", "--y"} }, "--x=a=b --y", ""},
		"comment":     {func(p *profile.Profile) { p.Comment = "a" }, "--comment=a", "disagg:"},
		"no comment":  {func(*profile.Profile) {}, "--comment=disagg:0f0e0d", ""},
		"their comment": {
			func(p *profile.Profile) { p.SbatchArgs = []string{"--comment=b"} }, "--comment=b", "disagg:",
		},
	} {
		p := base
		tt.change(&p.Cluster)
		line := optionLine(p)
		if !strings.Contains(line, " "+tt.want) && tt.want != "" {
			t.Errorf("%s: no %s in %s", name, tt.want, line)
		}
		for _, not := range strings.Fields(tt.not) {
			if strings.Contains(line, not) {
				t.Errorf("%s: %s in %s", name, not, line)
			}
		}
	}
}

// A job of several runs asks for what the largest of them needs.
func TestOptionsOfSeries(t *testing.T) {
	p := examinedPlan(t)
	p.Cluster.Segment, p.Series = true, &plan.Series{Nodes: 9, Time: roles.Duration(26*time.Hour + time.Millisecond)}
	for _, want := range []string{"--nodes=9 ", "--segment=9 ", "--time=26:00:01 "} {
		if line := optionLine(p); !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
}

// A job is warned early enough to end in order, unless it is so short that it would be warned at once.
func TestWarning(t *testing.T) {
	second := roles.Duration(time.Second)
	for jobTime, want := range map[time.Duration]int{
		time.Hour: 70, 6*time.Minute + 10*time.Second: 70, 369 * time.Second: 0,
	} {
		p := plan.Plan{Timeouts: roles.Timeouts{
			Job: roles.Duration(jobTime), Stop: 10 * second, Settle: 20 * second, Upload: 30 * second,
		}}
		if got := warning(p); got != want {
			t.Errorf("%v: %d s before, want %d", jobTime, got, want)
		}
		if has := strings.Contains(optionLine(p), " --signal=USR1@70 "); has != (want > 0) {
			t.Errorf("%v: %s", jobTime, optionLine(p))
		}
	}
}

// A limit is never shorter than what is asked for, and days are hours.
func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "00:00:01", time.Nanosecond: "00:00:01", 0: "00:00:00", 61 * time.Second: "00:01:01",
		100*time.Hour + 59*time.Minute: "100:59:00", time.Hour - time.Millisecond: "01:00:00",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// What every reader agrees on stays as it is; anything else stands in quotes, with quotes and backslashes marked.
func TestDirectiveValue(t *testing.T) {
	for value, want := range map[string]string{
		"azAZ09-_.,:/=@%+": "azAZ09-_.,:/=@%+", "a b": `"a b"`, `a"b\`: `"a\"b\\"`, "ä": `"ä"`, "$x": `"$x"`,
		"#": `"#"`,
		"`": "\"`\"", "{": `"{"`, "[": `"["`, "^": `"^"`, ";": `";"`, "'": `"'"`, "": `""`,
	} {
		if got := directiveValue(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// sbatchValue reads a value as sbatch's reader of directives does: quotes group, a backslash marks.
func sbatchValue(text string) (value string, whole bool) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '#'):
			return b.String(), false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), !quoted
}

// Whatever a value is, sbatch reads one value, the same.
func FuzzDirectiveValue(f *testing.F) {
	f.Add(`a b" --nodes=99`)
	f.Add(`\`)
	f.Add(`#"\"`)
	f.Fuzz(func(t *testing.T, value string) {
		lines, err := directives([]option{{"--x", value}})
		if err != nil {
			if !profile.HasControl(value) {
				t.Errorf("%q: %v", value, err)
			}
			return
		}
		text, ok := strings.CutPrefix(lines[0], "--x=")
		if got, whole := sbatchValue(text); value != "" && (!ok || got != value || !whole) {
			t.Errorf("%q is read as %q from %s", value, got, lines[0])
		}
	})
}

// In the pattern of the output only the job's id is Slurm's.
func TestOutputPattern(t *testing.T) {
	for dir, want := range map[string]string{"/r": "/r/slurm-%j.out", "/r%j/%": "/r%%j/%%/slurm-%j.out"} {
		if got := outputPattern(dir); got != want {
			t.Errorf("%s: %s", dir, got)
		}
	}
}

// A script that cannot be quoted, or whose steps cannot, is refused as a whole.
func TestUnquotable(t *testing.T) {
	for name, change := range map[string]func(*plan.Plan){
		"run directory": func(p *plan.Plan) { p.RunDir = "/a\x00" },
		"agent":         func(p *plan.Plan) { p.Agent = "a\x00" },
		"a step":        func(p *plan.Plan) { p.Cluster.SrunArgs = []string{"--x=a\x00"} },
	} {
		p := planIn(t, "/r", roles.Server{Count: 1, GPUs: 1}, roles.Server{}, defaults(t))
		change(&p)
		text, err := Slurm{}.Script(p)
		if err == nil || text != "" || !strings.HasPrefix(err.Error(), "cannot render batch script: ") {
			t.Errorf("%s: %v, %s", name, err, text)
		}
	}
}

// The script tells people how many runs follow, and of several servers of a kind only the first one's step.
func TestScriptForPeople(t *testing.T) {
	p := planIn(t, "/r", roles.Server{Count: 3, GPUs: 8}, roles.Server{}, defaults(t))
	p.Series = &plan.Series{Runs: []string{"/b", "/c"}, Nodes: 6, Time: roles.Duration(time.Hour)}
	text := script(t, p)
	for _, want := range []string{
		"# disagg-e2e-case on 6 nodes, recipe trtllm-serve, run 0f0e0d0c, and 2 more runs after it\n",
		"   (and 2 more, each 2 nodes further on)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "GEN_1") || strings.Count(text, "--job-name=GEN_0") != 1 {
		t.Errorf("%s", text)
	}
}

// Options that are no directive's are left to sbatch by their name alone.
func TestOptionWithoutValue(t *testing.T) {
	lines, err := directives([]option{{"--requeue", ""}, {"--x", "1"}})
	if err != nil || !slices.Equal(lines, []string{"--requeue", "--x=1"}) {
		t.Errorf("%q, %v", lines, err)
	}
	_, err = directives([]option{{"--a\n", ""}})
	if err == nil || !strings.Contains(err.Error(), "control character") {
		t.Errorf("%v", err)
	}
}
