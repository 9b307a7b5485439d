package known

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/yamlfile"
)

//go:embed causes.yaml
var catalogue []byte

// Cause is a known cause of failures.
type Cause struct {
	ID string `yaml:"id"` // unique, of words with dashes between them
	Of string `yaml:"of"` // what says so: CUDA, NCCL, Slurm
	// Match are regular expressions, regardless of case; one of them is enough.
	Match []string `yaml:"match"`
	Words string   `yaml:"words"` // what it means, after a subject: "ran out of device memory"
	// Keys are settings of the role, with dots between their levels, that the hint names as {keys}.
	Keys []string `yaml:"keys"`
	Hint string   `yaml:"hint"` // what to look at, or to change; "": nothing is nearly always right

	patterns []*regexp.Regexp
}

// Values are what words and hints may name, by the names that stand in braces.
type Values map[string]string

// All lists the catalogue, in its order.
func All() []Cause { return causes() }

// causes is the catalogue, read once. That it can be read is tested.
var causes = sync.OnceValue(func() []Cause {
	list, err := read("causes.yaml", catalogue)
	if err != nil {
		panic(err)
	}
	return list
})

// read reads a catalogue.
func read(file string, text []byte) ([]Cause, error) {
	var doc struct {
		Causes []Cause `yaml:"causes"`
	}
	if err := yamlfile.Decode(file, text, &doc); err != nil {
		return nil, err
	}
	for i := range doc.Causes {
		c := &doc.Causes[i]
		for _, m := range c.Match {
			p, err := regexp.Compile("(?i)" + m)
			if err != nil {
				return nil, fmt.Errorf("cannot read %s: cause %s: %w", file, c.ID, err)
			}
			c.patterns = append(c.patterns, p)
		}
	}
	return doc.Causes, nil
}

// Match is a known cause, with the values that the line which matched holds.
type Match struct {
	Cause
	Values Values
	Text   string // that matched
}

// Find finds the cause that one of the texts tells of: the first text that tells of any. It tells whether there is one.
func Find(texts ...string) (Match, bool) {
	for _, text := range texts {
		for _, c := range causes() {
			if v, ok := c.match(text); ok {
				return Match{c, v, text}, true
			}
		}
	}
	return Match{}, false
}

func (c Cause) match(text string) (Values, bool) {
	for _, p := range c.patterns {
		found := p.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		v := Values{}
		for i, name := range p.SubexpNames() {
			if name != "" && found[i] != "" {
				v[name] = found[i]
			}
		}
		return v, true
	}
	return nil, false
}

// Say is what happened, in words that follow a subject.
func (m Match) Say() string {
	text, _ := fill(m.Words, m.Values)
	return text
}

// Advice is the hint, "" if there is none or a value that it names is not known.
func (m Match) Advice(known Values) string {
	text, ok := fill(m.Hint, m.Values, known)
	if !ok {
		return ""
	}
	return text
}

var place = lazyregexp.New(`\{([a-z_]+)\}`)

// fill puts values into a text; ok tells whether all are known.
func fill(text string, values ...Values) (filled string, ok bool) {
	ok = true
	filled = place().ReplaceAllStringFunc(text, func(name string) string {
		name = strings.Trim(name, "{}")
		for _, v := range values {
			if value := v[name]; value != "" {
				return value
			}
		}
		ok = false
		return "?"
	})
	return filled, ok
}
