package testlist

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// condition says which machines and stages the tests of a block are for. Conditions that a list has besides these are
// for other tests.
type condition struct {
	Ranges    map[string]bounds         `yaml:"ranges"`
	Wildcards map[string]patterns       `yaml:"wildcards"`
	Terms     map[string]yamlfile.Block `yaml:"terms"`
}

type bounds struct {
	Least int `yaml:"gte"`
	Most  int `yaml:"lte"`
}

// patterns are one pattern or several.
type patterns []string

func (p *patterns) UnmarshalYAML(n *yamlfile.Node) error {
	var one string
	if n.Decode(&one) == nil {
		*p = patterns{one}
	} else if err := n.Decode((*[]string)(p)); err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: "want a pattern, or a list of them"}
	}
	for _, pattern := range *p {
		if _, err := path.Match(pattern, ""); err != nil { // it would take no name, and its tests would never be run
			return &yamlfile.Error{Line: n.Line, Problem: fmt.Sprintf("%.200q is no pattern: %v", pattern, err)}
		}
	}
	return nil
}

// Filter chooses tests of a list. An empty part chooses all.
type Filter struct {
	Stage    string // of the block: pre_merge, post_merge
	GPU      string // a name that the block's wildcards must match
	Contains string // a part of the id
	// Group is which of so many groups is wanted, from 1; 0 of 0: all of them. A test's place in the list decides its
	// group, so that lists of one test a group need no durations.
	Group, Groups int
}

// ParseSplit reads "N/M", the Nth of M groups.
func ParseSplit(text string) (group, groups int, err error) {
	n, m, ok := strings.Cut(text, "/")
	group, errN := strconv.Atoi(n)
	groups, errM := strconv.Atoi(m)
	if !ok || errN != nil || errM != nil || group < 1 || group > groups {
		return 0, 0, fmt.Errorf("cannot read %q: want N/M, such as 1/4", text)
	}
	return group, groups, nil
}

// Select returns the tests that a filter chooses, each id once.
func Select(tests []Test, f Filter) (chosen []Test) {
	seen := map[string]bool{}
	for _, t := range tests {
		if !seen[t.ID] && f.takes(t) {
			seen[t.ID] = true
			chosen = append(chosen, t)
		}
	}
	if f.Groups == 0 {
		return chosen
	}
	var group []Test
	for i, t := range chosen {
		if i%f.Groups == f.Group-1 {
			group = append(group, t)
		}
	}
	return group
}

// Check refuses a stage that no list has: its blocks would be passed over without a word.
func (f Filter) Check(tests []Test) error {
	known, inBlocks := []string{"pre_merge", "post_merge"}, false
	for _, t := range tests {
		inBlocks = inBlocks || t.block != nil
		if stage, _ := t.stage(); stage != "" && !slices.Contains(known, stage) {
			known = append(known, stage)
		}
	}
	switch {
	case f.Stage == "" || inBlocks && slices.Contains(known, f.Stage):
		return nil
	case !inBlocks:
		return fmt.Errorf("cannot choose stage %q: a list with one test a line has none: leave --stage out", f.Stage)
	}
	return fmt.Errorf("cannot find stage %q: want one of %s", f.Stage, strings.Join(known, ", "))
}

// stage is the stage of its block, "" if what it says is no text; ok is false if it says nothing.
func (t Test) stage() (text string, ok bool) {
	if t.block == nil {
		return "", false
	}
	stage, ok := t.block.Condition.Terms["stage"]
	text, _ = stage.Scalar()
	return text, ok
}

func (f Filter) takes(t Test) bool {
	if f.Contains != "" && !strings.Contains(t.ID, f.Contains) {
		return false
	}
	if t.block == nil {
		return true
	}
	if stage, ok := t.stage(); f.Stage != "" && ok && stage != f.Stage {
		return false
	}
	gpus := t.block.Condition.Wildcards["gpu"]
	return f.GPU == "" || len(gpus) == 0 || slices.ContainsFunc(gpus, func(p string) bool { return matches(p, f.GPU) })
}

// matches tells whether a pattern takes a name, whatever its case.
func matches(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return err == nil && ok
}

// GPUs is how many GPUs the list says that a test has; 0: it does not say.
func (t Test) GPUs() int {
	if t.block == nil {
		return 0
	}
	return t.block.Condition.Ranges["system_gpu_count"].Most
}

// Waived finds the waive of a test, if it is to be left out on a platform: what a waive says of another one does not
// matter, and a marker other than SKIP leaves the test in.
func Waived(waives []Test, t Test, platform string) (reason string, ok bool) {
	for _, w := range waives {
		if w.ID == t.ID && w.Marker == Skip && (w.Scope == "" || strings.EqualFold(w.Scope, platform)) {
			return cmp.Or(w.Reason, "without a reason") + " (" + w.Place + ")", true
		}
	}
	return "", false
}

// inOrder sorts tests by where they stand: lists are read in no order.
func inOrder(tests []Test) {
	lineOf := func(t Test) int {
		n, _ := strconv.Atoi(t.Place[strings.LastIndexByte(t.Place, ':')+1:])
		return n
	}
	slices.SortStableFunc(tests, func(a, b Test) int { return cmp.Compare(lineOf(a), lineOf(b)) })
}
