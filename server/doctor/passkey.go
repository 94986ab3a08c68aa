package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"authy/server/account"
)

// passkeys looks at whether those that there are can be used at the public URL. A passkey
// belongs to the host that it was made at, and answers at no other (W3C Web
// Authentication, section 5.1.3, the RP ID).
func (s *Service) passkeys(ctx context.Context) ([]Finding, error) {
	c, now := s.Config.Config, time.Now()
	if ip, err := netip.ParseAddr(c.Host()); err == nil && !c.Localhost() {
		return one("passkeys", "The public URL is the address %s, and not a name: browsers make no passkeys there. Give the server a "+
			"name, and set public_url to it.", ip.String()), nil
	}
	stays, err := s.stays(ctx, now)
	if err != nil {
		return nil, err
	}
	here, lost, hosts := stays[len(stays)-1], int64(0), []string(nil)
	for i, p := range stays[:len(stays)-1] {
		if p.Host == here.Host {
			continue
		}
		n, err := s.DB.CountPasskeysMade(ctx, p.From, stays[i+1].From, here.From)
		if err != nil {
			return nil, fmt.Errorf("count passkeys: %w", err)
		}
		if n > 0 {
			lost, hosts = lost+n, append(hosts, p.Host)
		}
	}
	if lost == 0 {
		return nil, nil
	}
	return one("passkeys", "Passkeys that cannot be used at %s: %s, made when the server was at %s. Set public_url back, or have "+
		"people add new ones and remove the old.", here.Host, strconv.FormatInt(lost, 10), strings.Join(hosts, ", ")), nil
}

// stays are where the server has been, the first one first, and where it is now.
func (s *Service) stays(ctx context.Context, now time.Time) ([]account.Residence, error) {
	stays, err := account.Residences(ctx, s.DB.Reader)
	if err != nil {
		return nil, err
	}
	host := account.RelyingPartyOf(s.Config.Config.PublicURL).ID
	if len(stays) == 0 || stays[len(stays)-1].Host != host {
		stays = append(stays, account.Residence{Host: host, From: now})
	}
	stays[0].From = time.Time{}
	return stays, nil
}
