//go:build !race

package rtm

const raceEnabled = false
