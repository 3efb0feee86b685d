package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// policy is one module of package test, with what to evaluate it on.
type policy struct {
	Module string `json:"module"`
	// Data and Inputs are texts of JSON.
	Data   string   `json:"data"`
	Inputs []string `json:"inputs"`
}

type answers struct {
	// Error says why the policy does not compile.
	Error string `json:"error,omitempty"`
	Wasm  string `json:"wasm,omitempty"`
	// Answers to the inputs: the text of what the package comes to, or `error: ` and a code.
	Answers []string `json:"answers"`
}

const query = "x = data.test"

// differ answers each policy by topdown and compiles it to Wasm, for the other side to answer.
func differ(path, out string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var policies []policy
	if err := json.Unmarshal(text, &policies); err != nil {
		return err
	}
	all := make([]answers, len(policies))
	parallel(len(policies), func(i int) {
		name := fmt.Sprintf("%05d.wasm.gz", i)
		if err := answerPolicy(policies[i], out, name, &all[i]); err != nil {
			all[i] = answers{Error: err.Error()}
		}
	})
	return writeJSON(filepath.Join(out, "answers.json"), all)
}

func answerPolicy(p policy, out, name string, to *answers) error {
	module, err := ast.ParseModule("test.rego", p.Module)
	if err != nil {
		return err
	}
	compiler := ast.NewCompiler()
	if compiler.Compile(map[string]*ast.Module{"test.rego": module}); compiler.Failed() {
		return compiler.Errors
	}
	var data map[string]any
	if err := util.UnmarshalJSON([]byte(p.Data), &data); err != nil {
		return err
	}
	store := inmem.NewFromObject(data)
	for _, input := range p.Inputs {
		answer, err := evaluate(compiler, store, input)
		if err != nil {
			return err
		}
		to.Answers = append(to.Answers, answer)
	}
	to.Wasm = name
	return compileTo(out, name, rego.Query(query), rego.Module("test.rego", p.Module))
}

func evaluate(compiler *ast.Compiler, store storage.Store, input string) (string, error) {
	ctx := context.Background()
	term, err := ast.ParseTerm(input)
	if err != nil {
		return "", err
	}
	body, err := compiler.QueryCompiler().Compile(ast.MustParseBody(query))
	if err != nil {
		return "", err
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return "", err
	}
	defer store.Abort(ctx, txn)
	results, err := topdown.NewQuery(body).WithCompiler(compiler).WithStore(store).WithTransaction(txn).WithInput(term).Run(ctx)
	if err != nil {
		var failure *topdown.Error
		if errors.As(err, &failure) {
			return "error: " + failure.Code, nil
		}
		return "", err
	}
	if len(results) == 0 {
		return "", nil
	}
	return results[0][ast.Var("x")].String(), nil
}
