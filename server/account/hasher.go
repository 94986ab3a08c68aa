package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
)

// ErrBusy is answered when more passwords wait for their turn than could be
// hashed in reasonable time.
var ErrBusy = fault.New(fault.Unavailable, "busy",
	"The server is busy with other sign-ins. Try again in a few seconds.").Wait(5 * time.Second)

// queuePerSlot is how many passwords may wait for each processor: as many as are
// hashed in about the time after which whoever is refused is to come again.
const queuePerSlot = 16

// Hasher hashes passwords on a bounded number of processors, behind all else that
// the server does, so that a flood of sign-ins leaves the rest of it responsive.
type Hasher struct {
	cost  int
	turns *turns
	decoy func() string
}

// NewHasher returns a hasher with a bcrypt cost.
func NewHasher(cost int) *Hasher {
	slots := processors()
	h := &Hasher{cost: cost, turns: newTurns(slots, spare(slots), slots*queuePerSlot)}
	h.decoy = sync.OnceValue(func() string {
		hash, err := bcrypt.GenerateFromPassword(prehash("decoy"), cost)
		if err != nil {
			panic("impossible: bcrypt refuses 43 bytes: " + err.Error())
		}
		return hashScheme + string(hash)
	})
	return h
}

// Hash returns the hash to keep for password. [ErrBusy] if too many wait.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	var hash []byte
	err := h.run(ctx, false, func() (err error) {
		hash, err = bcrypt.GenerateFromPassword(prehash(password), h.cost)
		return err
	})
	switch {
	case errors.Is(err, ErrBusy):
		return "", err
	case err != nil:
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hashScheme + string(hash), nil
}

// Check says whether password is the one that hash was made of, and whether
// the hash should be made anew. An empty hash matches nothing and takes the
// same time. Who asks from where the password's owner was last goes before
// others. [ErrBusy] if too many wait.
func (h *Hasher) Check(ctx context.Context, hash, password, last string) (ok, stale bool, err error) {
	known := hash != ""
	here := last != "" && limit.Network(last) == network(ctx)
	var plain string
	var ours bool
	err = h.run(ctx, here, func() error {
		if !known {
			hash = h.decoy()
		}
		plain, ours = strings.CutPrefix(hash, hashScheme)
		if isArgon2id(plain) {
			return checkArgon2id(plain, password)
		}
		input := []byte(password)
		if ours {
			input = prehash(password)
		}
		return bcrypt.CompareHashAndPassword([]byte(plain), input)
	})
	switch {
	case errors.Is(err, ErrBusy):
		return false, false, err
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword), errors.Is(err, bcrypt.ErrPasswordTooLong):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("check password: %w", err)
	}
	cost, err := bcrypt.Cost([]byte(plain))
	return known, known && (err != nil || !ours || cost < h.cost), nil
}

// checkArgon2id is bcrypt's CompareHashAndPassword for a hash of argon2id.
func checkArgon2id(hash, password string) error {
	a, problem := parseArgon2id(hash)
	switch {
	case problem != "":
		return errors.New(problem)
	case !a.matches(password):
		return bcrypt.ErrMismatchedHashAndPassword
	}
	return nil
}

// IsBcrypt says whether hash is one of bcrypt that another server has made: of the
// password itself, as that server's users typed it.
func IsBcrypt(hash string) bool { return strings.HasPrefix(hash, "$2") }

// Load returns how much there is to hash.
func (h *Hasher) Load() Load { return h.turns.now() }

// run calls hash when it is the caller's turn, on a thread that gives way to
// those that answer requests.
func (h *Hasher) run(ctx context.Context, known bool, hash func() error) error {
	leave, err := h.turns.take(ctx, network(ctx), known)
	if err != nil {
		return err
	}
	defer leave()
	threads := forStrangers
	if known {
		threads = forKnown
	}
	t := <-threads
	t.work <- hash
	err = <-t.done
	threads <- t
	return err
}

// network is where the request came from.
func network(ctx context.Context) string { return limit.Network(audit.FromContext(ctx).IPAddress) }
