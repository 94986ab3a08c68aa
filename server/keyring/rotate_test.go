package keyring_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/storage"
	"authy/storage/storagetest"
)

const (
	every      = 30 * 24 * time.Hour
	publishFor = time.Hour
	maxAge     = 5 * time.Minute // of the JWKS
)

// ring returns a prepared ring over db.
func ring(t *testing.T, db *storage.DB) *keyring.Ring {
	t.Helper()
	storagetest.LendKeys(t, db)
	r := keyring.New(db)
	r.Schedule(every, publishFor)
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Complete(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// published returns the JWKS.
func published(t *testing.T, r *keyring.Ring) jose.JSONWebKeySet {
	t.Helper()
	set, err := r.Set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(set.JWKS, &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

// sign signs a token and returns it with the kid it names.
func sign(t *testing.T, r *keyring.Ring, alg string) (token, kid string) {
	t.Helper()
	token, err := r.Sign(t.Context(), alg, keyring.JWT, map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	return token, signed.Signatures[0].Protected.KeyID
}

func advance(t *testing.T, r *keyring.Ring, now time.Time) {
	t.Helper()
	if err := r.Advance(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

// addClient registers a client whose access tokens live for so long.
func addClient(t *testing.T, db *storage.DB, lifetime time.Duration) *storage.Client {
	t.Helper()
	at := storage.At(time.Now())
	c := &storage.Client{
		ID: storage.NewID(), ClientID: storage.NewID(), Name: "A Client", ApplicationType: "web", IsActive: true,
		AccessTokenLifetime: storage.Seconds(lifetime / time.Second), CreatedAt: at, UpdatedAt: at,
	}
	if err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertClient(t.Context(), c) }); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryAlgorithmHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		r := ring(t, db)
		keys := published(t, r).Keys
		var algs []string
		for _, k := range keys {
			if !k.Valid() || !k.IsPublic() || k.Use != "sig" {
				t.Errorf("published: %+v", k)
			}
			algs = append(algs, k.Algorithm)
		}
		slices.Sort(algs)
		if diff := cmp.Diff([]string{"ES256", "EdDSA", "PS256", "RS256"}, algs); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
		for _, alg := range keyring.Algorithms {
			_, kid := sign(t, r, alg)
			if i := slices.IndexFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid }); i < 0 || keys[i].Algorithm != alg {
				t.Errorf("%s is signed with %s", alg, kid)
			}
		}
		if err := r.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v", err)
		}
		again := ring(t, db)
		if string(must(t, again).JWKS) != string(must(t, r).JWKS) {
			t.Error("another start has other keys")
		}
	})
}

func must(t *testing.T, r *keyring.Ring) *keyring.Set {
	t.Helper()
	set, err := r.Set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// A key that is not there yet holds up nothing else.
func TestSigningWaitsForItsOwnAlgorithmAlone(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	r := keyring.New(db) // nothing is being made
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Sign(ctx, keyring.RS256, keyring.JWT, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sign(RS256) = %v, want it to wait", err)
	}
	if _, err := r.Complete(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Complete() = %v, want it to wait", err)
	}
	if err := r.Ready(t.Context()); err == nil {
		t.Error("it is ready without keys")
	}
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{keyring.ES256, keyring.EdDSA} {
		if _, err := r.Sign(t.Context(), alg, keyring.JWT, nil); err != nil {
			t.Errorf("Sign(%s) = %v", alg, err)
		}
	}
	if _, err := r.Sign(t.Context(), "HS256", keyring.JWT, nil); err == nil {
		t.Error("there is a key for HS256")
	}
	if _, err := r.Complete(t.Context()); err != nil {
		t.Error(err)
	}
}

// verifier keeps the JWKS for its max-age, as applications do.
type verifier struct {
	keys    jose.JSONWebKeySet
	fetched time.Time
}

func (v *verifier) verify(t *testing.T, r *keyring.Ring, token string, now time.Time) error {
	t.Helper()
	if now.Sub(v.fetched) >= maxAge {
		v.keys, v.fetched = published(t, r), now
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA, jose.PS256})
	if err != nil {
		return err
	}
	_, err = signed.Verify(v.keys)
	return err
}

// Over five rotations a verifier that keeps the keys as long as it may never meets
// one that it does not know, and each token is good until it ends.
func TestAVerifierThatKeepsTheKeysNeverMeetsAnUnknownOne(t *testing.T) {
	t.Parallel()
	const lifetime = 2 * time.Hour
	type signed struct {
		token string
		at    time.Time
	}
	db := storagetest.New(t)
	r := ring(t, db)
	addClient(t, db, lifetime)
	var live []signed
	var v verifier
	kids := map[string]bool{}
	now := time.Now()
	for end := now.Add(5*every + 24*time.Hour); now.Before(end); now = now.Add(step(t, db, now)) {
		advance(t, r, now)
		for _, alg := range keyring.Algorithms {
			token, kid := sign(t, r, alg)
			kids[kid] = true
			live = append(live, signed{token, now})
		}
		live = slices.DeleteFunc(live, func(s signed) bool { return now.Sub(s.at) >= lifetime })
		for _, s := range live {
			if err := v.verify(t, r, s.token, now); err != nil {
				t.Fatalf("%v after it was signed, with keys fetched %v ago: %v", now.Sub(s.at), now.Sub(v.fetched), err)
			}
		}
	}
	if len(kids) < 24 { // four algorithms, the first and five times
		t.Errorf("%d keys have signed, want at least 24", len(kids))
	}
	if n := len(published(t, r).Keys); n > 8 {
		t.Errorf("%d keys are published, want the old ones gone", n)
	}
}

