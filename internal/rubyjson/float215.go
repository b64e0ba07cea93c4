package rubyjson

import (
	"math"
	"math/bits"
	"strconv"
)

// appendFloat215 writes a finite float as the json gem does since 2.15. The gem
// takes the digits from Grisu2, which sometimes finds more than the shortest ones
// (1e23 is 9.999999999999999e+22), and it writes small numbers with an exponent
// only below 1e-9.
func appendFloat215(dst []byte, f float64, size int) []byte {
	if size == 32 { // Ruby's floats are float64s: take the one with the same shortest digits
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	}
	if math.Signbit(f) {
		dst, f = append(dst, '-'), -f
	}
	if f == 0 {
		return append(dst, "0.0"...)
	}
	var buf [20]byte
	digits, last := grisu2(buf[:0], f)
	exponent := last + len(digits) - 1 // of the first digit
	switch {
	case last >= 0 && exponent < 15:
		dst = append(dst, digits...)
		for range last {
			dst = append(dst, '0')
		}
		return append(dst, ".0"...)
	case last < 0 && exponent >= 0:
		dst = append(dst, digits[:exponent+1]...)
		dst = append(dst, '.')
		return append(dst, digits[exponent+1:]...)
	case last < 0 && exponent > -10:
		dst = append(dst, "0.00000000"[:1-exponent]...)
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	if exponent > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// grisu2 appends the digits of f, which is finite and positive, and returns the
// decimal exponent of the last digit.
//
// It is the algorithm of Florian Loitsch, "Printing Floating-Point Numbers
// Quickly and Accurately with Integers" (2010), with a table of every eighth
// power of ten. The table decides for which numbers the algorithm misses the
// shortest digits, so it must be the one that the gem uses.
func grisu2(digits []byte, f float64) (_ []byte, last int) {
	const hidden = 1 << 52
	b := math.Float64bits(f)
	m, e := b&(hidden-1), int(b>>52)
	if e > 0 {
		m, e = m|hidden, e-1
	}
	e -= 1074
	// The bounds of the interval of numbers that read back as f, as multiples of
	// one power of two. Below a power of two, the next float64 is only half as far
	// away as above it.
	shift := bits.LeadingZeros64(m)
	e -= shift
	upper := (2*m + 1) << (shift - 1)
	lower := (2*m - 1) << (shift - 1)
	if m == hidden {
		lower = (4*m - 1) << (shift - 2)
	}
	power, decimal, e := scale(e)
	w, upper, lower := mulHigh(m<<shift, power), mulHigh(upper, power)-1, mulHigh(lower, power)+1
	return shortest(digits, w, upper, lower, -e, -decimal)
}

// scale returns a power of ten that multiplies a number with exponent e to one
// with an exponent between -60 and -32, so that its integer part has at most 32
// bits.
func scale(e int) (power uint64, decimal, exponent int) {
	at := (int(-float64(e+len(powers))*0.30102999566398114) + 348) / 8 // log10(2)
	for {
		decimal = 8*at - 348
		exponent = e + (decimal*1741647)>>19 - 63 + 64 // 1741647 / 2**19 is log2(10)
		switch {
		case exponent < -60:
			at++
		case exponent > -32:
			at--
		default:
			return powers[at], decimal, exponent
		}
	}
}

func mulHigh(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high + low>>63 // rounded
}

// shortest appends the digits of the number between lower and upper that has the
// fewest digits; of several it takes the one nearest to w. In w, upper and lower
// the lowest point bits are the fraction. last is the decimal exponent of 1.
func shortest(digits []byte, w, upper, lower uint64, point, last int) ([]byte, int) {
	one := uint64(1) << point
	room, away := upper-lower, upper-w
	whole, part := upper>>point, upper&(one-1)
	for place := uint64(1e9); place > 0; place /= 10 {
		digits = appendDigit(digits, whole/place)
		whole %= place
		if rest := whole<<point + part; rest <= room {
			digits = nearest(digits, room, rest, place<<point, away)
			for ; place > 1; place /= 10 {
				last++
			}
			return digits, last
		}
	}
	for unit := uint64(10); ; unit *= 10 {
		part *= 10
		room *= 10
		last--
		digits = appendDigit(digits, part>>point)
		if part &= one - 1; part < room {
			return nearest(digits, room, part, one, away*unit), last
		}
	}
}

// appendDigit appends d, unless it is a leading zero.
func appendDigit(digits []byte, d uint64) []byte {
	if d == 0 && len(digits) == 0 {
		return digits
	}
	return append(digits, '0'+byte(d))
}

// nearest decrements the last digit as long as that brings the number closer to
// w. The number is rest below the upper bound, w is away below it.
func nearest(digits []byte, room, rest, unit, away uint64) []byte {
	for rest < away && room-rest >= unit && (rest+unit < away || away-rest > rest+unit-away) {
		digits[len(digits)-1]--
		rest += unit
	}
	return digits
}

// powers are the first 64 bits of 10**-348, 10**-340 … 10**340.
//
//nolint:gochecknoglobals // a table of constants
var powers = [...]uint64{
	0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea,
	0x9a6bb0aa55653b2d, 0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f,
	0xbe5691ef416bd60c, 0x8dd01fad907ffc3c, 0xd3515c2831559a83, 0x9d71ac8fada6c9b5,
	0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57, 0xc21094364dfb5637,
	0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
	0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996,
	0xdbac6c247d62a584, 0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8,
	0x87625f056c7c4a8b, 0xc9bcff6034c13053, 0x964e858c91ba2655, 0xdff9772470297ebd,
	0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf, 0x8a08f0f8bf0f156b,
	0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
	0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c,
	0x9c40000000000000, 0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984,
	0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70, 0xd5d238a4abe98068, 0x9f4f2726179a2245,
	0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db, 0xc45d1df942711d9a,
	0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
	0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3,
	0xde469fbd99a05fe3, 0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece,
	0x88fcf317f22241e2, 0xcc20ce9bd35c78a5, 0x98165af37b2153df, 0xe2a0b5dc971f303a,
	0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410, 0x8bab8eefb6409c1a,
	0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
	0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841,
	0x9e19db92b4e31ba9, 0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
}
