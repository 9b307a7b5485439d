// Package docs follows the pages of the documentation as a reader would: it writes their files, makes their changes and
// runs their commands in a copy of the project, and compares what is printed.
//
// Rules, for the fenced blocks of a page:
//   - "console": a line that begins with "$ " is a command for bash, which goes on in the next line if it ends with a
//     backslash; the lines below it are what it prints. "..." stands for any text in a line, and for any lines where it
//     is all of a line. A tab counts as a blank. A command must end with code 0.
//   - "LANGUAGE file=PATH": the block is a file of the project, which is written.
//   - "diff file=PATH": a change of a file. Lines that begin with "-" are taken out of it, lines with "+" are put in,
//     and those with a blank must be there; together they must stand in the file exactly once. A line that begins with
//     "@@" divides two changes.
//   - Any other block is shown to the reader and not followed.
//   - The paragraph above a block that names a file names it too, as `PATH`: a rendered page shows no more.
//
// The blocks of a page are followed in their order, in one shell; each page begins with a fresh copy of the project.
package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// block is a fenced block of a page.
type block struct {
	line     int // of the page, where it begins
	language string
	file     string // "" if it names none
	lines    []string
}

// followed tells whether a block is more than text.
func (b block) followed() bool { return b.file != "" || b.language == "console" }

const fence = "```"

// opening is the first line of a block.
var opening = regexp.MustCompile("^```(\\w*)(?: file=(\\S+))?$")

// blocks lists the fenced blocks of a page.
func blocks(page string) (list []block, err error) {
	var open *block
	lines := strings.Split(page, "\n")
	for i, line := range lines {
		switch {
		case !strings.HasPrefix(line, fence):
			if open != nil {
				open.lines = append(open.lines, line)
			}
		case open == nil:
			m := opening.FindStringSubmatch(line)
			if m == nil {
				return nil, fmt.Errorf("line %d: %s: want LANGUAGE, or LANGUAGE file=PATH", i+1, line)
			}
			open = &block{line: i + 1, language: m[1], file: m[2]}
			if open.file != "" && !strings.Contains(above(lines[:i]), "`"+open.file+"`") {
				return nil, fmt.Errorf("line %d: say above the block that it is `%s`", i+1, open.file)
			}
		case line == fence:
			list, open = append(list, *open), nil
		default:
			return nil, fmt.Errorf("line %d: a block begins inside of the one of line %d", i+1, open.line)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block does not end", open.line)
	}
	return list, nil
}

// above is the last paragraph of some lines.
func above(lines []string) string {
	end := len(lines)
	for end > 0 && lines[end-1] == "" {
		end--
	}
	start := end
	for start > 0 && lines[start-1] != "" {
		start--
	}
	return strings.Join(lines[start:end], " ")
}

// command is a command of a page, and the lines that it prints.
type command struct {
	text   string
	output []string
}

// commands reads a block of commands.
func commands(b block) (list []command, err error) {
	continued := false
	for i, line := range b.lines {
		text, begins := strings.CutPrefix(line, "$ ")
		switch {
		case continued:
			list[len(list)-1].text += "\n" + line
		case begins:
			list = append(list, command{text: text})
		case len(list) == 0:
			return nil, fmt.Errorf("line %d: output without a command: want a line that begins with \"$ \"", b.line+1+i)
		default:
			last := &list[len(list)-1]
			last.output = append(last.output, line)
		}
		continued = (continued || begins) && strings.HasSuffix(line, `\`)
	}
	return list, nil
}

const anything = "..."

// fetched is what go prints where a module was never used before.
var fetched = regexp.MustCompile(`(?m)^go: downloading .*\n`)

// matches tells whether a command printed what its page says.
func (c command) matches(printed string) bool {
	var form strings.Builder
	form.WriteString(`\A`)
	for _, line := range c.output {
		if strings.TrimSpace(line) == anything {
			form.WriteString(`(?:.*\n)*`)
			continue
		}
		form.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), regexp.QuoteMeta(anything), `.*`) + `\n`)
	}
	printed = strings.ReplaceAll(fetched.ReplaceAllString(printed, ""), "\t", " ")
	if printed != "" && !strings.HasSuffix(printed, "\n") {
		printed += "\n"
	}
	return regexp.MustCompile(form.String() + `\z`).MatchString(printed)
}

// change applies a block of changes to a file's text.
func change(text string, b block) (string, error) {
	lines := strings.Split(text, "\n")
	var old, fresh []string
	apply := func() error {
		at, times := 0, 0
		for i := 0; len(old) > 0 && i+len(old) <= len(lines); i++ {
			if slices.Equal(lines[i:i+len(old)], old) {
				at = i
				times++
			}
		}
		if times != 1 {
			return fmt.Errorf("line %d: cannot change %s: these lines stand in it %d times, and not once:\n%s",
				b.line, b.file, times, strings.Join(old, "\n"))
		}
		lines = slices.Concat(lines[:at], fresh, lines[at+len(old):])
		old, fresh = nil, nil
		return nil
	}
	for _, l := range b.lines {
		if strings.HasPrefix(l, "@@") {
			if err := apply(); err != nil {
				return "", err
			}
			continue
		}
		if l == "" { // editors take the blank away
			l = " "
		}
		if l[0] != '+' {
			old = append(old, l[1:])
		}
		if l[0] != '-' {
			fresh = append(fresh, l[1:])
		}
	}
	err := apply()
	return strings.Join(lines, "\n"), err
}
