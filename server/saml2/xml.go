package saml2

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	roundtrip "github.com/mattermost/xml-roundtrip-validator"
)

const (
	// maxDepth is how deep elements may lie in each other, and maxAttributes how
	// many attributes an element may have.
	maxDepth      = 48
	maxAttributes = 48
	// maxTokens is how many parts a message may have, such as the beginning of an
	// element, its text and its end; maxDocument is that of metadata.
	maxTokens   = 20_000
	maxDocument = 200_000
	// nsInclude is that of XInclude, which nothing here follows.
	nsInclude = "http://www.w3.org/2001/XInclude"
)

// errXML says that something is not a document that is read here; the error that
// wraps it says why.
var errXML = errors.New("saml2: not acceptable XML")

// parseMessage reads a message. Nobody writes comments into messages, except to
// split a text that one reader sees whole and another does not.
func parseMessage(raw []byte) (*etree.Element, error) {
	return parse(raw, &scanner{most: maxTokens, ids: map[string]bool{}})
}

// parseDocument reads metadata, which people write, too: comments are passed over
// between elements, and refused within a text.
func parseDocument(raw []byte) (*etree.Element, error) {
	return parse(raw, &scanner{most: maxDocument, comments: true, ids: map[string]bool{}})
}

func parse(raw []byte, s *scanner) (*etree.Element, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if err := s.scan(raw); err != nil {
		return nil, err
	}
	if err := roundtrip.Validate(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("%w: it is not read back as it is written", errXML)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{MaxDepth: maxDepth}
	if err := doc.ReadFromBytes(raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errXML, err)
	}
	root := doc.Root()
	if root == nil {
		return nil, fmt.Errorf("%w: there is no element", errXML)
	}
	return root, dropComments(root)
}

// scanner holds a document to the rules token by token.
type scanner struct {
	most     int // tokens
	comments bool
	tokens   int
	depth    int
	roots    int
	ids      map[string]bool
}

// scan refuses what the grammar of XML allows and nothing here needs.
func (s *scanner) scan(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if s.roots != 1 {
				return fmt.Errorf("%w: there must be exactly one element at the top", errXML)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errXML, err)
		}
		if err := s.token(token); err != nil {
			return err
		}
		if s.tokens++; s.tokens > s.most {
			return fmt.Errorf("%w: it has too many parts", errXML)
		}
	}
}

func (s *scanner) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return s.start(t)
	case xml.EndElement:
		s.depth--
	case xml.Directive:
		return fmt.Errorf("%w: it has a document type", errXML)
	case xml.ProcInst:
		if t.Target != "xml" || s.tokens > 0 {
			return fmt.Errorf("%w: it has a processing instruction", errXML)
		}
	case xml.Comment:
		if !s.comments {
			return fmt.Errorf("%w: it has a comment", errXML)
		}
	case xml.CharData:
		if s.depth == 0 && len(bytes.TrimSpace(t)) > 0 {
			return fmt.Errorf("%w: it has text outside of its element", errXML)
		}
	}
	return nil
}

func (s *scanner) start(t xml.StartElement) error {
	if s.depth == 0 {
		s.roots++
	}
	s.depth++
	switch {
	case s.depth > maxDepth || len(t.Attr) > maxAttributes:
		return fmt.Errorf("%w: it is too deep", errXML)
	case t.Name.Space == nsInclude:
		return fmt.Errorf("%w: it includes others", errXML)
	}
	for i, a := range t.Attr {
		same := func(b xml.Attr) bool { return b.Name == a.Name }
		if slices.ContainsFunc(t.Attr[:i], same) {
			return fmt.Errorf("%w: an attribute occurs twice", errXML)
		}
		if a.Name.Space == "" && strings.EqualFold(a.Name.Local, "ID") {
			if s.ids[a.Value] {
				return fmt.Errorf("%w: two elements have one ID", errXML)
			}
			s.ids[a.Value] = true
		}
	}
	return nil
}

// dropComments takes the comments between elements away. One beside text would
// split it.
func dropComments(el *etree.Element) error {
	has, text := false, false
	for _, child := range el.Child {
		switch c := child.(type) {
		case *etree.Comment:
			has = true
		case *etree.CharData:
			text = text || !c.IsWhitespace()
		case *etree.Element:
			if err := dropComments(c); err != nil {
				return err
			}
		}
	}
	if has && text {
		return fmt.Errorf("%w: it has a comment within a text", errXML)
	}
	for i := len(el.Child) - 1; has && i >= 0; i-- {
		if _, is := el.Child[i].(*etree.Comment); is {
			el.RemoveChildAt(i)
		}
	}
	return nil
}

// is says whether el is the named element of a namespace.
func is(el *etree.Element, space, name string) bool {
	return el != nil && el.Tag == name && el.NamespaceURI() == space
}

// children returns the named elements of a namespace that lie directly in el.
func children(el *etree.Element, space, name string) (found []*etree.Element) {
	for _, c := range el.ChildElements() {
		if is(c, space, name) {
			found = append(found, c)
		}
	}
	return found
}

// only returns the named element that lies directly in el; nil if there is none,
// or more than one.
func only(el *etree.Element, space, name string) *etree.Element {
	if el == nil {
		return nil
	}
	if found := children(el, space, name); len(found) == 1 {
		return found[0]
	}
	return nil
}

// everywhere counts the named elements of a namespace in el and below it.
func everywhere(el *etree.Element, space, name string) (n int) {
	if is(el, space, name) {
		n++
	}
	for _, c := range el.ChildElements() {
		n += everywhere(c, space, name)
	}
	return n
}

// attr returns the attribute of el that has a name and no namespace, "" if there
// is none.
func attr(el *etree.Element, name string) string {
	if el == nil {
		return ""
	}
	for _, a := range el.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

// text returns the whole text of an element, "" if it holds elements.
func text(el *etree.Element) string {
	if el == nil {
		return ""
	}
	var b strings.Builder
	for _, child := range el.Child {
		switch c := child.(type) {
		case *etree.CharData:
			b.WriteString(c.Data)
		case *etree.Element:
			return ""
		}
	}
	return strings.Trim(b.String(), " \t\r\n")
}

// instant reads a time (XML Schema, dateTime), which SAML has in UTC; zero for none.
func instant(value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || len(value) > 40 {
		return time.Time{}, fmt.Errorf("%w: it has a time that is none", errXML)
	}
	return t.UTC(), nil
}

// written is t as SAML writes it.
func written(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// child adds an element to el.
func child(el *etree.Element, name, value string, attributes ...string) *etree.Element {
	c := el.CreateElement(name)
	for i := 0; i+1 < len(attributes); i += 2 {
		c.CreateAttr(attributes[i], attributes[i+1])
	}
	if value != "" {
		c.SetText(value)
	}
	return c
}

// serialize writes el as a document of its own.
func serialize(el *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalEndTags: true, CanonicalText: true}
	doc.SetRoot(el.Copy())
	return doc.WriteToBytes()
}
