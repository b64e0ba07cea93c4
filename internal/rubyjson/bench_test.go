package rubyjson

import (
	"encoding/json"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	type filter struct {
		Status string `json:"status"`
		Limit  int    `json:"limit,omitempty"`
	}
	for name, args := range map[string][]any{
		"scalars": {42, "csv", true, nil},
		"hash":    {42, "csv", map[string]any{"status": "paid", "limit": 100, "ratio": 0.5}},
		"struct":  {42, "csv", filter{"paid", 100}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, 256)
			for b.Loop() {
				if _, err := AppendArgs(dst, args); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParsePayload(b *testing.B) {
	for name, raw := range map[string]string{
		"small": `{"class":"Exporter","args":[42]}`,
		"large": `{"class":"Exporter","args":[42,"csv",{"status":"paid","note":"Grüße \"aus\" Köln","ids":[1,2,3,4,5,6,7,8,9,10],"ratio":1.0e-05}],"queued_at":"2026-01-15T12:34:56Z"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for text := []byte(raw); b.Loop(); {
				if _, err := ParsePayload(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	raw := []byte(`{"class":"Exporter","args":[42]}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := Valid(raw); err != nil {
			b.Fatal(err)
		}
	}
}
