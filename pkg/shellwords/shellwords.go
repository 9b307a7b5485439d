package shellwords

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Split splits a text as a shell would, quotes and backslashes included. What a shell would expand (variables,
// commands) is refused: its meaning would depend on the host that expands it.
func Split(text string) ([]string, error) {
	if strings.ContainsRune(text, 0) { // a shell drops it, and no program can be given it
		return nil, fmt.Errorf("cannot split %.200q into words: it has a NUL character", text)
	}
	var words []string
	p := syntax.NewParser(syntax.Variant(syntax.LangBash))
	for w, err := range p.WordsSeq(strings.NewReader(text)) {
		var b strings.Builder
		if err == nil {
			err = literal(&b, w.Parts, false)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot split %.200q into words: %w", text, err)
		}
		words = append(words, b.String())
	}
	return words, nil
}

func literal(b *strings.Builder, parts []syntax.WordPart, quoted bool) error {
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(part.Value, quoted))
		case *syntax.SglQuoted:
			if part.Dollar { // $'…', in which \n is the end of a line
				return expanded(part)
			}
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			if err := literal(b, part.Parts, true); err != nil {
				return err
			}
		default:
			return expanded(part)
		}
	}
	return nil
}

func expanded(part syntax.WordPart) error {
	return fmt.Errorf("column %d would be expanded by a shell: write the value, or quote it with '…'", part.Pos().Col())
}

// unescape removes a shell's backslashes: before any character outside quotes, before $ ` " \ inside double ones.
func unescape(s string, quoted bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (!quoted || strings.IndexByte("$`\"\\", s[i+1]) >= 0) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
