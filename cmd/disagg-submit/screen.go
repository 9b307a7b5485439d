package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/term"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/live"
)

// screen is what a job that is watched is shown on: lines, and on a terminal a block below them that is drawn again and
// again until the verdict is there. Its methods are for one goroutine.
type screen struct {
	out      io.Writer
	terminal *os.File // nil: nothing can be drawn again there
	rest     []byte   // of a line that is not complete

	mu      sync.Mutex // the block is drawn in another goroutine
	view    *live.View
	program *tea.Program  // nil: there is no block
	ended   chan struct{} // closed when it has ended
	canvas  *canvas
}

// firstDrawn is how long the first block may take before lines are printed all the same.
const firstDrawn = time.Second

// canvas is the terminal as the library draws on it.
type canvas struct {
	*os.File
	once  sync.Once
	begun chan struct{} // closed when the block was drawn for the first time
}

// Write implements io.Writer. A block is the first that has several lines.
func (c *canvas) Write(b []byte) (int, error) {
	n, err := c.File.Write(b)
	if err != nil || bytes.IndexByte(b, '\n') >= 0 {
		c.once.Do(func() { close(c.begun) })
	}
	return n, err
}

// onTerminal is a screen that draws a block if there is a terminal for it. Of a job in the background nothing is drawn:
// the terminal is somebody else's.
func onTerminal(out io.Writer) *screen {
	s := &screen{out: out}
	f, ok := out.(*os.File)
	if name := os.Getenv("TERM"); !ok || name == "" || name == "dumb" || !term.IsTerminal(f.Fd()) {
		return s
	}
	front, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	if err != nil || front == unix.Getpgrp() {
		s.terminal = f
	}
	return s
}

// begin shows a job. A key that says so leaves it.
func (s *screen) begin(view *live.View, leave func(error)) {
	s.view = view
	if s.terminal == nil || s.program != nil {
		return
	}
	// Ctrl-C is a key there; signals are the caller's.
	s.canvas = &canvas{File: s.terminal, begun: make(chan struct{})}
	options := []tea.ProgramOption{tea.WithOutput(s.canvas), tea.WithoutSignalHandler(), tea.WithFPS(10)}
	if term.IsTerminal(os.Stdin.Fd()) {
		options = append(options, tea.WithInput(os.Stdin))
	} else {
		options = append(options, tea.WithInput(nil))
	}
	s.program = tea.NewProgram(&picture{draw: s.draw, leave: leave}, options...)
	ended, program := make(chan struct{}), s.program
	s.ended = ended
	go func() {
		defer close(ended)
		_, _ = program.Run() // without it there are still the lines
	}()
}

// draws tells whether there is a block.
func (s *screen) draws() bool { return s.program != nil }

// change lets the view take something in, and shows it.
func (s *screen) change(take func(*live.View)) {
	s.mu.Lock()
	take(s.view)
	s.mu.Unlock()
	if s.program != nil {
		s.program.Send(changed{})
	}
}

// end takes the block away. What is printed from now on are lines and nothing else.
func (s *screen) end() {
	if s.program == nil {
		return
	}
	s.program.Send(takeAway{})
	<-s.ended
	s.program = nil
}

// Write implements io.Writer: complete lines go above the block.
func (s *screen) Write(b []byte) (int, error) {
	if s.program == nil {
		if len(s.rest) > 0 {
			b, s.rest = append(s.rest, b...), nil
		}
		return s.out.Write(b)
	}
	select { // until then the library takes the whole screen for the block
	case <-s.canvas.begun:
	case <-s.ended:
	case <-time.After(firstDrawn): // there is no room for a second line
	}
	s.rest = append(s.rest, b...)
	end := bytes.LastIndexByte(s.rest, '\n') + 1
	text := string(s.rest[:end])
	s.rest = append([]byte(nil), s.rest[end:]...)
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			line = " " // the library leaves out what is empty
		}
		s.program.Send(tea.Println(line)())
	}
	return len(b), nil
}

// draw draws the block for a terminal of so many columns and lines.
func (s *screen) draw(width, height int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	for i, line := range s.view.Block(time.Now(), width, height) {
		if i > 0 {
			text.WriteByte('\n')
		}
		for _, span := range line {
			if look, styled := looks[span.Style]; styled {
				span.Text = look.Render(span.Text)
			}
			text.WriteString(span.Text)
		}
	}
	return text.String()
}

// looks are how styles look. The library leaves out what a terminal does not do, or NO_COLOR forbids.
var looks = map[live.Style]lipgloss.Style{
	live.Strong: lipgloss.NewStyle().Bold(true),
	live.Faint:  lipgloss.NewStyle().Faint(true),
	live.Good:   lipgloss.NewStyle().Foreground(lipgloss.Green),
	live.Busy:   lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	live.Bad:    lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

// The messages to a picture.
type (
	changed   struct{} // something is to be seen
	drawAgain struct{} // it is time to show it
	takeAway  struct{}
)

// drawEvery bounds how often the block is drawn: much may happen at once.
const drawEvery = 200 * time.Millisecond

// picture is the block as the library wants it: it knows the size of the terminal, and which key was pressed.
type picture struct {
	draw          func(width, height int) string
	leave         func(error)
	width, height int
	block         string
	waits         bool // for drawAgain
}

// Init implements tea.Model.
func (*picture) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (p *picture) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.width, p.height = msg.Width, msg.Height
		p.block = p.draw(p.width, p.height)
	case changed:
		if !p.waits {
			p.waits = true
			return p, tea.Tick(drawEvery, func(time.Time) tea.Msg { return drawAgain{} })
		}
	case drawAgain:
		if p.waits = false; p.width > 0 {
			p.block = p.draw(p.width, p.height)
		}
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q":
			p.leave(errors.New("q"))
		case "ctrl+c":
			p.leave(errors.New("Ctrl-C"))
		}
	case takeAway:
		p.block = ""
		return p, tea.Quit
	}
	return p, nil
}

// View implements tea.Model.
func (p *picture) View() tea.View { return tea.NewView(p.block) }
