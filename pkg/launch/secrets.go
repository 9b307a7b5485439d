package launch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/logtee"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
)

// hideSecrets hides secrets in what a case says of itself for others to read: it goes into records and databases,
// reports and notices. What roles are started with stays, in files that only their owner can read.
func hideSecrets(c *roles.Case) {
	var env []string
	for _, vars := range c.Env {
		for _, v := range vars {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	hide := logtee.NewRedactor(env).Text
	c.Document = hidden(c.Document, hide)
	c.PointDocuments, c.Settings = slices.Clone(c.PointDocuments), slices.Clone(c.Settings)
	for i, doc := range c.PointDocuments {
		c.PointDocuments[i] = hidden(doc, hide)
	}
	for i, s := range c.Settings {
		c.Settings[i].Value = hide(s.Value)
	}
}

// hidden is a document with its texts as hide leaves them.
func hidden(doc map[string]any, hide func(string) string) map[string]any {
	doc = maps.Clone(doc)
	for name, v := range doc {
		if text, ok := v.(string); ok {
			doc[name] = hide(text)
		}
	}
	return doc
}

// Shown are differences between plans as they are shown to people, without what variables hold of secrets.
func Shown(list []plan.Difference) []plan.Difference {
	shown := slices.Clone(list)
	for i, d := range list {
		shown[i].A, shown[i].B = valueShown(d.Path, d.A), valueShown(d.Path, d.B)
	}
	return shown
}

// valueShown is a plan's value under a path: what ends the path, such as the name of a variable, tells what it is.
func valueShown(path string, v any) any {
	if text, ok := v.(string); ok {
		name := path[strings.LastIndexByte(path, '.')+1:] + "="
		hide := logtee.NewRedactor([]string{name + text}).Text // it knows the value as a whole, which may have blanks
		return strings.TrimPrefix(hide(name+text), name)
	}
	hide := logtee.NewRedactor(nil).Text
	if data, err := json.Marshal(v); err == nil {
		if hidden := hide(string(data)); hidden != string(data) {
			return hidden
		}
	}
	return v
}