// step is how long nothing happens: minutes around a change, else hours.
func step(t *testing.T, db *storage.DB, now time.Time) time.Duration {
	t.Helper()
	keys, err := db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	near := func(at time.Time) bool { return at.Sub(now).Abs() < 10*time.Minute }
	for _, k := range keys {
		if k.State != "signing" || near(k.SignsAt.Time) || near(k.SignsAt.Add(every-publishFor)) {
			return 4*time.Minute + 57*time.Second
		}
	}
	return 9 * time.Hour
}

// phases lists the keys of an algorithm, the oldest first.
func phases(t *testing.T, r *keyring.Ring, alg string) string {
	t.Helper()
	keys, err := r.List(t.Context(), audit.Shell())
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, k := range keys {
		if k.Algorithm == alg {
			states = append(states, k.State)
		}
	}
	return strings.Join(states, " ")
}

func TestAKeyGoesFromPhaseToPhase(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		r := ring(t, db)
		client := addClient(t, db, 3*time.Hour)
		start := time.Now()
		advance(t, r, start) // notes how long tokens live
		old, _ := sign(t, r, keyring.ES256)
		client.AccessTokenLifetime = 1 // what was signed lives on
		err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.SaveClient(t.Context(), client) })
		if err != nil {
			t.Fatal(err)
		}
		signs := start.Add(every - publishFor + time.Minute + publishFor)
		for _, c := range []struct {
			at     time.Time
			want   string
			usable bool
		}{
			{start.Add(every - publishFor - time.Minute), "signing", true},
			{start.Add(every - publishFor + time.Minute), "signing published", true},
			{signs.Add(-time.Second), "signing published", true},
			{signs.Add(time.Second), "retired signing", true},
			{signs.Add(3 * time.Hour), "retired signing", true},
			{signs.Add(3*time.Hour + 6*time.Minute), "signing", false},
		} {
			advance(t, r, c.at)
			if got := phases(t, r, keyring.ES256); got != c.want {
				t.Errorf("after %v: %s, want %s", c.at.Sub(start), got, c.want)
			}
			if _, err := must(t, r).Verify(old, keyring.JWT); (err == nil) != c.usable {
				t.Errorf("after %v: what the first key signed: %v", c.at.Sub(start), err)
			}
		}
	})
}

func TestKeysAreNotRotatedWhereThatIsNotWanted(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	r := ring(t, db)
	r.Schedule(0, publishFor)
	advance(t, r, time.Now().Add(10*365*24*time.Hour))
	if got := phases(t, r, keyring.ES256); got != "signing" {
		t.Errorf("after ten years: %s, want signing", got)
	}
}

func TestAnAdministratorRotatesByHand(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		r := ring(t, db)
		ctx, shell := t.Context(), audit.Shell()
		_, first := sign(t, r, keyring.EdDSA)
		added, err := r.Rotate(ctx, shell, keyring.EdDSA, false)
		if err != nil || len(added) != 1 || added[0].State != "published" || !added[0].SignsAt.After(time.Now()) {
			t.Fatalf("Rotate() = %+v, %v", added, err)
		}
		if _, err := r.Rotate(ctx, shell, keyring.EdDSA, false); !errors.Is(err, keyring.ErrComing) {
			t.Errorf("a second time: %v, want ErrComing", err)
		}
		if rest, err := r.Rotate(ctx, shell, "", false); err != nil || len(rest) != 3 {
			t.Errorf("Rotate(all) = %+v, %v, want the other three", rest, err)
		}
		if _, kid := sign(t, r, keyring.EdDSA); kid != first {
			t.Errorf("%s signs, want %s still", kid, first)
		}
		leaked, err := r.Rotate(ctx, shell, keyring.EdDSA, true)
		if err != nil || len(leaked) != 1 || leaked[0].State != "signing" {
			t.Fatalf("Rotate(now) = %+v, %v", leaked, err)
		}
		if _, kid := sign(t, r, keyring.EdDSA); kid != leaked[0].ID {
			t.Errorf("%s signs, want the new %s", kid, leaked[0].ID)
		}
		if got := phases(t, r, keyring.EdDSA); got != "retired signing" {
			t.Errorf("after all: %s", got)
		}
		for _, alg := range []string{"HS256", "none", "\x00"} {
			if _, err := r.Rotate(ctx, shell, alg, false); err == nil || !strings.Contains(err.Error(), "algorithm") {
				t.Errorf("Rotate(%q) = %v", alg, err)
			}
		}
	})
}

