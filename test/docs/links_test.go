package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/disagg/disagg/test/tool"
)

var (
	linkForm = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	codeForm = regexp.MustCompile("`[^`]*`")
)

// withoutBlocks is a page without its fenced blocks.
func withoutBlocks(page string) (lines []string) {
	inside := false
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, fence) {
			inside = !inside
		} else if !inside {
			lines = append(lines, line)
		}
	}
	return lines
}

// anchors lists what can be linked to in a page: its headings, as the forges name them.
func anchors(page string) (list []string) {
	for _, line := range withoutBlocks(page) {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title)))
	}
	return list
}

// deadLinks lists the links of a page that lead nowhere. What is outside of the project is not asked for.
func deadLinks(file, page string) (dead []string) {
	for _, line := range withoutBlocks(page) {
		for _, m := range linkForm.FindAllStringSubmatch(codeForm.ReplaceAllString(line, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			info, err := os.Stat(target)
			switch {
			case err != nil:
				dead = append(dead, fmt.Sprintf("%s: there is no such file", m[1]))
			case anchor == "" || info.IsDir():
			default:
				text, err := os.ReadFile(target)
				if err != nil || !slices.Contains(anchors(string(text)), anchor) {
					dead = append(dead, fmt.Sprintf("%s: there is no such heading", m[1]))
				}
			}
		}
	}
	return dead
}

// Every link of every page leads somewhere.
func TestLinks(t *testing.T) {
	for _, name := range pages(t) {
		file := filepath.Join(tool.Root(), name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range deadLinks(file, string(text)) {
			t.Errorf("%s: %s", name, link)
		}
	}
}

// A link is dead if its file or its heading is not there; what is code is not a link.
func TestDeadLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.md")
	page := code("# One, `two`: 3\n[a](#one-two-3) [b](a.md#one-two-3) [c](.) [d](https://x.y/z)\n`[e](f.md)`\n" +
		"'''\n# Not a heading\n[g](h.md)\n'''\n")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if dead := deadLinks(file, page); len(dead) != 0 {
		t.Errorf("%v", dead)
	}
	for link, want := range map[string]string{
		"[a](b.md)": "no such file", "[a](#two)": "no such heading", "[a](a.md#not-a-heading)": "no such heading",
	} {
		if dead := deadLinks(file, link); len(dead) != 1 || !strings.Contains(dead[0], want) {
			t.Errorf("%s: %v", link, dead)
		}
	}
}
