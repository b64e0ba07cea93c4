package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

var anyBlock = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")

// YAML and JSON in the documents can be parsed, unless something is left out (…).
func TestConfigsInDocumentsCanBeParsed(t *testing.T) {
	t.Parallel()
	parsed := 0
	for _, document := range documents(t) {
		for _, b := range anyBlock.FindAllStringSubmatch(read(t, document), -1) {
			text := b[2]
			var value any
			switch {
			case strings.Contains(text, "…"):
			case b[1] == "yaml":
				parsed++
				assert.NoError(t, yaml.Unmarshal([]byte(text), &value), "%s:\n%s", document, text)
			case strings.HasPrefix(text, "{"):
				parsed++
				assert.NoError(t, json.Unmarshal([]byte(text), &value), "%s:\n%s", document, text)
			default:
			}
		}
	}
	assert.GreaterOrEqual(t, parsed, 3)
}

// The Deployment of docs/kubernetes.md runs a command that exists, with variables that it
// reads, and asks for the pages of its health.
func TestKubernetesManifestFitsTheCommand(t *testing.T) {
	t.Parallel()
	var deployment struct {
		Kind string
		Spec struct {
			Selector struct{ MatchLabels map[string]string }
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					Containers []struct {
						Args  []string
						Env   []struct{ Name, Value string }
						Ports []struct {
							Name          string
							ContainerPort int
						}
						LivenessProbe, ReadinessProbe struct{ HTTPGet struct{ Path, Port string } }
					}
				}
			}
		}
	}
	for _, b := range anyBlock.FindAllStringSubmatch(read(t, "docs/kubernetes.md"), -1) {
		if b[1] == "yaml" {
			// Kubernetes' names have capitals inside, which the package folds by default.
			require.NoError(t, yaml.Unmarshal([]byte(strings.ToLower(b[2])), &deployment))
			break
		}
	}
	require.Equal(t, "deployment", deployment.Kind)
	assert.Equal(t, deployment.Spec.Selector.MatchLabels, deployment.Spec.Template.Metadata.Labels)
	containers := deployment.Spec.Template.Spec.Containers
	require.Len(t, containers, 1)
	c := containers[0]
	assert.Equal(t, []string{"work"}, c.Args)
	vars := commands(t)["work"]
	for _, v := range c.Env {
		name := strings.ToUpper(v.Name)
		known := false
		for _, names := range vars {
			known = known || slices.Contains(names, name)
		}
		assert.True(t, known, "work does not read %s", name)
	}
	assert.Equal(t, "/healthz", c.LivenessProbe.HTTPGet.Path)
	assert.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
	require.Len(t, c.Ports, 1)
	assert.Equal(t, c.Ports[0].Name, c.LivenessProbe.HTTPGet.Port)
	assert.Equal(t, c.Ports[0].Name, c.ReadinessProbe.HTTPGet.Port)
}
