package org

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/storage"
)

// The limits. No counter of one sender touches another: nobody can keep
// somebody else's invitations from arriving.
var (
	// perSender is how many people one account, or service token, may invite.
	perSender = limit.Rule{Name: "invitation-sender", Most: 300, Window: time.Hour}
	// perInvited is how often one sender may invite one address: an invitation
	// that was revoked can be sent again, and is mail to somebody who did not ask.
	perInvited = limit.Rule{Name: "invitation-mailbox", Most: 10, Window: time.Hour}
	// perAnswer is how often one address of the network may answer one in vain.
	perAnswer = limit.Rule{Name: "invitation-address", Most: 60, Window: 15 * time.Minute}
)

// countInvitation counts an invitation of an address of mail. An operator is
// not counted.
func (s *Service) countInvitation(ctx context.Context, by audit.Actor, email string) error {
	if by.Kind == audit.Operator {
		return nil
	}
	if err := s.Limits.Count(ctx, perSender, by.ID); err != nil {
		return err
	}
	return s.Limits.Count(ctx, perInvited, by.ID+":"+storage.Hash(email))
}

// answering counts an attempt to answer an invitation, unless do succeeds.
func (s *Service) answering(ctx context.Context, by audit.Actor, do func() error) error {
	network := limit.Network(by.IPAddress)
	if err := s.Limits.Count(ctx, perAnswer, network); err != nil {
		return err
	}
	err := do()
	if err == nil {
		s.Limits.Return(ctx, perAnswer, network)
	}
	return err
}
