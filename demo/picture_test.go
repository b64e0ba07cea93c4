package demo

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// animate writes an animation of screenshots. It shows each for delay hundredths of a
// second.
func animate(t *testing.T, pictures [][]byte, delay int, name string) {
	t.Helper()
	var film gif.GIF
	var last *image.Paletted
	palette := colors(t, pictures[len(pictures)/3], pictures[len(pictures)-1])
	for _, picture := range pictures {
		frame := paletted(t, picture, palette)
		changed := difference(last, frame)
		last = frame
		if changed.Empty() {
			film.Delay[len(film.Delay)-1] += delay
			continue
		}
		film.Image, film.Delay = append(film.Image, frame.SubImage(changed).(*image.Paletted)), append(film.Delay, delay)
	}
	film.Delay[len(film.Delay)-1] += 200
	var out bytes.Buffer
	require.NoError(t, gif.EncodeAll(&out, &film))
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o644))
}

// difference returns the part of b that differs from a.
func difference(a, b *image.Paletted) (changed image.Rectangle) {
	if a == nil {
		return b.Bounds()
	}
	for y := range b.Bounds().Dy() {
		for x := range b.Bounds().Dx() {
			if a.ColorIndexAt(x, y) != b.ColorIndexAt(x, y) {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return changed
}

// small writes a screenshot as a PNG with at most 256 colors.
func small(t *testing.T, picture []byte, name string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, paletted(t, picture, colors(t, picture))))
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o644))
}

// colors returns the 256 most frequent colors of screenshots.
func colors(t *testing.T, pictures ...[]byte) color.Palette {
	t.Helper()
	counts := map[color.Color]int{}
	for _, picture := range pictures {
		full := decode(t, picture)
		for y := range full.Bounds().Dy() {
			for x := range full.Bounds().Dx() {
				counts[full.At(x, y)]++
			}
		}
	}
	all := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	return all[:min(len(all), 256)]
}

func paletted(t *testing.T, picture []byte, palette color.Palette) *image.Paletted {
	t.Helper()
	full := decode(t, picture)
	p := image.NewPaletted(full.Bounds(), palette)
	draw.Draw(p, p.Bounds(), full, image.Point{}, draw.Src)
	return p
}

func decode(t *testing.T, picture []byte) image.Image {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	return full
}
