package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/managed"
	"authy/storage"
)

// PicturesPath begins the path of every picture; the id of the picture follows.
const PicturesPath = "/pictures/"

// MaxPicture is how large a file with a picture is at most, in bytes.
const MaxPicture = 5 << 20

// pictureField is the field of a profile that says where the picture is.
const pictureField = "avatar_url"

// ErrNoPicture says that there is no picture with an id.
var ErrNoPicture = fault.New(fault.NotFound, "picture_not_found", "There is no such picture.")

// perPicture is how often an account may have a picture drawn, which takes a while.
var perPicture = limit.Rule{Name: "picture-account", Most: 30, Window: time.Hour}

// SetPicture makes a file the picture of a user: PNG, JPEG, WebP or GIF, of which the
// middle is kept as a square and nothing of what else is in it. The picture has another
// address each time.
func (s *Service) SetPicture(ctx context.Context, by audit.Actor, userID string, file []byte) (*User, error) {
	if err := s.mayChange(ctx, by, userID); err != nil {
		return nil, err
	}
	if err := s.Limits.Count(ctx, perPicture, userID); err != nil {
		return nil, err
	}
	drawn, err := s.draw(ctx, file)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	return s.changePicture(ctx, by, userID, func(tx *storage.Tx, user *User, now time.Time) (bool, error) {
		if _, err := tx.DeletePicture(ctx, userID); err != nil {
			return false, err
		}
		user.AvatarURL = s.PublicURL + PicturesPath + id
		return true, tx.InsertPicture(ctx, &storage.Picture{
			ID: id, UserID: userID, Large: drawn.large, Small: drawn.small, CreatedAt: storage.At(now),
		})
	})
}

// RemovePicture takes the picture of a user away, also one that is elsewhere.
func (s *Service) RemovePicture(ctx context.Context, by audit.Actor, userID string) (*User, error) {
	if err := s.mayChange(ctx, by, userID); err != nil {
		return nil, err
	}
	return s.changePicture(ctx, by, userID, func(tx *storage.Tx, user *User, _ time.Time) (bool, error) {
		had, err := tx.DeletePicture(ctx, userID)
		had = had || user.AvatarURL != ""
		user.AvatarURL = ""
		return had, err
	})
}

// changePicture has change write what becomes of a picture, unless it says that nothing does.
func (s *Service) changePicture(
	ctx context.Context, by audit.Actor, userID string,
	change func(tx *storage.Tx, user *User, now time.Time) (bool, error),
) (changed *User, err error) {
	err = s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		changed = user
		some, err := change(tx, user, now)
		if err != nil {
			return fmt.Errorf("change the picture of %s: %w", userID, err)
		}
		if !some {
			return nil
		}
		if err := managed.Refuse(ctx, tx.Reader, by, managed.User, userID, pictureField); err != nil {
			return err
		}
		user.UpdatedAt = storage.At(now)
		if err := tx.SaveUser(ctx, user); err != nil {
			return fmt.Errorf("change the picture of %s: %w", userID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "user.update", TargetKind: "user", TargetID: userID,
			Details: map[string]string{"fields": pictureField},
		})
	})
	return changed, err
}

// Picture returns the picture with an id as JPEG; the small one is for lists. Whoever
// knows the id may see it. [ErrNoPicture] if there is none.
func (s *Service) Picture(ctx context.Context, id string, small bool) ([]byte, error) {
	if !isPictureID(id) {
		return nil, ErrNoPicture
	}
	find := s.db.LargePicture
	if small {
		find = s.db.SmallPicture
	}
	jpeg, err := find(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoPicture
	}
	if err != nil {
		return nil, fmt.Errorf("read picture %s: %w", id, err)
	}
	return jpeg, nil
}

// PicturePath returns the path of a user's picture, "" for one that is not kept here:
// pages show nothing that is elsewhere.
func (s *Service) PicturePath(u *User) string {
	path, ours := strings.CutPrefix(u.AvatarURL, s.PublicURL)
	id, picture := strings.CutPrefix(path, PicturesPath)
	if !ours || !picture || !isPictureID(id) {
		return ""
	}
	return path
}

// isPictureID says whether a text is what [rand.Text] makes.
func isPictureID(text string) bool {
	return len(text) == 26 && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '2' || r > '7')
	})
}

// dropPicture deletes, in tx, a picture that its user has replaced by another address.
func dropPicture(ctx context.Context, tx *storage.Tx, userID string) error {
	if _, err := tx.DeletePicture(ctx, userID); err != nil {
		return fmt.Errorf("drop the picture of %s: %w", userID, err)
	}
	return nil
}
