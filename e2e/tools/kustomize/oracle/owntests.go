package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// ownTests prints a build request for every build that the tests in a folder of kustomize's source
// make on files they write themselves, as far as those stand in the text as constants. They are
// read where Go's module cache has them and are no part of this repository.
func ownTests(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("--own-tests needs one folder")
	}
	paths, err := filepath.Glob(filepath.Join(arguments[0], "*_test.go"))
	if err != nil {
		return err
	}
	sort.Strings(paths)
	out := json.NewEncoder(os.Stdout)
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		reader := reader{constants: map[string]string{}, helpers: map[string]*ast.FuncDecl{}}
		reader.declarations(file)
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil || !strings.HasPrefix(function.Name.Name, "Test") {
				continue
			}
			name := strings.TrimSuffix(filepath.Base(path), "_test.go") + "/" + function.Name.Name
			for index, build := range reader.builds(function) {
				build["name"] = name + "#" + strconv.Itoa(index+1)
				if err := out.Encode(build); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

type reader struct {
	constants map[string]string
	helpers   map[string]*ast.FuncDecl
}

func (r *reader) declarations(file *ast.File) {
	for _, declaration := range file.Decls {
		switch declaration := declaration.(type) {
		case *ast.FuncDecl:
			r.helpers[declaration.Name.Name] = declaration
		case *ast.GenDecl:
			for _, spec := range declaration.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok {
					for i, name := range values.Names {
						if i < len(values.Values) {
							if text, ok := r.text(values.Values[i], nil); ok {
								r.constants[name.Name] = text
							}
						}
					}
				}
			}
		}
	}
}

// builds follows a test from top to bottom: writes fill the files, runs make requests.
func (r *reader) builds(function *ast.FuncDecl) []map[string]any {
	files := map[string]string{}
	var builds []map[string]any
	complete := true
	r.follow(function.Body, map[string]string{}, 0, func(method string, arguments []string, ok bool) {
		switch {
		case strings.HasPrefix(method, "Write"):
			if !ok {
				complete = false
				return
			}
			path, text := arguments[0], arguments[1]
			switch method {
			case "WriteK":
				path = filepath.Join(path, "kustomization.yaml")
				text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" + text
			case "WriteC":
				path = filepath.Join(path, "kustomization.yaml")
				text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n" + text
			}
			files[strings.TrimPrefix(filepath.Clean("/"+path), "/")] = text
		case complete && len(files) > 0 && len(arguments) > 0:
			copied := map[string]string{}
			for path, text := range files {
				copied[path] = text
			}
			builds = append(builds, map[string]any{
				"op": "build", "files": copied, "path": strings.Trim(filepath.Clean("/"+arguments[0]), "/"),
			})
		}
	})
	return builds
}

func (r *reader) follow(
	body ast.Node, local map[string]string, depth int,
	see func(method string, arguments []string, ok bool),
) {
	if depth > 3 {
		return
	}
	ast.Inspect(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			return false // tables of cases: their texts aren't constants
		case *ast.AssignStmt:
			for i, left := range node.Lhs {
				if name, ok := left.(*ast.Ident); ok && i < len(node.Rhs) {
					if text, ok := r.text(node.Rhs[i], local); ok {
						local[name.Name] = text
					}
				}
			}
		case *ast.CallExpr:
			var arguments []string
			constant := true
			for _, argument := range node.Args {
				text, ok := r.text(argument, local)
				constant = constant && ok
				arguments = append(arguments, text)
			}
			switch called := node.Fun.(type) {
			case *ast.SelectorExpr:
				switch method := called.Sel.Name; method {
				case "WriteK", "WriteC", "WriteF":
					see(method, arguments, constant && len(arguments) == 2)
				case "Run", "RunWithErr":
					if len(node.Args) == 2 {
						if _, ok := r.text(node.Args[0], local); ok {
							see(method, arguments[:1], true)
						}
					}
				}
			case *ast.Ident:
				helper, known := r.helpers[called.Name]
				if known && helper.Body != nil && !strings.HasPrefix(called.Name, "Test") {
					inner := map[string]string{}
					position := 0
					for _, field := range helper.Type.Params.List {
						for _, name := range field.Names {
							if position < len(node.Args) {
								if text, ok := r.text(node.Args[position], local); ok {
									inner[name.Name] = text
								}
							}
							position++
						}
					}
					r.follow(helper.Body, inner, depth+1, see)
				}
			}
		}
		return true
	})
}

// text is the value of an expression that is a constant text.
func (r *reader) text(expression ast.Expr, local map[string]string) (string, bool) {
	switch expression := expression.(type) {
	case *ast.BasicLit:
		if expression.Kind == token.STRING {
			text, err := strconv.Unquote(expression.Value)
			return text, err == nil
		}
	case *ast.Ident:
		if text, ok := local[expression.Name]; ok {
			return text, true
		}
		text, ok := r.constants[expression.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, first := r.text(expression.X, local)
		right, second := r.text(expression.Y, local)
		return left + right, first && second && expression.Op == token.ADD
	case *ast.ParenExpr:
		return r.text(expression.X, local)
	}
	return "", false
}
