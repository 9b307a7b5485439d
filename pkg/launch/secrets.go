package launch

import (
	"maps"
	"slices"

	"github.com/disagg/disagg/pkg/logtee"
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
