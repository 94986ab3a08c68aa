// Package proxytest holds a real authy behind proxies, real ones as docs/forward-auth.md sets them
// up where they are installed, and looks at who gets through, who does not, and what is said of
// them. It has tests alone, and refuses to know how a verdict comes about.
//
// Read scene_test.go (the hosts, their rules, and a browser), narrow_test.go (the cookie),
// attack_test.go (what must fail), document_test.go (the snippets of the document for nginx, Caddy,
// Traefik, HAProxy and Envoy), host_test.go (the hosts that clients name) and apache_test.go.
package proxytest
