// Package server assembles authy and runs it: it builds the services, maps
// URLs to the surfaces, and starts what runs by itself. It holds no rule.
//
// Read services.go (what there is), routes.go (where it is found),
// middleware.go (what happens to every request), server.go (how it starts and
// stops), jobs.go.
package server
