package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// Visit is the examinations of nodes, as they arrive line by line, among whatever else the tasks print.
type Visit struct {
	order []string // of the nodes' names
	texts map[string][]byte
	came  map[string]time.Time
	other []string
}

const (
	mostOther   = 20       // lines of something else that are kept, the last
	mostOfANode = 4 << 20  // bytes of one examination
	mostNodes   = 16 << 10 // names are what strangers may print, too
)

// Line takes the next line, and when it came.
func (v *Visit) Line(text string, at time.Time) {
	node, piece, ok := cutLine(text)
	if !ok || len(v.texts[node])+len(piece) > mostOfANode || v.texts[node] == nil && len(v.order) >= mostNodes {
		if text = strings.TrimSpace(text); text != "" {
			v.other = append(v.other[max(0, len(v.other)-mostOther+1):], text)
		}
		return
	}
	if v.texts == nil {
		v.texts, v.came = map[string][]byte{}, map[string]time.Time{}
	}
	if _, known := v.came[node]; !known {
		v.order, v.came[node] = append(v.order, node), at
	}
	v.texts[node] = append(v.texts[node], piece...)
}

// cutLine divides a line of an examination into its node and its part of the text.
func cutLine(text string) (node, piece string, ok bool) {
	rest, ok := strings.CutPrefix(text, protocol.ExaminationMark)
	if !ok {
		return "", "", false
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", "", false
	}
	node, err = strconv.Unquote(quoted)
	piece, spaced := strings.CutPrefix(rest[len(quoted):], " ")
	return node, piece, err == nil && spaced && piece != ""
}

// Examined is what one node has found, and when it was told.
type Examined struct {
	protocol.Examination
	Came time.Time
}

// Nodes are the examinations that are complete, by the nodes' names, and a finding of each that is not.
func (v *Visit) Nodes() (list []Examined, faults []Finding) {
	slices.Sort(v.order)
	for _, node := range v.order {
		e := Examined{Came: v.came[node]}
		err := json.Unmarshal(v.texts[node], &e.Examination)
		if err == nil && (e.Schema != 1 || e.Node != node) {
			err = fmt.Errorf("it is of %q, schema %d", e.Node, e.Schema)
		}
		if err != nil {
			faults = append(faults, Bad("nodes", "install both programs again, together",
				"what %s says cannot be read: %v", node, err))
			continue
		}
		list = append(list, e)
	}
	return list, faults
}

// Other are the last lines of something else.
func (v *Visit) Other() []string { return v.other }
