package dpop

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/dpop/dpoptest"
	"authy/storage/kv"
	"authy/storage/storagetest"
)

// newVerifier returns a verifier that shares what it remembers with nobody.
func newVerifier(t *testing.T) *Verifier {
	t.Helper()
	local := storagetest.Memory(t)
	return New(storagetest.New(t), local, local)
}

// told is the error code that a client is told, "" for none.
func told(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		t.Fatalf("%v is nothing to be told", err)
	}
	return refusal.Code
}

func TestAProofWorksOnceEvenWhileTheSharedStoreIsAway(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	key := dpoptest.NewProver(t, "ES256")
	use := func(text string) string {
		_, err := v.Verify(t.Context(), http.Header{proofHeader: {text}}, Request{Method: "POST", URL: tokenURL})
		return told(t, err)
	}
	text := key.Sign(t, honest())
	if first, second := use(text), use(text); first != "" || second != InvalidProof {
		t.Errorf("a proof, twice: %q and %q, want only the second refused", first, second)
	}
	away, err := kv.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}
	v.replays.shared = away
	text = key.Sign(t, honest())
	if first, second := use(text), use(text); first != "" || second != InvalidProof {
		t.Errorf("while the store is away, twice: %q and %q, want only the second refused", first, second)
	}
	// The same jti of another key is another proof.
	claims := honest()
	if a, b := use(key.Sign(t, claims)), use(dpoptest.NewProver(t, "ES256").Sign(t, claims)); a+b != "" {
		t.Errorf("one jti of two keys: %q and %q, want both taken", a, b)
	}
}

func TestARememberedProofOutlivesItsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.Memory(t)
		r := replays{store, store, time.Now()}
		keep := nonceLife + 2*proofWindow
		use := func() bool {
			first, err := r.first(t.Context(), "key", "id", keep)
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		if !use() {
			t.Fatal("the first use is refused")
		}
		time.Sleep(keep - time.Second)
		if use() {
			t.Error("a second use is taken")
		}
		time.Sleep(2 * time.Second)
		if !use() {
			t.Error("it is remembered for ever")
		}
	})
}
