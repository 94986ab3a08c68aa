package backup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"

	"authy/server/config"
)

// work is how much is done to try a passphrase: 64 MB of memory for a part of a second.
const work = 16

// sealFor is how a backup is to be encrypted: by a recipient, a passphrase, or neither.
func sealFor(recipient, passphrase string) (seal, error) {
	switch {
	case recipient != "" && passphrase != "":
		return seal{}, errors.New("a recipient and a passphrase exclude each other")
	case recipient != "":
		to, err := age.ParseRecipients(strings.NewReader(recipient))
		if err != nil || len(to) != 1 {
			// What it is may be the private key.
			return seal{}, errors.New("the recipient is no public key of age; it begins with age1, and age-keygen prints it")
		}
		return seal{to[0]}, nil
	case passphrase != "":
		if len(passphrase) < config.LeastPassphrase {
			return seal{}, fmt.Errorf("the passphrase is shorter than %d characters", config.LeastPassphrase)
		}
		to, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return seal{}, err
		}
		to.SetWorkFactor(work)
		return seal{to}, nil
	}
	return seal{}, nil
}

// PassphraseKey is the key that a passphrase is.
func PassphraseKey(passphrase string) (age.Identity, error) { return age.NewScryptIdentity(passphrase) }

// KeysIn reads the private keys of a file that age-keygen made.
func KeysIn(path string) ([]age.Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keys, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s is no file of private keys of age, such as age-keygen makes", path)
	}
	return keys, nil
}

// PassphraseIn reads the passphrase in a file, which is all of it but for the end of a line.
func PassphraseIn(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	passphrase := strings.TrimRight(string(text), "\r\n")
	if passphrase == "" {
		return "", fmt.Errorf("%s has no passphrase in it", path)
	}
	return passphrase, nil
}
