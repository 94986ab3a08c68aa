package cmd

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is a page that people read: README.md, CHANGELOG.md, and all of docs.
type document struct {
	path string // from the root, with slashes
	text string
}

// block is a piece of a document that is not prose. What is indented, or fenced as sh, is for a
// shell; any other fence says what it holds.
type block struct {
	document string
	line     int // of its first line
	fenced   bool
	language string
	lines    []string
}

func (b block) isShell() bool { return !b.fenced || b.language == "sh" }

// documents returns every page, and reads none but what people read.
func documents(t *testing.T) []document {
	t.Helper()
	paths := []string{"README.md", "CHANGELOG.md"}
	err := filepath.WalkDir(filepath.Join("..", "docs"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			paths = append(paths, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := make([]document, len(paths))
	for i, path := range paths {
		found[i] = document{path, string(readRepository(t, path))}
	}
	if len(found) < 40 {
		t.Fatalf("%d documents, want all of them", len(found))
	}
	return found
}

// readRepository returns a file by its path from the root.
func readRepository(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	fence    = regexp.MustCompile("^( *)(```+) *([a-z]*) *$")
	listItem = regexp.MustCompile(`^( *)(?:[-*]|\d+\.) +`)
)

// blocks returns the blocks of a page. Within a list what is indented belongs to the item, and four
// more make a block of it (CommonMark 0.31.2, section 4.4).
func (d document) blocks() (found []block) {
	list, blank := 0, true
	var open *block
	lines := strings.Split(d.text, "\n")
	for i, line := range lines {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		mark := fence.FindStringSubmatch(line)
		switch {
		case open != nil && open.fenced && mark == nil, open != nil && !open.fenced && indent >= list+4:
			open.lines = append(open.lines, line)
		case open != nil && !open.fenced && line == "":
			open.lines = append(open.lines, line)
		case open != nil && open.fenced:
			found, open = append(found, *open), nil
		default:
			if open != nil {
				found, open = append(found, *open), nil
			}
			switch item := listItem.FindString(line); {
			case mark != nil:
				list = min(list, indent)
				open = &block{document: d.path, line: i + 2, fenced: true, language: mark[3]}
			case item != "" && indent < list+4:
				list = len(item)
			case line != "" && indent == 0:
				list = 0
			case blank && line != "" && indent >= list+4:
				open = &block{document: d.path, line: i + 1, lines: []string{line}}
			}
		}
		blank = line == ""
	}
	if open != nil {
		found = append(found, *open)
	}
	return found
}

// prose is a page without its blocks.
func (d document) prose() string {
	lines := strings.Split(d.text, "\n")
	for _, b := range d.blocks() {
		for i := range b.lines {
			lines[b.line-1+i] = ""
		}
		if b.fenced {
			lines[b.line-2], lines[b.line-1+len(b.lines)] = "", ""
		}
	}
	return strings.Join(lines, "\n")
}

// command is one command of a block, on one line and without what is said about it.
type command struct {
	document string
	line     int
	text     string
}

var remark = regexp.MustCompile(`(^|\s)# .*$`)

// commands returns what a block has somebody type.
func (b block) commands() (found []command) {
	var text string
	begun := 0
	for i, line := range b.lines {
		line = strings.TrimSpace(remark.ReplaceAllString(line, ""))
		if text == "" {
			begun = b.line + i
		}
		rest, more := strings.CutSuffix(line, `\`)
		text = strings.TrimSpace(text + " " + strings.TrimSpace(rest))
		if !more && text != "" {
			found = append(found, command{b.document, begun, text})
			text = ""
		}
	}
	return found
}

// program returns what a command starts and with which words, without variables before it, and
// without what starts it on one processor.
func (c command) program() (name string, words []string) {
	words = shellWords(c.text)
	for len(words) > 0 && (assignment.MatchString(words[0]) || words[0] == "taskset" || words[0] == "env") {
		n := 1
		if words[0] == "taskset" {
			n = min(3, len(words)) // taskset -c 0
		}
		words = words[n:]
	}
	if len(words) == 0 {
		return "", nil
	}
	return words[0][strings.LastIndex(words[0], "/")+1:], words
}

var assignment = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)

func TestTheBlocksOfADocumentAreFound(t *testing.T) {
	t.Parallel()
	d := document{"x.md", strings.Join([]string{
		"Words:", "", "    authy user list   # all of them", "    authy org \\", "        list", "", "More",
		"    is prose.", "", "1. An item", "", "       authy backup", "", "   ```sh", "   authy seed", "   ```",
		"", "    of the item", "", "```toml", "listen = 1", "", "x = 2", "```", "", "    authy health",
	}, "\n")}
	var found, shell []string
	for _, b := range d.blocks() {
		found = append(found, b.language)
		if b.isShell() {
			for _, c := range b.commands() {
				name, words := c.program()
				shell = append(shell, name+":"+strings.Join(words[1:], ","))
			}
		}
	}
	if want := []string{"", "", "sh", "toml", ""}; !slices.Equal(found, want) {
		t.Errorf("the blocks are %q, want %q", found, want)
	}
	want := []string{"authy:user,list", "authy:org,list", "authy:backup", "authy:seed", "authy:health"}
	if !slices.Equal(shell, want) {
		t.Errorf("the commands are %q, want %q", shell, want)
	}
	if prose := d.prose(); strings.Contains(prose, "authy user") || !strings.Contains(prose, "of the item") {
		t.Errorf("the prose is %q", prose)
	}
	c := command{text: `X=1 taskset -c 0 ./authy user create --name "Alice's" 'a b'\''c' < secret`}
	if name, words := c.program(); name != "authy" || !slices.Equal(words[1:],
		[]string{"user", "create", "--name", "Alice's", "a b'c"}) {
		t.Errorf("the words of %s are %q", c.text, words)
	}
}
