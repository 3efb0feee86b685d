package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/types"
)

// compiledCase is a case with all that it takes to run it without OPA.
type compiledCase struct {
	Folder string `json:"folder"`
	Note   string `json:"note"`
	Query  string `json:"query"`
	// Modules are there to be shown.
	Modules []string `json:"modules"`
	// Wasm is a file, or Error says why there is none.
	Wasm  string `json:"wasm,omitempty"`
	Error string `json:"error,omitempty"`
	// Data and Input are texts as they go into Wasm, Input possibly with sets.
	Data  *string `json:"data,omitempty"`
	Input *string `json:"input,omitempty"`

	WantDefined   *bool   `json:"wantDefined,omitempty"`
	WantResult    *string `json:"wantResult,omitempty"`
	WantErrorCode *string `json:"wantErrorCode,omitempty"`
	WantError     *string `json:"wantError,omitempty"`
	SortBindings  bool    `json:"sortBindings,omitempty"`
	StrictError   bool    `json:"strictError,omitempty"`
}

// compileCases compiles all cases below folder, and writes cases.json beside the modules.
func compileCases(folder, out string) error {
	set, err := cases.Load(folder)
	if err != nil {
		return err
	}
	registerSleep()
	compiled := make([]compiledCase, len(set.Cases))
	failures := make([]error, len(set.Cases))
	parallel(len(set.Cases), func(i int) {
		compiled[i], failures[i] = compileCase(set.Cases[i], out, fmt.Sprintf("%04d.wasm.gz", i))
	})
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("%s: %w", set.Cases[i].Note, err)
		}
	}
	return writeJSON(filepath.Join(out, "cases.json"), compiled)
}

func compileCase(c cases.TestCase, out, name string) (compiledCase, error) {
	result := compiledCase{
		Folder:        filepath.Base(filepath.Dir(c.Filename)),
		Note:          c.Note,
		Query:         c.Query,
		Modules:       c.Modules,
		WantDefined:   c.WantDefined,
		WantErrorCode: c.WantErrorCode,
		WantError:     c.WantError,
		SortBindings:  c.SortBindings,
		StrictError:   c.StrictError,
	}
	var err error
	if result.Data, err = text(c.Data); err != nil {
		return result, err
	}
	if result.Input, err = text(c.Input); err != nil {
		return result, err
	}
	if result.WantResult, err = text(c.WantResult); err != nil {
		return result, err
	}
	if c.InputTerm != nil {
		term, err := ast.ParseTerm(*c.InputTerm)
		if err != nil {
			return result, err
		}
		input := term.String()
		result.Input = &input
	}
	options := []func(*rego.Rego){
		rego.Query(c.Query),
		rego.SetRegoVersion(ast.RegoV1),
		rego.Capabilities(ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(c.ExperimentalKeywords))),
	}
	for i, module := range c.Modules {
		options = append(options, rego.Module(fmt.Sprintf("module-%d.rego", i), module))
	}
	if err := compileTo(out, name, options...); err != nil {
		result.Error = err.Error()
	} else {
		result.Wasm = name
	}
	return result, nil
}

// text of a value, or none for none.
func text[T any](value *T) (*string, error) {
	if value == nil {
		return nil, nil
	}
	bytes, err := json.Marshal(value)
	result := string(bytes)
	return &result, err
}

// registerSleep declares the one built-in that cases call and OPA has not.
func registerSleep() {
	rego.RegisterBuiltin1(&rego.Function{
		Name: "test.sleep",
		Decl: types.NewFunction(types.Args(types.S), types.NewNull()),
	}, func(rego.BuiltinContext, *ast.Term) (*ast.Term, error) { return ast.NullTerm(), nil })
}
