package profile

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Draft is a profile that is written for a person to look over, key by key.
type Draft struct {
	lines []string
}

// NewDraft is a draft with what every profile must have. The notes tell where it is from.
func NewDraft(name string, notes ...string) *Draft {
	d := &Draft{}
	d.Note(notes...)
	d.Set("schema", 1, "")
	d.Set("name", name, "")
	return d
}

// Note adds lines that only people read.
func (d *Draft) Note(notes ...string) {
	for _, n := range notes {
		d.lines = append(d.lines, "# "+oneLine(n))
	}
}

// Set adds a key. Nothing is added for a text that is empty.
func (d *Draft) Set(key string, value any, note string) {
	if value == "" {
		return
	}
	text, err := yamlfile.Encode(key, value)
	if text = strings.TrimRight(text, "\n"); err != nil {
		text = "# " + oneLine(err.Error())
	}
	if note = oneLine(note); note != "" && strings.Contains(text, "\n") {
		d.lines = append(d.lines, "# "+note)
	} else if note != "" {
		text += fmt.Sprintf("%*s# %s", max(2, noteColumn-len(text)), "", note)
	}
	d.lines = append(d.lines, text)
}

// noteColumn is where notes after keys begin, if the key leaves room.
const noteColumn = 35

// Offer adds a key that is switched off: a choice that a person may want.
func (d *Draft) Offer(key string, value any, note string) {
	other := &Draft{}
	other.Set(key, value, note)
	for _, text := range other.lines {
		for l := range strings.SplitSeq(text, "\n") {
			d.lines = append(d.lines, "# "+strings.TrimPrefix(l, "# "))
		}
	}
}

// Text is the draft as YAML.
func (d *Draft) Text() []byte { return []byte(strings.Join(d.lines, "\n") + "\n") }

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '?' // no comment of YAML may hold it
		}
		return r
	}, text)
}
