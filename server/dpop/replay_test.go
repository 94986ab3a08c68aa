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

// newVerifier returns a verifier that remembers in this process.
func newVerifier(t *testing.T) *Verifier {
	t.Helper()
	return New(storagetest.New(t), storagetest.Memory(t))
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

func TestAProofWorksOnce(t *testing.T) {
	t.Parallel()
	v := newVerifier(t)
	v.replays.used = forgetful{v.replays.used, time.Now().Add(-time.Hour)}
	key := dpoptest.NewProver(t, "ES256")
	use := func(text string) string {
		_, err := v.Verify(t.Context(), http.Header{proofHeader: {text}}, Request{Method: "POST", URL: tokenURL})
		return told(t, err)
	}
	text := key.Sign(t, honest())
	if first, second := use(text), use(text); first != "" || second != InvalidProof {
		t.Errorf("a proof, twice: %q and %q, want only the second refused", first, second)
	}
	// The same jti of another key is another proof.
	claims := honest()
	if a, b := use(key.Sign(t, claims)), use(dpoptest.NewProver(t, "ES256").Sign(t, claims)); a+b != "" {
		t.Errorf("one jti of two keys: %q and %q, want both taken", a, b)
	}
	// What was used before the store knows anything may have been used.
	early := honest()
	early["nonce"] = v.newNonce(time.Now().Add(-2 * time.Second))
	v.replays.used = forgetful{v.replays.used, time.Now()}
	if got := use(key.Sign(t, early)); got != NeedsNonce {
		t.Errorf("a proof from before the store began: %q, want %q", got, NeedsNonce)
	}
}

// forgetful is a store that knows nothing of the time before since.
type forgetful struct {
	kv.Store
	since time.Time
}

func (f forgetful) Since() time.Time { return f.since }

func TestARememberedProofOutlivesItsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := replays{storagetest.Memory(t)}
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
