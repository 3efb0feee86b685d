package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
)

// check compiles the modules to OPA's own form and tells everything that is wrong with them, or with the
// entrypoints.
func check(loaded *bundle.Bundle, entrypoints []string) (*ast.Compiler, []problem) {
	compiler := ast.NewCompiler().
		WithDefaultRegoVersion(ast.RegoV1).
		WithPathConflictsCheck(func(path []string) (bool, error) { return hasData(loaded.Data, path), nil })
	compiler.Compile(modulesOf(loaded))
	if compiler.Failed() {
		return nil, problemsOf(compiler.Errors, "compile_error")
	}

	var problems []problem
	for _, entrypoint := range entrypoints {
		if message := entrypointProblem(compiler, entrypoint); message != "" {
			problems = append(problems, problem{Code: "entrypoint_invalid", Message: message})
		}
	}
	return compiler, problems
}

// entrypointProblem says why a path like mesh/authz/decision cannot be asked for; empty when it can.
func entrypointProblem(compiler *ast.Compiler, entrypoint string) string {
	path, ok := storage.ParsePath("/" + entrypoint)
	if !ok || slices.Contains(path, "") || len(path) == 0 {
		return fmt.Sprintf("entrypoint %q is not a path of the form package/rule", entrypoint)
	}
	document := path.Ref(ast.DefaultRootDocument)
	if len(compiler.GetRules(document)) == 0 {
		return fmt.Sprintf("entrypoint %q names no rule and no package", entrypoint)
	}
	for _, rule := range compiler.GetRulesExact(document) {
		if len(rule.Head.Args) > 0 {
			return fmt.Sprintf("entrypoint %q is a function", entrypoint)
		}
	}
	return ""
}

// hasData tells whether the data files define a document at this path: a rule there would hide it.
func hasData(data map[string]any, path []string) bool {
	var node any = data
	for _, key := range path {
		object, ok := node.(map[string]any)
		if !ok {
			return false
		}
		if node, ok = object[key]; !ok {
			return false
		}
	}
	return true
}
