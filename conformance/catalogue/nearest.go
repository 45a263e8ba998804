package catalogue

import "slices"

// Nearest returns the word that looks most like the misspelt one, for error messages; "" when there are no words.
func Nearest(misspelt string, words []string) string {
	if len(words) == 0 {
		return ""
	}
	return slices.MinFunc(words, func(a, b string) int { return distance(misspelt, a) - distance(misspelt, b) })
}

// IDs returns the ids of all requirements in the order of the catalogue.
func (c *Catalogue) IDs() []string {
	ids := make([]string, len(c.Requirements))
	for i, r := range c.Requirements {
		ids[i] = r.ID
	}
	return ids
}

// ProfileNames returns the names of all profiles in the order of the catalogue.
func (c *Catalogue) ProfileNames() []string {
	names := make([]string, len(c.Profiles))
	for i, profile := range c.Profiles {
		names[i] = profile.Name
	}
	return names
}

// distance is the number of single-byte edits that turn one word into the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
