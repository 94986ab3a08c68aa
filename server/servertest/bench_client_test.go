package servertest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"
)

// wire is one connection of a client that costs almost nothing.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(host string) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", host)
	if err != nil {
		return nil, err
	}
	return &wire{conn, bufio.NewReader(conn)}, nil
}

// onWires runs b.N times what begin returns, each caller on a wire of its own.
func onWires(b *testing.B, host string, begin func(w *wire) (again func() error)) {
	b.Helper()
	b.ReportAllocs()
	began := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		w, err := dial(host)
		if err != nil {
			b.Error(err)
			return
		}
		defer w.conn.Close() //nolint:errcheck // a benchmark
		again := begin(w)
		for pb.Next() {
			if err := again(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
}

// sameRequest sends one request over and over on so many connections.
func sameRequest(b *testing.B, connections int, host, request string) {
	b.Helper()
	b.SetParallelism(connections / runtime.GOMAXPROCS(0))
	text := []byte(request)
	onWires(b, host, func(w *wire) func() error {
		return func() error { return w.roundTrip(text) }
	})
}

// getRequest is an HTTP request for a path, with a Bearer token unless it is "".
func getRequest(host, path, token string) string {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	return request + "\r\n"
}

// formRequest is an HTTP request that posts a form.
func formRequest(host, path, id, secret string, form url.Values) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	body := form.Encode()
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", path, host, r.Header.Get("Authorization"), len(body), body)
}

var contentLength = []byte("Content-Length: ")

// roundTrip sends a request and reads a whole answer of status 200.
func (w *wire) roundTrip(request []byte) error {
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		text, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && string(text[9:12]) != "200" {
			return fmt.Errorf("answer %q", text)
		}
		if len(text) <= 2 {
			break
		}
		if size, ok := bytes.CutPrefix(text, contentLength); ok {
			for _, digit := range bytes.TrimSpace(size) {
				length = length*10 + int(digit-'0')
			}
		}
	}
	if length == 0 {
		return fmt.Errorf("answer without Content-Length")
	}
	_, err := w.in.Discard(length)
	return err
}

// ask sends a request and returns the header and the body of the answer.
func (w *wire) ask(request string, status int) (http.Header, []byte, error) {
	if _, err := io.WriteString(w.conn, request); err != nil {
		return nil, nil, err
	}
	answer, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("answer %d %s, want %d", answer.StatusCode, body, status)
	}
	return answer.Header, body, err
}