func TestARetiredKeyIsGone(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		r := ring(t, db)
		ctx, shell := t.Context(), audit.Shell()
		token, first := sign(t, r, keyring.ES256)
		if err := r.Retire(ctx, shell, first); !errors.Is(err, keyring.ErrSigning) {
			t.Errorf("the key that signs: %v, want ErrSigning", err)
		}
		for _, id := range []string{"", "none", "\x00", first + "x"} {
			if err := r.Retire(ctx, shell, id); !errors.Is(err, keyring.ErrNoKey) {
				t.Errorf("Retire(%q) = %v, want ErrNoKey", id, err)
			}
		}
		if _, err := r.Rotate(ctx, shell, keyring.ES256, true); err != nil {
			t.Fatal(err)
		}
		if _, err := must(t, r).Verify(token, keyring.JWT); err != nil {
			t.Errorf("TK-33: what was signed before the rotation: %v", err)
		}
		if err := r.Retire(ctx, shell, first); err != nil {
			t.Fatal(err)
		}
		if _, err := must(t, r).Verify(token, keyring.JWT); !errors.Is(err, keyring.ErrToken) {
			t.Errorf("TK-33: what a key signed that is gone: %v, want ErrToken", err)
		}
		if keys := published(t, r); len(keys.Key(first)) > 0 {
			t.Error("it is published still")
		}
		if err := r.Retire(ctx, shell, first); !errors.Is(err, keyring.ErrNoKey) {
			t.Errorf("a second time: %v, want ErrNoKey", err)
		}
	})
}

func TestOnlyAdministratorsTouchTheKeys(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	r := ring(t, db)
	for _, by := range []audit.Actor{{}, {Kind: audit.Anonymous}, {Kind: audit.Client, ID: "x"}, {Kind: audit.Service, ID: "x"}, audit.Server()} {
		if _, err := r.Rotate(t.Context(), by, "", true); !errors.Is(err, keyring.ErrForbidden) {
			t.Errorf("%v rotates: %v", by, err)
		}
		if err := r.Retire(t.Context(), by, "x"); !errors.Is(err, keyring.ErrForbidden) {
			t.Errorf("%v retires: %v", by, err)
		}
		if _, err := r.List(t.Context(), by); !errors.Is(err, keyring.ErrForbidden) {
			t.Errorf("%v lists: %v", by, err)
		}
	}
}

// nodes are rings over one database, each with a connection of its own.
func nodes(t *testing.T, n int) []*keyring.Ring {
	t.Helper()
	url := storagetest.URL(t, "postgres")
	all := make([]*keyring.Ring, n)
	for i := range all {
		db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
			t.Fatal(err)
		}
		all[i] = ring(t, db)
	}
	return all
}

// Nodes over one database make each change once and publish the same keys.
func TestManyNodesRotateOnce(t *testing.T) {
	t.Parallel()
	all := nodes(t, 3)
	now := time.Now()
	for turn := range 2 {
		for _, after := range []time.Duration{every - publishFor + time.Minute, every + time.Minute, every + 25*time.Hour} {
			at := now.Add(time.Duration(turn)*(every+2*time.Minute) + after)
			var wait sync.WaitGroup
			for _, r := range all {
				wait.Go(func() {
					if err := r.Advance(t.Context(), at); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
		}
		for _, alg := range keyring.Algorithms {
			if got := phases(t, all[0], alg); got != "signing" {
				t.Errorf("turn %d, %s: %s, want signing alone", turn, alg, got)
			}
		}
	}
	same(t, all)
}

// same waits until all nodes publish the same keys: they hear of changes at once,
// or read anew.
func same(t *testing.T, all []*keyring.Ring) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		sets := map[string]bool{}
		for _, r := range all {
			sets[string(must(t, r).JWKS)] = true
		}
		if len(sets) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the nodes publish %d sets of keys", len(sets))
		}
	}
}

// Whoever rotates at the same moment: one key of each algorithm signs, one at most
// is published, and each call either adds a key or is told why not.
func TestRotationsAtTheSameMoment(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	for _, now := range []bool{false, true} {
		var wait sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 8 {
			wait.Go(func() {
				added, err := all[i%2].Rotate(t.Context(), audit.Shell(), keyring.ES256, now)
				if err != nil && !errors.Is(err, keyring.ErrComing) {
					t.Error(err)
				}
				mu.Lock()
				won += len(added)
				mu.Unlock()
			})
		}
		wait.Wait()
		if now && won == 0 || !now && won != 1 {
			t.Errorf("now %v: %d rotations went through", now, won)
		}
		got := phases(t, all[0], keyring.ES256)
		if strings.Count(got, "signing") != 1 || !now && got != "signing published" || now && strings.Contains(got, "published") {
			t.Errorf("now %v: %s", now, got)
		}
		if now && strings.Count(got, "retired") != won {
			t.Errorf("%s after %d rotations", got, won)
		}
	}
	same(t, all)
}
