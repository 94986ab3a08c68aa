package cmd

import (
	"fmt"
	"strings"
	"time"
)

// progress tells a person how far something is that takes its time: by a bar on a
// terminal, and by a line now and then elsewhere.
type progress struct {
	app   *app
	what  string
	every time.Duration
	told  time.Time
	shown bool // a bar is on the terminal
}

const (
	barWidth     = 30
	barEvery     = 100 * time.Millisecond
	lineEvery    = 10 * time.Second
	fullyPercent = 100
)

// progress returns one that has said nothing yet.
func (a *app) progress(what string) *progress {
	p := &progress{app: a, what: what, every: lineEvery, told: time.Now()}
	if isTerminal(a.stderr) {
		p.every = barEvery
	}
	return p
}

// to says that so many of all rows are done. It is [storage.Progress].
func (p *progress) to(rows, of int64) {
	now := time.Now()
	if of == 0 || now.Sub(p.told) < p.every {
		return
	}
	p.told = now
	percent := int(rows * fullyPercent / of)
	if p.every != barEvery {
		p.app.note("%s: %d of %d rows, %d%%.", p.what, rows, of, percent)
		return
	}
	p.shown = true
	full := percent * barWidth / fullyPercent
	fmt.Fprintf(p.app.stderr, "\r%s [%s%s] %3d%%, %d of %d rows", p.what,
		strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), percent, rows, of)
}

// end removes the bar.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.app.stderr, "\r\x1b[K")
	}
}
