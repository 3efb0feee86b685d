package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/util"
)

// reads tells what an entrypoint can depend on besides data. It may say too much, and never too little: whoever
// asks for a decision leaves out of the input what is not named here.
type reads struct {
	// Input holds the paths that are read, each with everything below it; none leads to another. A path of no
	// names is the whole input.
	Input [][]string `json:"input"`
	// Pure says that equal inputs give equal results: neither the time nor chance is asked.
	Pure bool `json:"pure"`
}

// entrypointReads looks at every rule that an entrypoint can come to.
func entrypointReads(compiler *ast.Compiler, entrypoint string) reads {
	path, _ := storage.ParsePath("/" + entrypoint)
	found := reads{Input: [][]string{}, Pure: true}
	seen := map[*ast.Rule]struct{}{}
	var visit func(rule *ast.Rule)
	visit = func(rule *ast.Rule) {
		if _, ok := seen[rule]; ok {
			return
		}
		seen[rule] = struct{}{}
		found.walk(rule)
		if rule.Else != nil {
			visit(rule.Else)
		}
		for next := range compiler.Graph.Dependencies(util.T(rule)) {
			visit(next.(*ast.Rule))
		}
	}
	for _, rule := range compiler.GetRules(path.Ref(ast.DefaultRootDocument)) {
		visit(rule)
	}
	found.Input = shortest(found.Input)
	return found
}

// walk takes what one rule says by itself, its else branches included.
func (r *reads) walk(rule *ast.Rule) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			if r.take(x) {
				// What stands between the brackets is an expression of its own; the head was taken.
				x = x[1:]
			}
			for _, term := range x {
				visitor.Walk(term)
			}
			return true
		case ast.Var:
			// The parser makes a reference of it wherever it stands. Should it ever not, this is the whole input.
			if x.Equal(ast.InputRootDocument.Value) {
				r.Input = append(r.Input, []string{})
			}
		}
		return false
	})
	visitor.Walk(rule)
}

// impure are the built-ins that ask for the time without OPA's saying so: certificates expire.
var impure = []string{
	ast.CryptoX509ParseAndVerifyCertificates.Name,
	ast.CryptoX509ParseAndVerifyCertificatesWithOptions.Name,
}

// take says whether the reference leads into the input.
func (r *reads) take(ref ast.Ref) bool {
	if builtin := ast.BuiltinMap[ref.String()]; builtin != nil {
		if builtin.IsNondeterministic() || slices.Contains(impure, builtin.Name) {
			r.Pure = false
		}
	}
	if !ref.HasPrefix(ast.InputRootRef) {
		return false
	}
	r.Input = append(r.Input, constantPath(ref[1:]))
	return true
}

// constantPath is as much of a reference as holds for every request.
func constantPath(ref ast.Ref) []string {
	path := []string{}
	for _, term := range ref {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(name))
	}
	return path
}

// shortest leaves out each path that another one covers.
func shortest(paths [][]string) [][]string {
	// What lies below a path comes right after it.
	slices.SortFunc(paths, slices.Compare[[]string])
	kept := [][]string{}
	for _, path := range paths {
		if len(kept) > 0 {
			last := kept[len(kept)-1]
			if len(last) <= len(path) && slices.Equal(last, path[:len(last)]) {
				continue
			}
		}
		kept = append(kept, path)
	}
	return kept
}
