package cmd

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"authy/server"
	"authy/server/servertest"
)

const (
	firstSteps = "## Signed in within a minute\n"
	// samplePort is where README.md has the application be, as the sample data registers it.
	samplePort = "localhost:3000"
)

var (
	whoSignsIn = regexp.MustCompile("sign in as `([^`]+)`\\s+with the password `([^`]+)`")
	setupLink  = regexp.MustCompile(`http://localhost:\d+/setup\?token=\w+`)
)

// TestTheWordsOfTheReadmeLeadToASignInWithinAMinute has the program and an empty directory, does
// what the first section of README.md says and nothing else, and signs in: at the application that
// it starts, where its port is free, and by an ordinary client library as acme-portal-001.
// It is about time: the other tests of the package wait.
func TestTheWordsOfTheReadmeLeadToASignInWithinAMinute(t *testing.T) {
	_, section, _ := strings.Cut(string(readRepository(t, "README.md")), firstSteps)
	section, _, _ = strings.Cut(section, "\n## ")
	d := document{"README.md", section}
	who := whoSignsIn.FindStringSubmatch(section)
	if who == nil || !strings.Contains(section, "<http://"+samplePort+">") || !strings.Contains(section, "**Sign in with authy**") {
		t.Fatalf("README.md does not say who signs in where:\n%s", section)
	}
	// The cost of passwords and all else is as it is without settings; only the ports are others.
	r := newReader(t)
	began := time.Now()
	demo := false
	for _, b := range d.blocks() {
		for _, c := range b.commands() {
			switch {
			case c.text == "go build .":
			case c.text == "./authy demo rp" && !portIsFree(t, samplePort):
				t.Logf("%s is in use: the application is left out", samplePort)
			case c.text == "./authy demo rp":
				demo = true
				if err := r.start(c.text, "http://"+samplePort); err != nil {
					t.Fatal(err)
				}
			default:
				if printed, err := r.do(c.text); err != nil {
					t.Fatalf("%s: %v\n%s", c.text, err, printed)
				}
			}
		}
	}
	s := &servertest.Server{URL: r.url}
	if demo {
		signInAtTheDemo(t, s, who[1], who[2])
	}
	signInByALibrary(t, s, who[1], who[2])
	took := time.Since(began)
	t.Logf("signed in after %v", took.Round(time.Millisecond))
	if busy := machineLoad(t); took > time.Minute && busy < 2*float64(runtime.NumCPU()) {
		t.Errorf("it took %v, want a minute at most; the load is %v", took, busy)
	}
	link := setupLink.FindString(r.log.String())
	if page := servertest.Get(t, servertest.Browser(t), link); page.Response.StatusCode != http.StatusOK {
		t.Errorf("the link %q for the first administrator: %s", link, page.Response.Status)
	}
}

// machineLoad is how many processes want to run, in the mean of the last minute: a minute is
// promised where they are not many more than there are processors. It is 0 where no kernel says so.
func machineLoad(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var mean float64
	if _, err := fmt.Sscan(string(text), &mean); err != nil {
		t.Fatal(err)
	}
	return mean
}

func portIsFree(t *testing.T, address string) bool {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// signInAtTheDemo clicks through the application and ends up there, with a name.
func signInAtTheDemo(t *testing.T, s *servertest.Server, email, password string) {
	t.Helper()
	const home = "http://" + samplePort
	browser := servertest.Browser(t)
	if page := servertest.Get(t, browser, home+"/"); !strings.Contains(page.Body, ">Sign in with authy</a>") {
		t.Fatalf("the application has no such button:\n%s", page.Body)
	}
	leave := servertest.Get(t, browser, home+"/sign-in").Location()
	if leave == nil || !strings.HasPrefix(leave.String(), s.URL+"/") {
		t.Fatalf("the application leads to %v, want authy", leave)
	}
	back, steps := s.Visit(t, browser, leave.String(), email, password)
	if back.Location() == nil || strings.Join(steps, " ") != "sign-in consent" {
		t.Fatalf("steps %q, then:\n%s", steps, back.Body)
	}
	page := servertest.Get(t, browser, back.Location().String())
	for page.Location() != nil {
		page = servertest.Get(t, browser, page.Location().String())
	}
	if !strings.Contains(page.Body, email) || !strings.Contains(page.Body, "/refresh") {
		t.Errorf("back at the application it says:\n%s", page.Body)
	}
}

// signInByALibrary is acme-portal-001 as its programmer would write it.
func signInByALibrary(t *testing.T, s *servertest.Server, email, password string) {
	t.Helper()
	const id = "acme-portal-001"
	sample, ok := server.SeedClient(id)
	if !ok {
		t.Fatalf("the sample data has no %s", id)
	}
	provider, err := oidc.NewProvider(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &oauth2.Config{
		ClientID: id, ClientSecret: sample.Secret, RedirectURL: onThisMachine(sample.RedirectURIs),
		Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"},
	}
	state, verifier, nonce := rand.Text(), oauth2.GenerateVerifier(), rand.Text()
	page, _ := s.Visit(t, servertest.Browser(t),
		c.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), email, password)
	answer := url.Values{}
	if page.Location() != nil {
		answer = page.Location().Query()
	}
	if answer.Get("state") != state || answer.Get("code") == "" {
		t.Fatalf("no code, but %v:\n%s", page.Location(), page.Body)
	}
	token, err := c.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	signed, err := provider.Verifier(&oidc.Config{ClientID: id}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Email string }
	if err := signed.Claims(&claims); err != nil || claims.Email != email || signed.Nonce != nonce {
		t.Errorf("the ID token is for %q, %v, want %q; nonce %q, want %q", claims.Email, err, email, signed.Nonce, nonce)
	}
}
