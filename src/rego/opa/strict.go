package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

type checkRequest struct {
	// Files may include tests (*_test.rego): they are compiled, but not warned about.
	Files   []sourceFile `json:"files"`
	Schemas []schemaFile `json:"schemas"`
	// Entrypoints must be there; DefaultEntrypoint is one too if it is.
	Entrypoints       []string `json:"entrypoints"`
	DefaultEntrypoint string   `json:"default_entrypoint"`
}

// checkAnswer lists what is wrong, and what probably is not meant.
type checkAnswer struct {
	Errors   []problem `json:"errors"`
	Warnings []problem `json:"warnings"`
	// Entrypoints are those asked for, those that annotations declare, and the default one if it is there; else
	// every package, since anything may then be asked for.
	Entrypoints []string     `json:"entrypoints"`
	Builtins    []builtinUse `json:"builtins"`
	// Bundle is the policies compiled for these entrypoints, where there are no errors: a .tar.gz in base64.
	Bundle []byte `json:"bundle,omitempty"`
}

// checkSources compiles strictly, by the schemas, and looks for what compiles but cannot be meant.
func checkSources(decoder *json.Decoder) (any, error) {
	var request checkRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	answer := checkAnswer{
		Errors: []problem{}, Warnings: []problem{}, Entrypoints: []string{}, Builtins: []builtinUse{},
	}
	loaded, problems := load(request.Files)
	if len(problems) > 0 {
		answer.Errors = problems
		return answer, nil
	}
	schemas, problems := readSchemas(request.Schemas)
	if len(problems) > 0 {
		answer.Errors = problems
		return answer, nil
	}
	compiler := compileStrictly(loaded, schemas)
	if compiler.Failed() {
		for _, err := range compiler.Errors {
			answer.Errors = append(answer.Errors, explained(err, loaded, schemas))
		}
		slices.SortStableFunc(answer.Errors, func(a, b problem) int { return comparePlaces(a.place, b.place) })
	} else {
		for _, entrypoint := range request.Entrypoints {
			if message := entrypointProblem(compiler, entrypoint); message != "" {
				answer.Errors = append(answer.Errors, problem{Code: "entrypoint_invalid", Message: message})
			}
		}
		entrypoints, declared := entrypointsOf(compiler, request)
		answer.Entrypoints = entrypoints
		answer.Builtins = builtinUses(policiesOf(compiler.Modules))
		answer.Warnings = append(answer.Warnings, warnings(compiler, loaded, schemas, declared)...)
	}
	answer.Errors = append(answer.Errors, schemas.dataProblems(loaded.Data)...)
	if len(answer.Errors) == 0 && len(answer.Entrypoints) > 0 {
		answer.Bundle, problems = buildPolicies(request.Files, answer.Entrypoints)
		answer.Errors = append(answer.Errors, problems...)
	}
	answer.Errors = locate(answer.Errors, request.Files)
	answer.Warnings = locate(answer.Warnings, request.Files)
	return answer, nil
}

// buildPolicies leaves out the tests: a server never compiles them.
func buildPolicies(files []sourceFile, entrypoints []string) ([]byte, []problem) {
	policies := slices.DeleteFunc(slices.Clone(files), func(file sourceFile) bool { return isTest(file.Path) })
	loaded, problems := load(policies)
	if len(problems) > 0 {
		return nil, problems
	}
	// As a server compiles: a policy that leans on one of its tests fails here.
	if _, problems := check(loaded, entrypoints); len(problems) > 0 {
		return nil, problems
	}
	built, err := compileToWasm(loaded, entrypoints, "", nil)
	if err != nil {
		return nil, problemsOf(err, "build_error")
	}
	return built, nil
}

func compileStrictly(loaded *bundle.Bundle, schemas *schemas) *ast.Compiler {
	modules := modulesOf(loaded)
	if module := schemas.dataModule(modules); module != nil {
		modules["the schema of data"] = module
	}
	capabilities := ast.CapabilitiesForThisVersion()
	// Schemas are here or nowhere: none is fetched.
	capabilities.AllowNet = []string{}
	compiler := ast.NewCompiler().
		WithCapabilities(capabilities).
		WithDefaultRegoVersion(ast.RegoV1).
		WithStrict(true).
		WithEnablePrintStatements(true).
		WithSchemas(schemas.set).
		WithUseTypeCheckAnnotations(true).
		SetErrorLimit(0).
		WithPathConflictsCheck(func(path []string) (bool, error) { return hasData(loaded.Data, path), nil })
	compiler.Compile(modules)
	return compiler
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.rego") }

// policiesOf leaves out tests, and the module that only carries the schema of data.
func policiesOf(modules map[string]*ast.Module) map[string]*ast.Module {
	policies := map[string]*ast.Module{}
	for file, module := range modules {
		if !isTest(file) && len(module.Package.Path) > 1 {
			policies[file] = module
		}
	}
	return policies
}

// entrypointsOf gives what to compile for, and of that what is meant as an entrypoint.
func entrypointsOf(compiler *ast.Compiler, request checkRequest) (all []string, declared []string) {
	declared = slices.Clone(request.Entrypoints)
	for _, annotated := range compiler.GetAnnotationSet().Flatten() {
		if annotated.Annotations.Entrypoint && !isTest(annotated.Location.File) {
			declared = append(declared, pathOf(annotated.Path))
		}
	}
	if request.DefaultEntrypoint != "" && entrypointProblem(compiler, request.DefaultEntrypoint) == "" {
		declared = append(declared, request.DefaultEntrypoint)
	}
	slices.Sort(declared)
	declared = slices.Compact(declared)
	if len(declared) > 0 {
		return declared, declared
	}
	for _, module := range policiesOf(compiler.Modules) {
		if len(module.Rules) > 0 {
			all = append(all, pathOf(module.Package.Path))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func pathOf(ref ast.Ref) string {
	parts := make([]string, 0, len(ref))
	for _, term := range ref[1:] {
		if text, ok := term.Value.(ast.String); ok {
			parts = append(parts, string(text))
		}
	}
	return strings.Join(parts, "/")
}
