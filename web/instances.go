package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/goresque/goresque/internal/pattern"
	"github.com/goresque/goresque/resque"
)

// Instance is one of several Resques that a handler of NewInstances shows.
type Instance struct {
	// Name is shown in the header and is a part of the path. It has letters, digits,
	// dots, dashes and underscores.
	Name string

	Client *resque.Client

	// Config configures its dashboard as New does, with its own Auth. Users see the names
	// of all instances.
	Config Config
}

// Instances is the handler that NewInstances returns. It is safe for concurrent use.
type Instances struct {
	names  []string
	byName map[string]*Dashboard
}

var instanceName = pattern.Pattern{Text: `^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`}

// NewInstances returns dashboards of several Resques as one handler. The dashboard of
// each instance is below its name, and its header links to the others. The root
// redirects to the first instance. Like a Dashboard, the handler can be mounted below any
// path. The error lists every mistake.
func NewInstances(instances ...Instance) (*Instances, error) {
	if len(instances) == 0 {
		return nil, errors.New("web: NewInstances needs at least one instance")
	}
	all := &Instances{byName: map[string]*Dashboard{}}
	var mistakes []error
	for _, i := range instances {
		switch {
		case !instanceName.Regexp().MatchString(i.Name):
			mistakes = append(mistakes, fmt.Errorf("web: invalid name of an instance %q: use up to 64 letters, digits, dots, dashes and underscores, and no dot at the beginning", i.Name))
			continue
		case slices.Contains(all.names, i.Name):
			mistakes = append(mistakes, fmt.Errorf("web: two instances have the name %q", i.Name))
			continue
		}
		d, err := New(i.Client, i.Config)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("instance %s: %w", i.Name, err))
			continue
		}
		all.names = append(all.names, i.Name)
		all.byName[i.Name] = d
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	for name, d := range all.byName {
		d.instances, d.instance = all.names, name
	}
	return all, nil
}

// ServeHTTP serves the dashboard of the instance that the path names.
func (a *Instances) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if d := a.byName[name]; d != nil {
		http.StripPrefix("/"+name, d).ServeHTTP(w, r)
		return
	}
	first := a.byName[a.names[0]]
	if name != "" || r.URL.Path == "" { // it answers that there is no such page, or redirects to a path with a slash
		first.ServeHTTP(w, r)
		return
	}
	secure(w.Header())
	w.Header().Set("Location", "./"+a.names[0]+"/")
	w.WriteHeader(http.StatusSeeOther)
}

// Run runs all dashboards until ctx ends: see [Dashboard.Run].
func (a *Instances) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, d := range a.byName {
		all.Go(func() { _ = d.Run(ctx) }) // always returns nil
	}
	all.Wait()
	return nil
}
