package config

import (
	"fmt"
	"time"
)

// Keys says when the keys that sign tokens are replaced.
type Keys struct {
	// RotateEvery is how long a key signs; 0 is until it is replaced by hand.
	RotateEvery Duration `toml:"rotate_every"`
	// PublishFor is how long a key is published before it signs.
	PublishFor Duration `toml:"publish_for"`
}

func defaultKeys() Keys {
	return Keys{RotateEvery: Duration{90 * 24 * time.Hour}, PublishFor: Duration{24 * time.Hour}}
}

// keyProblems are those of the section keys. Verifiers keep the keys for five
// minutes, so that a new one must be known for longer.
func keyProblems(k Keys) []problem {
	const day = 24 * time.Hour
	rotate, least := error(nil), max(k.PublishFor.Duration, time.Hour)
	if k.RotateEvery.Duration != 0 {
		if rotate = between(k.RotateEvery, least, 3650*day); rotate != nil {
			rotate = fmt.Errorf("%w, or 0s for never", rotate)
		}
	}
	return []problem{
		{"keys.rotate_every", rotate},
		{"keys.publish_for", between(k.PublishFor, 10*time.Minute, 30*day)},
	}
}
