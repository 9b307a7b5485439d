package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// Manual is the manual page of a program, in the macros of man(7): what --help tells of it and of every command.
func Manual(app *cli.App) string {
	m := &manual{program: app.Name}
	m.macro("TH", strings.ToUpper(app.Name), "1", "", "disagg", "User Commands")
	m.macro("SH", "NAME")
	m.text(app.Name + " - " + app.Usage)
	m.macro("SH", "SYNOPSIS")
	m.usage(app.Name, app.Flags, app.ArgsUsage)
	m.usage(app.Name+" COMMAND", nil, "[ARGUMENT…]")
	m.macro("SH", "DESCRIPTION")
	m.description(app.Description)
	if len(app.Flags) > 0 {
		m.macro("SH", "OPTIONS")
		m.flags(app.Flags)
	}
	m.macro("SH", "COMMANDS")
	m.commands(app.Name, app.Commands)
	return m.String()
}

// manual is a manual page that is being written.
type manual struct {
	strings.Builder
	program string
}

// macro writes a line that troff acts on.
func (m *manual) macro(name string, arguments ...string) {
	m.WriteString("." + name)
	for _, a := range arguments {
		m.WriteString(` "` + strings.ReplaceAll(troff(a), `"`, `\(dq`) + `"`)
	}
	m.WriteByte('\n')
}

// text writes a line as it is read. A point or an apostrophe at its beginning would be a macro's.
func (m *manual) text(line string) {
	line = troff(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	m.WriteString(line + "\n")
}

// troff quotes what troff would act on.
func troff(text string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) }

func (m *manual) usage(command string, flags []cli.Flag, arguments string) {
	m.macro("B", command)
	if len(flags) > 0 {
		m.text("[OPTION…]")
	}
	if arguments != "" {
		m.text(arguments)
	}
	m.macro("br")
}

// description writes paragraphs, and examples as they stand.
func (m *manual) description(text string) {
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		m.macro("PP")
		asItStands := false
		for line := range strings.Lines(paragraph) {
			line = strings.TrimSuffix(line, "\n")
			if indented := strings.HasPrefix(line, "  "); indented != asItStands {
				m.macro(map[bool]string{true: "EX", false: "EE"}[indented])
				asItStands = indented
			}
			m.text(line)
		}
		if asItStands {
			m.macro("EE")
		}
	}
}

func (m *manual) commands(parent string, commands []*cli.Command) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		whole := parent + " " + c.Name
		m.macro("SS", strings.TrimSpace(whole+" "+c.ArgsUsage))
		m.text(strings.ToUpper(c.Usage[:1]) + c.Usage[1:] + ".")
		if c.Description != "" {
			m.description(c.Description)
		}
		m.flags(c.Flags)
		m.commands(whole, c.Subcommands)
	}
}

func (m *manual) flags(flags []cli.Flag) {
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if !ok || isHidden(f) || f.Names()[0] == "help" {
			continue
		}
		m.macro("TP")
		m.macro("B", title(d))
		m.text(strings.ReplaceAll(d.GetUsage(), "`", ""))
		if text := standing(d); text != "" {
			m.text(text)
		}
	}
}

// title is how a flag is typed, such as "-k, --select TEXT".
func title(f cli.DocGenerationFlag) string {
	var names []string
	for _, n := range f.Names() {
		names = append(names, dashed(n))
	}
	text := strings.Join(names, ", ")
	if !f.TakesValue() {
		return text
	}
	if value := inBackquotes(f.GetUsage()); value != "" {
		return text + " " + value
	}
	return text + " VALUE"
}

// standing is what holds if a flag is not given; "" if nothing is to be said.
func standing(f cli.DocGenerationFlag) string {
	var parts []string
	if text := f.GetDefaultText(); text != "" && f.TakesValue() {
		parts = append(parts, "default: "+text)
	}
	for _, v := range f.GetEnvVars() {
		parts = append(parts, "$"+v+" stands for it")
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("(%s)", strings.Join(parts, "; "))
}
