package resume

// WithDefaults returns p with its defaults filled in.
func WithDefaults(p Policy) Policy { return p.withDefaults() }
