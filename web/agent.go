package web

import "strings"

// browserName tells a person which browser a User-Agent header speaks of. The
// order matters: most of them also name the one they descend from.
func browserName(agent string) string {
	name := first(agent, "", []string{
		"Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "CriOS/", "Chrome", "Chrome/", "Chrome",
		"Safari/", "Safari", "curl/", "curl", "Go-http-client/", "a Go program", "python", "a Python program",
	})
	system := first(agent, "", []string{
		"iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "Mac OS X", "macOS",
		"CrOS", "ChromeOS", "Linux", "Linux",
	})
	switch {
	case name == "" && system == "":
		return "Unknown program"
	case system == "":
		return name
	case name == "":
		return "Unknown browser on " + system
	}
	return name + " on " + system
}

// first returns the name that follows the first mark found in agent; pairs
// alternates marks and names.
func first(agent, fallback string, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.Contains(agent, pairs[i]) {
			return pairs[i+1]
		}
	}
	return fallback
}
