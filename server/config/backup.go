package config

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Backup says where backups go, when they are made, and which are kept.
type Backup struct {
	// Dir is where they are kept; empty is backups in the data directory.
	Dir string `toml:"dir"`
	// Every is how often one is made; 0 is never.
	Every Duration `toml:"every"`
	// KeepLast, KeepDaily and KeepWeekly say how many are kept: the latest, and the
	// latest of each of so many days and weeks.
	KeepLast   int `toml:"keep_last"`
	KeepDaily  int `toml:"keep_daily"`
	KeepWeekly int `toml:"keep_weekly"`
	// Recipient is the public key of age that they are encrypted to.
	Recipient string `toml:"recipient"`
	// Passphrase is what they are encrypted with where there is no recipient.
	Passphrase Secret `toml:"passphrase"`
	// Unencrypted allows backups that anyone can read.
	Unencrypted bool `toml:"unencrypted"`
}

func defaultBackup() Backup { return Backup{KeepLast: 7, KeepDaily: 14, KeepWeekly: 8} }

// LeastPassphrase is how many characters a passphrase of backups has at least.
const LeastPassphrase = 16

// backupProblems are those of the section backup.
func backupProblems(b Backup) []problem {
	const day = 24 * time.Hour
	every, recipient, passphrase := error(nil), error(nil), error(nil)
	if b.Every.Duration != 0 {
		if every = between(b.Every, 10*time.Minute, 366*day); every != nil {
			every = fmt.Errorf("%w, or 0s for never", every)
		} else if b.Recipient == "" && b.Passphrase == "" && !b.Unencrypted {
			every = errors.New("backups would be readable for anyone; set backup.recipient or backup.passphrase, " +
				"or backup.unencrypted = true where that is wanted")
		}
	}
	if b.Recipient != "" && !strings.HasPrefix(b.Recipient, "age1") {
		recipient = errors.New("it is no public key of age; write the age1… that age-keygen has printed")
	}
	if n := len(b.Passphrase); n > 0 && n < LeastPassphrase {
		passphrase = fmt.Errorf("it is shorter than %d characters", LeastPassphrase)
	}
	return []problem{
		{"backup.every", every},
		{"backup.recipient", recipient},
		{"backup.passphrase", passphrase},
		{"backup.keep_last", atLeast(b.KeepLast, 1)},
		{"backup.keep_daily", atLeast(b.KeepDaily, 0)},
		{"backup.keep_weekly", atLeast(b.KeepWeekly, 0)},
	}
}

func atLeast(n, least int) error {
	if n < least {
		return fmt.Errorf("%d is out of range; write %d or more", n, least)
	}
	return nil
}
