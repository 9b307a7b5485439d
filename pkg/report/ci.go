package report

import (
	"fmt"
	"strings"
	"time"
)

// CI is how a CI server wants errors and groups of lines to be marked in a job's log. The zero value marks nothing.
type CI struct {
	annotate   func(f Failure, text string) string
	begin, end func(name, title string, at time.Time) string
}

// CIOf is the CI server that a job runs in, as its environment tells. Without one the zero value is returned.
func CIOf(env func(name string) string) CI {
	switch {
	case env("GITHUB_ACTIONS") == "true":
		return CI{annotate: githubError, begin: githubBegin, end: githubEnd}
	case env("BUILDKITE") == "true":
		return CI{begin: buildkiteBegin}
	case env("GITLAB_CI") == "true":
		return CI{begin: gitlabBegin, end: gitlabEnd}
	}
	return CI{}
}

// Groups tells whether groups of lines can be marked.
func (c CI) Groups() bool { return c.begin != nil }

// Annotation is the failure as a line that the server shows beside the job, "" if it takes none.
func (c CI) Annotation(m Model) string {
	if c.annotate == nil || m.Failure == nil {
		return ""
	}
	return c.annotate(*m.Failure, strings.Join(Screen{}.Failure(m), "\n"))
}

// Group is lines as a group, which the server shows folded. Without groups there is nothing to be shown.
func (c CI) Group(name, title string, lines []string, at time.Time) []string {
	if !c.Groups() {
		return nil
	}
	out := []string{c.begin(name, Printable(title), at)}
	for _, l := range lines {
		out = append(out, harmless(gutter+Printable(l)))
	}
	if c.end != nil {
		out = append(out, c.end(name, title, at))
	}
	return out
}

// gutter stands before lines of a log.
const gutter = "| "

// harmless is a line that no CI server takes for a command of the job, as GitHub does with "::" where a line begins,
// and with "##[" anywhere.
func harmless(line string) string {
	line = strings.ReplaceAll(line, "##[", "##·[")
	if strings.HasPrefix(strings.TrimLeft(line, " "), "::") {
		return gutter + line
	}
	return line
}

// githubError is an error of GitHub's actions: a command, whose line breaks and signs are escaped.
func githubError(f Failure, text string) string {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	return fmt.Sprintf("::error title=%s::%s", property.Replace(f.Headline()), message.Replace(text))
}

func githubBegin(_, title string, _ time.Time) string { return "::group::" + title }

func githubEnd(string, string, time.Time) string { return "::endgroup::" }

func buildkiteBegin(_, title string, _ time.Time) string { return "--- " + title }

// gitlabBegin begins a section of GitLab, folded. Its escape sequences erase the mark itself.
func gitlabBegin(name, title string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K%s", at.Unix(), name, title)
}

func gitlabEnd(name, _ string, at time.Time) string {
	return fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K", at.Unix(), name)
}
