package servertest_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// BenchmarkScaleTokens is [BenchmarkScale] for tokens: a database of 10,000 that are
// stored, and one of so many as the environment says, half of them refresh tokens, half
// opaque access tokens:
//
//	AUTHY_BENCH_TOKENS=1000000 go test ./server/servertest -run '^$' -bench ScaleTokens
func BenchmarkScaleTokens(b *testing.B) {
	small := newTokenScale(b, 10_000)
	large := newTokenScale(b, setting(b, "AUTHY_BENCH_TOKENS", 20_000))
	for _, one := range []struct {
		name string
		run  func(s *tokenScale) error
	}{
		{"introspect", (*tokenScale).introspect},
		{"refresh", (*tokenScale).rotate},
		{"code-flow", (*tokenScale).signIn},
		{"client-credentials", (*tokenScale).own},
		{"introspect-uncached", (*tokenScale).lookUp},
		{"refresh-uncached", (*tokenScale).use},
		{"nothing-to-delete", (*tokenScale).clean},
	} {
		b.Run(one.name, func(b *testing.B) {
			small.connect(b)
			large.connect(b)
			compare(b, small, large, one.run)
		})
	}
}

// tokenScale is a server on a database of many tokens, with a client of opaque tokens
// that asks it on a wire.
type tokenScale struct {
	*scaled
	ctx     context.Context //nolint:containedctx // of the benchmark
	app     app
	wire    *wire
	host    string
	cookies string
	tokens  tokens
}

func newTokenScale(b *testing.B, stored int) *tokenScale {
	b.Helper()
	s := &tokenScale{
		scaled: newScaled(b, storagetest.Size{Users: stored / 2, Sessions: stored / 10, Events: stored / 10}), ctx: b.Context(),
	}
	s.host = strings.TrimPrefix(s.URL, "http://")
	s.app, s.cookies = benchClient(b, s.Server, "opaque", "ES256", true)
	s.connect(b)
	if err := s.signIn(); err != nil {
		b.Fatal(err)
	}
	return s
}

// connect opens the wire: the server closes one on which nothing comes.
func (s *tokenScale) connect(b *testing.B) {
	b.Helper()
	w, err := dial(s.host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.conn.Close() }) //nolint:errcheck // a benchmark
	s.wire = w
}

func (s *tokenScale) signIn() (err error) {
	s.tokens, err = s.app.flow(s.wire, s.host, s.cookies)
	return err
}

func (s *tokenScale) rotate() (err error) {
	s.tokens, err = s.app.token(s.wire, s.host, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {s.tokens.Refresh},
	})
	return err
}

func (s *tokenScale) introspect() error {
	return s.wire.roundTrip([]byte(formRequest(s.host, introspectPath, s.app.id, s.app.secret, url.Values{
		"token": {s.tokens.Access},
	})))
}

func (s *tokenScale) own() error {
	_, _, err := s.wire.ask(formRequest(s.host, tokenPath, dataAPI.id, dataAPI.secret, url.Values{
		"grant_type": {"client_credentials"},
	}), http.StatusOK)
	return err
}

// lookUp reads what an introspection reads of a token that nobody has asked for yet.
func (s *tokenScale) lookUp() error {
	kept, err := s.DB.AccessToken(s.ctx, storagetest.AccessHash(s.next()))
	if err != nil {
		return err
	}
	_, err = s.DB.Grant(s.ctx, string(kept.GrantID))
	return err
}

// use writes what a rotation writes for a refresh token that nobody has asked for yet.
func (s *tokenScale) use() error {
	hash, now := storagetest.RefreshHash(s.next()), time.Now()
	known, err := s.DB.RefreshToken(s.ctx, hash)
	if err != nil {
		return err
	}
	return s.DB.Update(s.ctx, func(tx *storage.Tx) error {
		if _, err := tx.UseRefreshToken(s.ctx, hash, now); err != nil {
			return err
		}
		return tx.InsertRefreshToken(s.ctx, &storage.RefreshToken{
			Hash: storage.Hash(storage.NewID()), GrantID: known.GrantID,
			CreatedAt: storage.At(now), ExpiresAt: known.ExpiresAt,
		})
	})
}

func (s *tokenScale) clean() error {
	return s.DB.Update(s.ctx, func(tx *storage.Tx) error {
		_, err := tx.DeleteExpired(s.ctx, time.Now(), 500)
		return err
	})
}
