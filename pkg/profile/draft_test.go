package profile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/profile"
)

// A draft has its notes first, then what every profile must have, then what was set: notes after their keys, in a
// column where there is room, and above a key of several lines. What is empty is left out.
func TestDraft(t *testing.T) {
	d := profile.NewDraft("ours", "made of\n  this", "and that")
	d.Set("partition", "gpu", "the default")
	d.Set("account", "", "nobody knows")
	d.Set("reservation", strings.Repeat("r", 40), "long")
	d.Set("unset", []string{"A", "B"}, "several")
	d.Set("bash", "/bin/bash", "")
	d.Note("", "a tab\tand a bell\x07")
	d.Offer("qos", "high", "if you may")
	d.Offer("env", map[string]string{"A": "1"}, "others")
	d.Offer("comment", "", "nothing")
	want := `# made of this
# and that
schema: 1
name: ours
partition: gpu                     # the default
reservation: ` + strings.Repeat("r", 40) + `  # long
# several
unset:
    - A
    - B
bash: /bin/bash
# 
# a tab and a bell?
# qos: high                          # if you may
# others
# env:
#     A: "1"
`
	if diff := cmp.Diff(want, string(d.Text())); diff != "" {
		t.Error(diff)
	}
}

// broken cannot be written.
type broken struct{}

// MarshalYAML fails.
func (broken) MarshalYAML() (any, error) { return nil, errors.New("why\nnot") }

// What cannot be written is a note that says why: a draft can always be read.
func TestDraftOfWhatCannotBe(t *testing.T) {
	d := profile.NewDraft("x")
	d.Set("gpus", broken{}, "")
	lines := strings.Split(strings.TrimSpace(string(d.Text())), "\n")
	if last := lines[len(lines)-1]; len(lines) != 3 || !strings.HasPrefix(last, "# ") ||
		!strings.HasSuffix(last, "why not") {
		t.Errorf("%q", lines)
	}
	if _, err := profile.Parse("x.yaml", d.Text()); err != nil {
		t.Error(err)
	}
}

// FuzzDraft makes sure that whatever a cluster says, a draft is a profile that says the same, and that no note is more
// than one.
func FuzzDraft(f *testing.F) {
	f.Add("gpu", "a note")
	f.Add("a: b # c", "x\ny: z")
	f.Add("'\"\\", "\x00\xff\u2028\u0085")
	f.Add("- - {", "# #")
	f.Add("true", "~")
	f.Fuzz(func(t *testing.T, value, note string) {
		if profile.HasControl(value) || strings.ToValidUTF8(value, "") != value {
			return
		}
		d := profile.NewDraft("x", note)
		d.Set("partition", value, note)
		d.Offer("account", value, note)
		d.Set("upload", []string{value}, note)
		p, err := profile.Parse("x.yaml", d.Text())
		if err != nil {
			t.Fatalf("%v:\n%s", err, d.Text())
		}
		if p.Partition != value || p.Account != "" || len(p.Upload) != 1 || p.Upload[0] != value {
			t.Errorf("%q became %q, %q, with an account of %q:\n%s", value, p.Partition, p.Upload, p.Account, d.Text())
		}
	})
}
