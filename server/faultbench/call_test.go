package faultbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

type object map[string]any

// call is one request and what it claims to change.
type call struct {
	kind, method, path string
	token              string
	from               string // the address that a proxy says it comes from
	id, secret         string // of the client, for Basic
	body               any    // an object is sent as JSON, url.Values as a form
	facts              []fact
	makes              []string
	once               string
	event              bool
	// told are the facts that only the answer tells.
	told func(answer) []fact
	// fails says that it ought to be refused.
	fails bool
}

// answer is a complete answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	data   object
}

// text is a text in the data of an answer, by its path.
func (a answer) text(path ...string) string {
	var at any = map[string]any(a.data)
	for _, name := range path {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	s, _ := at.(string)
	return s
}

// texts is a list of texts in the data of an answer.
func (a answer) texts(name string) (list []string) {
	all, _ := a.data[name].([]any)
	for _, one := range all {
		s, _ := one.(string)
		list = append(list, s)
	}
	return list
}

// location is where an answer leads.
func (a answer) location() *url.URL {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		return &url.URL{}
	}
	return u
}

// errBusy says that a server has more to do than it can, and did nothing, or that it lost its
// database and knows not what it did.
var errBusy = errors.New("busy")

// errOdd says that a server has answered, and not as it should.
var errOdd = errors.New("odd answer")

// do sends a request, and notes it before and after. Its error is that there was no complete
// answer, or [errOdd].
func (w *worker) do(ctx context.Context, c call) (answer, error) {
	e := w.ledger.begin(entry{
		Worker: w.id, Node: w.node.listen, Kind: c.kind, Facts: c.facts, Makes: c.makes, Once: c.once, Event: c.event,
	})
	a, err := w.send(ctx, e.requestID(), c)
	if err != nil {
		return a, fmt.Errorf("%s: %w", c.kind, err)
	}
	var told []fact
	if c.told != nil && a.status < 400 {
		told = c.told(a)
	}
	w.ledger.end(e, a.status, told...)
	if (a.status == http.StatusServiceUnavailable || a.status == http.StatusGatewayTimeout) && !c.fails {
		return a, fmt.Errorf("%w: %s", errBusy, c.kind)
	}
	if c.fails != (a.status >= 400) {
		return a, fmt.Errorf("%w: %s (seq %d): %d %s", errOdd, c.kind, e.Seq, a.status, a.body[:min(len(a.body), 300)])
	}
	return a, nil
}

// send sends a request and reads its answer to the end.
func (w *worker) send(ctx context.Context, requestID string, c call) (a answer, err error) {
	req, err := c.request(ctx, w.node.url)
	if err != nil {
		return a, err
	}
	req.Header.Set("X-Request-Id", requestID)
	res, err := w.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	a.status, a.header = res.StatusCode, res.Header
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return a, err
	}
	var envelope struct {
		Data object `json:"data"`
	}
	if json.Unmarshal(a.body, &envelope) == nil && envelope.Data != nil {
		a.data = envelope.Data
	} else {
		_ = json.Unmarshal(a.body, &a.data) // a page has no data
	}
	return a, nil
}

func (c call) request(ctx context.Context, base string) (*http.Request, error) {
	var body []byte
	kind := ""
	switch b := c.body.(type) {
	case url.Values:
		body, kind = []byte(b.Encode()), "application/x-www-form-urlencoded"
	case object:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		body, kind = text, "application/json"
	}
	address := c.path
	if !strings.HasPrefix(address, "http") {
		address = base + address
	}
	req, err := http.NewRequestWithContext(ctx, c.method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.from != "" {
		req.Header.Set("X-Forwarded-For", c.from)
	}
	if c.id != "" {
		req.SetBasicAuth(c.id, c.secret)
	}
	return req, nil
}
