// The original, for comparison: kustomize's library and the substitution library that Flux uses, in
// one process that answers requests instead of being started for each.
//
// One JSON object a line on standard input, one JSON object a line on standard output:
//
//	{"op":"build","files":{"a/kustomization.yaml":"…"},"path":"a"}   objects and YAML, or an error
//	{"op":"substitute","text":"${a}","variables":{"a":"b"}}           a text, or an error
//	{"op":"time","files":{…},"path":"a","count":100}                  nanoseconds of each build
//	{"op":"scalar","text":"0o7"}                                      what the YAML reads as, in JSON
//
// `oracle --own-tests FOLDER` prints the build requests that kustomize's own tests in FOLDER make,
// and `oracle --measure PROGRAM ARGUMENT…` prints time and peak memory of another program.
//
// Nothing here may reach the network or start a program for a build: the search path is emptied,
// and HTTP is sent to a port where nobody listens.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/fluxcd/pkg/envsubst"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

type request struct {
	Op string `json:"op"`
	// Texts and, for what isn't UTF-8, base64.
	Files  map[string]string `json:"files"`
	Binary map[string]string `json:"binary"`
	Path   string            `json:"path"`
	// "none" (the default, as Flux calls it) or "legacy" (as the command does).
	Order string `json:"order"`
	// Whether files must lie below the kustomization that names them.
	RootOnly bool `json:"rootOnly"`
	// Whether the YAML that the command would print is wanted.
	Yaml bool `json:"yaml"`

	Text      string            `json:"text"`
	Variables map[string]string `json:"variables"`

	Count int `json:"count"`
}

type answer struct {
	Objects     []json.RawMessage `json:"objects,omitempty"`
	Yaml        string            `json:"yaml,omitempty"`
	Text        string            `json:"text"`
	Error       string            `json:"error,omitempty"`
	Nanoseconds []int64           `json:"nanoseconds,omitempty"`
}

func main() {
	log.SetOutput(io.Discard) // deprecations
	if len(os.Args) > 1 {
		special(os.Args[1], os.Args[2:])
		return
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Setenv(name, "http://127.0.0.1:9")
	}
	os.Setenv("PATH", "")
	// Warnings go to standard error by other ways than the logger; they aren't answers.
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			var r request
			var a answer
			if err := json.Unmarshal(line, &r); err != nil {
				a.Error = "request: " + err.Error()
			} else {
				a = handle(&r)
			}
			text, err := json.Marshal(a)
			if err != nil {
				text, _ = json.Marshal(answer{Error: "answer: " + err.Error()})
			}
			out.Write(text)
			out.WriteByte('\n')
			out.Flush()
		}
		if err != nil {
			return
		}
	}
}

func special(option string, arguments []string) {
	var err error
	switch option {
	case "--own-tests":
		err = ownTests(arguments)
	case "--measure":
		err = measure(arguments)
	default:
		err = fmt.Errorf("%s is not an option", option)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func handle(r *request) (a answer) {
	defer func() {
		if panicked := recover(); panicked != nil {
			a = answer{Error: fmt.Sprint("panic: ", panicked)}
		}
	}()
	var err error
	switch r.Op {
	case "build":
		a, err = build(r)
	case "time":
		a, err = timed(r)
	case "substitute":
		a.Text, err = envsubst.Eval(r.Text, func(name string) (string, bool) {
			value, exists := r.Variables[name]
			return value, exists
		})
	case "scalar":
		var text []byte
		text, err = yaml.YAMLToJSON([]byte(r.Text))
		a.Text = string(text)
	default:
		err = fmt.Errorf("%q is not an operation", r.Op)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return a
}

func files(r *request) (filesys.FileSystem, error) {
	fs := filesys.MakeFsInMemory()
	paths := make([]string, 0, len(r.Files))
	for path := range r.Files {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		if err := write(fs, path, []byte(r.Files[path])); err != nil {
			return nil, err
		}
	}
	for path, text := range r.Binary {
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		if err := write(fs, path, bytes); err != nil {
			return nil, err
		}
	}
	return fs, nil
}

func write(fs filesys.FileSystem, path string, bytes []byte) error {
	path = filepath.Join("/", path)
	if err := fs.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return fs.WriteFile(path, bytes)
}

func run(r *request) (resmap.ResMap, error) {
	fs, err := files(r)
	if err != nil {
		return nil, err
	}
	// A schema of the user's own stays in the library for good; the command builds only once.
	for _, text := range r.Files {
		if strings.Contains(text, "openapi") {
			openapi.ResetOpenAPI()
			defer openapi.ResetOpenAPI()
			break
		}
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	if r.RootOnly {
		options.LoadRestrictions = types.LoadRestrictionsRootOnly
	}
	if r.Order == "legacy" {
		options.Reorder = krusty.ReorderOptionLegacy
	}
	return krusty.MakeKustomizer(options).Run(fs, filepath.Join("/", r.Path))
}

func build(r *request) (answer, error) {
	var a answer
	built, err := run(r)
	if err != nil {
		return a, err
	}
	// From the YAML of each object, not from its tree: what a user applies is that text.
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return a, err
		}
		object, err := yaml.YAMLToJSON(text)
		if err != nil {
			return a, err
		}
		a.Objects = append(a.Objects, object)
	}
	if r.Yaml {
		text, err := built.AsYaml()
		if err != nil {
			return a, err
		}
		a.Yaml = string(text)
	}
	return a, nil
}

func timed(r *request) (answer, error) {
	var a answer
	for range r.Count {
		runtime.GC()
		started := time.Now()
		built, err := run(r)
		if err != nil {
			return a, err
		}
		if _, err := built.AsYaml(); err != nil {
			return a, err
		}
		a.Nanoseconds = append(a.Nanoseconds, time.Since(started).Nanoseconds())
	}
	return a, nil
}
