package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	sessionLifetime = 12 * time.Hour
	notesKept       = 8
)

// session is one signed-in browser. The lock is held during a refresh too: a refresh token that is
// used twice at a time looks stolen to the provider.
type session struct {
	mu    sync.Mutex
	id    identity
	token *oauth2.Token
	info  string // what userinfo answered, indented
	notes []note // the latest last
}

// note is one line about what happened to the session.
type note struct {
	At   time.Time
	Text string
}

func (s *session) note(now time.Time, format string, args ...any) {
	s.notes = append(s.notes, note{At: now.UTC(), Text: fmt.Sprintf(format, args...)})
	if len(s.notes) > notesKept {
		s.notes = s.notes[1:]
	}
}

// session returns the session of the request, nil where nobody is signed in.
func (a *App) session(now time.Time, r *http.Request) *session {
	s, _ := a.sessions.look(now, carried(r, sessionCookie))
	return s
}

// signedIn makes an act on a session a handler, which ends on the front page. Without a session
// that is all it does.
func (a *App) signedIn(act func(context.Context, time.Time, *session) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		now := time.Now()
		if s := a.session(now, r); s != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := act(a.ask(r.Context()), now, s); err != nil {
				return err
			}
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
}

// refresh exchanges the refresh token for new tokens.
func (a *App) refresh(ctx context.Context, now time.Time, s *session) error {
	old := s.token.RefreshToken
	if old == "" {
		return refuse("The provider issued no refresh token: ask for the scope offline_access.")
	}
	fresh, err := a.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: old}).Token()
	if err != nil {
		return failed("The provider did not refresh the tokens", err)
	}
	id, err := a.renewed(ctx, s.id, fresh)
	if err != nil {
		return err
	}
	s.id, s.token = id, fresh
	fate := "stayed the same"
	if fresh.RefreshToken != old {
		fate = fmt.Sprintf("rotated, from %s to %s", glimpse(old), glimpse(fresh.RefreshToken))
	}
	s.note(now, "Refreshed: the refresh token %s; access token: %s.", fate, expiry(now, fresh.Expiry))
	return nil
}

// renewed returns the identity after a refresh: the new ID token, or the old one where none came.
// OpenID Connect Core 1.0, section 12.2: it is about the same person and the same sign-in.
func (a *App) renewed(ctx context.Context, old identity, fresh *oauth2.Token) (identity, error) {
	if fresh.Extra("id_token") == nil {
		return old, nil
	}
	id, err := a.verify(ctx, fresh)
	switch {
	case err != nil:
		return identity{}, err
	case id.Subject != old.Subject:
		return identity{}, refuse("The refreshed ID token is about somebody else.")
	case id.Nonce != "" && !same(id.Nonce, old.Nonce):
		return identity{}, refuse("The refreshed ID token has the nonce of another sign-in.")
	}
	return id, nil
}

// userinfo asks for the claims again.
func (a *App) userinfo(ctx context.Context, now time.Time, s *session) error {
	info, err := a.fetchUserinfo(ctx, s.token, s.id.Subject)
	if err != nil {
		return err
	}
	s.info = info
	s.note(now, "Userinfo answered, about the same person.")
	return nil
}

// fetchUserinfo returns what the provider tells about the subject, as indented JSON.
func (a *App) fetchUserinfo(ctx context.Context, token *oauth2.Token, subject string) (string, error) {
	// A static source: a refresh happens when the button is pressed, and at no other time.
	info, err := a.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return "", failed("Userinfo did not answer", err)
	}
	// OpenID Connect Core 1.0, section 5.3.2: without this check tokens can be swapped.
	if info.Subject != subject {
		return "", refuse("Userinfo is about %q, and the ID token about %q.", info.Subject, subject)
	}
	var raw json.RawMessage
	if err := info.Claims(&raw); err != nil {
		return "", failed("The answer of userinfo cannot be read", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return "", failed("The answer of userinfo cannot be read", err)
	}
	return out.String(), nil
}
