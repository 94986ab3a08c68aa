package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// view is what the page shows: an account, a problem, or the way in.
type view struct {
	Title    string
	Issuer   string
	ClientID string
	Public   bool // the client has no secret
	Notice   string
	Account  *account
	Problem  *problem
}

// account is a session as the page shows it.
type account struct {
	Name     string
	Claims   []row
	Userinfo string
	Facts    []row
	Notes    []note
	Refresh  bool // there is a refresh token
}

// row is a line of a table.
type row struct {
	Name    string
	Value   string
	Meaning string
}

// meanings explains the claims of an ID token.
var meanings = map[string]string{
	"iss":                "who issued the token",
	"sub":                "who signed in; the only name that stays",
	"aud":                "whom the token is for: this client",
	"azp":                "which client it was issued to",
	"exp":                "not to be accepted after",
	"iat":                "issued at",
	"nbf":                "not to be accepted before",
	"auth_time":          "when the person proved who they are",
	"nonce":              "ties the token to this sign-in",
	"at_hash":            "ties the token to the access token",
	"acr":                "how sure the provider is",
	"amr":                "how they proved it",
	"sid":                "the session at the provider",
	"jti":                "the name of this token",
	"name":               "the name to show",
	"preferred_username": "the name they chose",
	"email":              "where mail reaches them",
	"email_verified":     "whether the provider tried that",
	"updated_at":         "when the profile changed",
}

// moments are the claims that count seconds since 1970.
var moments = []string{"exp", "iat", "nbf", "auth_time", "updated_at"}

// account returns what the page shows of the session.
func (a *App) account(now time.Time, s *session) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := slices.Clone(s.notes)
	slices.Reverse(notes)
	return &account{
		Name:     s.id.name(),
		Claims:   s.id.rows(),
		Userinfo: s.info,
		Facts:    a.facts(now, s),
		Notes:    notes,
		Refresh:  s.token.RefreshToken != "",
	}
}

// name returns the best name that the ID token has.
func (i identity) name() string {
	for _, claim := range []string{"name", "preferred_username", "email"} {
		if value, ok := i.text(claim); ok && value != "" {
			return value
		}
	}
	return i.Subject
}

// rows returns the claims in the order of their names.
func (i identity) rows() []row {
	rows := make([]row, 0, len(i.claims))
	for _, claim := range slices.Sorted(maps.Keys(i.claims)) {
		value, isText := i.text(claim)
		if !isText {
			value = plain(claim, i.claims[claim])
		}
		rows = append(rows, row{Name: claim, Value: value, Meaning: meanings[claim]})
	}
	return rows
}

// plain returns the JSON of a claim on one line, with the moment that it stands for.
func plain(claim string, raw json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return string(raw) // impossible: it was decoded before
	}
	var seconds float64
	if slices.Contains(moments, claim) && json.Unmarshal(raw, &seconds) == nil {
		fmt.Fprintf(&out, " (%s)", moment(time.Unix(int64(seconds), 0)))
	}
	return out.String()
}

// facts returns what the application knows of its tokens. Not the tokens: a page is easily copied.
func (a *App) facts(now time.Time, s *session) []row {
	scope, ok := s.token.Extra("scope").(string)
	if !ok {
		// RFC 6749, section 5.1: left out where it is what was asked for.
		scope = strings.Join(a.config.Scopes, " ")
	}
	refresh := row{Name: "refresh token", Value: "none", Meaning: "offline_access asks for one"}
	if t := s.token.RefreshToken; t != "" {
		refresh = row{Name: "refresh token", Value: glimpse(t), Meaning: "issued; renews the others"}
	}
	return []row{
		{Name: "scope", Value: scope, Meaning: "what was granted"},
		{Name: "access token", Value: glimpse(s.token.AccessToken), Meaning: expiry(now, s.token.Expiry)},
		refresh,
		{Name: "ID token", Value: glimpse(s.id.raw), Meaning: expiry(now, s.id.Expiry)},
	}
}

// glimpse returns enough of a token to tell it from another, and too little to use it.
func glimpse(token string) string {
	return token[:min(12, len(token)/2)] + "…"
}

// expiry says when a token ends.
func expiry(now, end time.Time) string {
	switch left := end.Sub(now).Round(time.Second); {
	case end.IsZero():
		return "does not say when it ends"
	case left <= 0:
		return "ended at " + moment(end)
	default:
		return fmt.Sprintf("valid for %s, until %s", left, moment(end))
	}
}

func moment(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
