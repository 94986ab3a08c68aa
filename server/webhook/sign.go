package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"authy/server/activity"
	"authy/server/steady"
	"authy/storage"
)

const (
	// secretPrefix is what secrets of webhooks begin with (Standard Webhooks 1.0.0,
	// "Signature scheme").
	secretPrefix = "whsec_"
	// secretSize is how many random bytes a secret has that is made here, minSecret and
	// maxSecret how many one may have.
	secretSize, minSecret, maxSecret = 32, 24, 64
)

// errSecret says that a secret is not one.
var errSecret = errors.New("the secret of the webhook cannot be read")

func newSecret() string {
	key := make([]byte, secretSize)
	rand.Read(key)
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// sign returns the signature of a message by a secret.
func sign(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return "", errSecret
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// oldSigns says whether the secret before signs, too, at a time.
func oldSigns(h *Webhook, at time.Time) bool { return at.Before(h.PreviousUntil.Time) }

// OldSecretUntil is how long the secret before signs beside the new one; zero if it does not
// any more.
func OldSecretUntil(h *Webhook) time.Time {
	if !oldSigns(h, steady.Now()) {
		return time.Time{}
	}
	return h.PreviousUntil.Time
}

// header is what goes with a message to a webhook at a time. Two secrets sign while one
// takes the place of the other.
func header(h *Webhook, id string, at time.Time, body []byte) (http.Header, error) {
	secrets := []string{h.Secret}
	if h.Previous != "" && oldSigns(h, at) {
		secrets = append(secrets, h.Previous)
	}
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		var err error
		if signatures[i], err = sign(secret, id, at, body); err != nil {
			return nil, err
		}
	}
	head := http.Header{}
	head.Set("Content-Type", "application/json")
	head.Set("Webhook-Id", id)
	head.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	head.Set("Webhook-Signature", strings.Join(signatures, " "))
	return head, nil
}

// message is what a webhook is told of an event.
type message struct {
	Type      string         `json:"type"`
	Timestamp time.Time      `json:"timestamp"` // of the event, not of the attempt
	Data      activity.Entry `json:"data"`
}

func bodyOf(e *storage.Event) ([]byte, error) {
	body, err := json.Marshal(message{e.Action, e.At.Time, activity.EntryOf(e)})
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", e.ID, err)
	}
	return body, nil
}
