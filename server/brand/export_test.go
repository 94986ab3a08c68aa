package brand

// ReadLogo is readLogo.
var ReadLogo = readLogo

// Grounds are what text in the accent stands on: surface, ground and what is sunken.
func Grounds(inDark bool) []Color {
	if inDark {
		return dark.grounds
	}
	return light.grounds
}
