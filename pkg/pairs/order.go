package pairs

// Arm is a side of the comparison: 0 is A, 1 is B.
type Arm int

// The arms.
const (
	A Arm = iota
	B
)

// String is the arm's letter.
func (a Arm) String() string { return [...]string{"A", "B"}[a] }

// Stint is the time of one arm's servers.
type Stint struct {
	Arm   Arm
	Count int // measurements that count
	// WarmUp says that there is one more before them, which does not.
	WarmUp bool
}

// Measurements is how often the servers are measured.
func (s Stint) Measurements() int {
	if s.WarmUp {
		return s.Count + 1
	}
	return s.Count
}

// Order is the order in which so many pairs are measured. Servers are kept where they can be measured again.
func Order(pairs int, keep bool) (list []Stint) {
	for i := range pairs {
		first := Arm(i % 2)
		for _, arm := range []Arm{first, 1 - first} {
			if n := len(list) - 1; keep && n >= 0 && list[n].Arm == arm {
				list[n].Count++
				continue
			}
			list = append(list, Stint{Arm: arm, Count: 1, WarmUp: keep})
		}
	}
	return list
}
