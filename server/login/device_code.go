package login

import (
	"context"

	"authy/server/audit"
	"authy/server/limit"
)

// Device begins the sign-in of a browser that lets a device in by the code which that
// shows (RFC 8628, section 3.3). Whatever is known of the browser, its user is asked.
// It is refused if no device waits with the code.
func (s *Service) Device(ctx context.Context, by audit.Actor, b Browser, userCode string) (*Next, error) {
	if err := s.limits().userCode(ctx, by); err != nil {
		return nil, err
	}
	request, err := s.openid.DeviceRequest(ctx, userCode)
	if err != nil {
		return nil, err
	}
	s.limits().userCodeGood(ctx, by)
	return s.advance(ctx, by, b, nil, &asked{Request: request})
}

// userCode counts a code of a device that is typed.
func (l limits) userCode(ctx context.Context, by audit.Actor) error {
	network := limit.Network(by.IPAddress)
	if err := l.count.Count(ctx, perUserCode, network); err != nil {
		return err
	}
	return l.count.Count(ctx, perUserCodeAnywhere, "")
}

// userCodeGood takes back what was counted for a code that was good.
func (l limits) userCodeGood(ctx context.Context, by audit.Actor) {
	l.count.Return(ctx, perUserCode, limit.Network(by.IPAddress))
	l.count.Return(ctx, perUserCodeAnywhere, "")
}
