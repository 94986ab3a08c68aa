package self

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"authy/server/outbound"
)

// unreached says why nobody answered.
func (l *look) unreached(err error) {
	u, _ := url.Parse(l.address.URL) // it is checked when the server starts
	host := u.Hostname()
	if l.badTLS(err, host) {
		return
	}
	name, isName := errors.AsType[*net.DNSError](err)
	late, isNet := errors.AsType[net.Error](err)
	switch {
	case isName && name.IsNotFound:
		l.bad("reach", "The name %s is not known: make a DNS record for it, or correct public_url.", host)
	case isName:
		l.bad("reach", "The name server does not answer for %s: can this machine reach one?", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		l.bad("reach", "Nothing listens at %s: is the proxy running there, on this port?", l.address.URL)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		l.bad("reach", "There is no way from this machine to %s: is the DNS record right, and does the network lead there?", host)
	case errors.Is(err, outbound.ErrLong):
		l.bad("server", "Another server answers at %s. Is the DNS record right, and does the proxy lead here?", l.address.URL)
	case isNet && late.Timeout():
		l.bad("reach", "Nobody answered at %s in time: does a firewall stand in between? Many routers let no machine "+
			"behind them reach their own public address; then visitors may come through all the same.", l.address.URL)
	default:
		l.bad("reach", "%s could not be asked: %s.", l.address.URL, reason(err))
	}
}

// badTLS says what is wrong with the certificate, if that is it.
func (l *look) badTLS(err error, host string) bool {
	if wrong, ok := errors.AsType[x509.HostnameError](err); ok {
		names := strings.Join(wrong.Certificate.DNSNames, ", ")
		l.bad("reach", "The certificate is for “%s”, and not for %s: get one for that name.", names, host)
		return true
	}
	if wrong, ok := errors.AsType[x509.CertificateInvalidError](err); ok && wrong.Reason == x509.Expired {
		l.bad("reach", "The certificate has ended, or has not begun: renew it, and look at the clock of this machine.")
		return true
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	if unknown || unverified {
		l.bad("reach", "The certificate was not issued by anyone whom this machine trusts: have the proxy send the whole chain, "+
			"or get a certificate from a public authority such as Let's Encrypt.")
		return true
	}
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	if plain || alert || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		l.bad("reach", "No TLS is spoken at %s: have the proxy end TLS there.", l.address.URL)
		return true
	}
	return false
}

// reason returns the innermost of what an error says.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return strings.TrimSuffix(err.Error(), ".")
		}
		err = inner
	}
}

// strange says what is wrong with an answer that is none of this server's.
func (l *look) strange(answer *outbound.Answer, isAuthy bool) {
	status := strconv.Itoa(answer.Status)
	switch location := answer.Header.Get("Location"); {
	case answer.Status >= 300 && answer.Status < 400 && location != "":
		l.bad("server", "It leads on to “%s”. The server must answer at public_url itself: have the proxy not redirect, "+
			"or set public_url to where it leads.", origin(location))
	case isAuthy && answer.Status == http.StatusBadRequest:
		l.bad("server", "The proxy takes the query off addresses: have it pass them on as they came.")
	case isAuthy:
		l.bad("server", "Another authy answers at %s: it has another secret key, or is older.", l.address.URL)
	case answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden:
		l.bad("server", "The proxy lets nobody in without being asked who they are (%s): authy does that itself.", status)
	case answer.Status == http.StatusBadGateway || answer.Status == http.StatusServiceUnavailable ||
		answer.Status == http.StatusGatewayTimeout:
		l.bad("server", "The proxy answers, but does not reach authy (%s): have it pass requests on to %s.", status, l.listen)
	case answer.Status == http.StatusNotFound:
		l.bad("server", "There is nothing at this address (%s): does the proxy lead here, and pass every path on as it came?", status)
	default:
		l.bad("server", "Something else than authy answers (%s): does the proxy lead here?", status)
	}
}

// origin is the beginning of a location, which is enough to know whose it is.
func origin(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return location
	}
	return u.Scheme + "://" + u.Host
}
