package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
)

type buildRequest struct {
	Files       []sourceFile `json:"files"`
	Entrypoints []string     `json:"entrypoints"`
	Revision    string       `json:"revision"`
	// Hoist is from how many clauses on a rule is made cheaper to evaluate (see hoist); absent: as many as pay.
	Hoist int `json:"hoist"`
}

// buildAnswer holds either a bundle or errors.
type buildAnswer struct {
	// Bundle is a .tar.gz; JSON writes it in base64.
	Bundle   []byte       `json:"bundle,omitempty"`
	Builtins []builtinUse `json:"builtins,omitempty"`
	Errors   []problem    `json:"errors,omitempty"`
}

// build compiles sources to the bundle that `opa build --bundle --target wasm` would make of their folder.
func build(decoder *json.Decoder) (any, error) {
	var request buildRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	loaded, problems := load(request.Files)
	if len(problems) > 0 {
		return buildAnswer{Errors: problems}, nil
	}
	// compile.Compiler shows neither its compiled modules nor all of the errors, so this is compiled here
	// first. Capabilities are this OPA's own: which built-ins the host supplies is for the host to judge.
	compiler, problems := check(loaded, request.Entrypoints)
	if len(problems) > 0 {
		return buildAnswer{Errors: locate(problems, request.Files)}, nil
	}
	builtins := builtinUses(compiler.Modules)

	entrypoints := map[string]any{}
	for _, entrypoint := range request.Entrypoints {
		entrypoints[entrypoint] = entrypointReads(compiler, entrypoint)
	}
	fewest := request.Hoist
	if fewest == 0 {
		fewest = fewestClauses
	}
	built, err := compileHoisted(loaded, compiler, fewest, request.Entrypoints, request.Revision, map[string]any{
		"countersign": map[string]any{"reads": entrypoints},
	})
	if err != nil {
		return buildAnswer{Errors: locate(problemsOf(err, "build_error"), request.Files)}, nil
	}
	return buildAnswer{Bundle: built, Builtins: builtins}, nil
}

// compileHoisted gives what compileToWasm gives, but for the Wasm, which is that of the bundle that hoist makes.
func compileHoisted(
	loaded *bundle.Bundle, checked *ast.Compiler, fewest int, entrypoints []string, revision string, metadata map[string]any,
) ([]byte, error) {
	// Building takes from the bundle what no entrypoint needs, so this comes first.
	hoisted, worthwhile := hoist(loaded, checked, entrypoints, fewest)
	built, err := buildWasm(loaded, entrypoints, revision, metadata)
	if err != nil {
		return nil, err
	}
	if worthwhile {
		// OPA makes an entrypoint of whatever depends on one, and takes no function for that: then everything stays as it is.
		if better, err := buildWasm(hoisted, entrypoints, revision, metadata); err == nil {
			built.WasmModules = better.WasmModules
		}
	}
	return packed(built)
}

// compileToWasm gives the bundle as a .tar.gz, with `metadata` in its manifest unless that is nil.
func compileToWasm(
	loaded *bundle.Bundle, entrypoints []string, revision string, metadata map[string]any,
) ([]byte, error) {
	built, err := buildWasm(loaded, entrypoints, revision, metadata)
	if err != nil {
		return nil, err
	}
	return packed(built)
}

func packed(built *bundle.Bundle) ([]byte, error) {
	var out bytes.Buffer
	err := bundle.NewWriter(&out).Write(*built)
	return out.Bytes(), err
}

func buildWasm(
	loaded *bundle.Bundle, entrypoints []string, revision string, metadata map[string]any,
) (*bundle.Bundle, error) {
	compiler := compile.New().
		WithTarget(compile.TargetWasm).
		WithRegoVersion(ast.RegoV1).
		WithBundle(loaded).
		WithEntrypoints(entrypoints...).
		WithRevision(revision)
	if metadata != nil {
		compiler.WithMetadata(&metadata)
	}
	err := compiler.Build(context.Background())
	return compiler.Bundle(), err
}
