package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

type explainRequest struct {
	Files      []sourceFile `json:"files"`
	Entrypoint string       `json:"entrypoint"`
	// Input is JSON text; empty where there is none.
	Input  string `json:"input"`
	TimeNs int64  `json:"time_ns"`
	// MostFailures is how many failures of one expression are told of, each with its values.
	MostFailures int `json:"most_failures"`
}

// explainAnswer is the value of the entrypoint and how it came about, or errors of the sources.
type explainAnswer struct {
	// Value is absent where the entrypoint is undefined.
	Value *shownValue `json:"value,omitempty"`
	// Error has ended the evaluation; Rules then tell of what came before.
	Error *problem    `json:"error,omitempty"`
	Rules []*ruleNode `json:"rules"`
	// Failed lists calls of built-ins that gave up, each of which left its expression undefined.
	Failed []problem `json:"failed_builtins,omitempty"`
	// Cut says that the evaluation was too long to be told to its end.
	Cut    bool      `json:"cut,omitempty"`
	Errors []problem `json:"errors,omitempty"`
}

// ruleNode is one rule, or one call of a function, with the definitions that were tried.
type ruleNode struct {
	// Name is a path: data.mesh.authz.allow
	Name string `json:"name"`
	// Args are those of this call; absent for a rule.
	Args  []*shownValue `json:"args,omitempty"`
	Value *shownValue   `json:"value,omitempty"`
	// Elsewhere says that the definitions are told at another place of the answer.
	Elsewhere   bool          `json:"elsewhere,omitempty"`
	Definitions []*definition `json:"definitions,omitempty"`
}

// definition is one `rule := … if { … }`.
type definition struct {
	place
	Text    string `json:"text"`
	Default bool   `json:"default,omitempty"`
	Held    bool   `json:"held"`
	// Mismatch says that the arguments are not those that the head asks for.
	Mismatch bool `json:"mismatch,omitempty"`
	// Steps are the expressions in the order of evaluation, as far as that came.
	Steps []*step `json:"steps,omitempty"`
}

// step is one expression of a body, or the head's value, over all the values that reached it.
type step struct {
	place
	Text string `json:"text"`
	// Head says that it is no expression of the body.
	Head bool `json:"head,omitempty"`
	// Passed counts the solutions that it let through, Failed the tries that ended here.
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// Rules that were evaluated for it.
	Rules []*ruleNode `json:"rules,omitempty"`
	// Inner are the bodies of comprehensions in it, as far as they left something out.
	Inner []*inner `json:"inner,omitempty"`
	// Failures are the first of those counted.
	Failures []*stepFailure `json:"failures,omitempty"`
}

// stepFailure is one try that ended at an expression.
type stepFailure struct {
	// Bindings are the variables of the expression.
	Bindings []termValue `json:"bindings,omitempty"`
	// Values are those of everything else in it.
	Values []termValue `json:"values,omitempty"`
	// Calls of functions, and rules that are told of elsewhere.
	Calls []*ruleNode `json:"calls,omitempty"`
	// Inner are the bodies of an every or a comprehension within it that did not hold.
	Inner []*inner `json:"inner,omitempty"`
	// Builtin is the error of a built-in that gave up.
	Builtin string `json:"builtin,omitempty"`
}

type inner struct {
	Kind  string  `json:"kind"`
	Steps []*step `json:"steps"`
}

// termValue is a term of the source with its value, or with where it ends.
type termValue struct {
	Term  string      `json:"term"`
	Value *shownValue `json:"value,omitempty"`
	// Missing is the first part of a reference that is not there, of what has only these Keys.
	Missing string `json:"missing,omitempty"`
	Parent  string `json:"parent,omitempty"`
	// Keys of the parent, where that is an object; else Type is what it is.
	Keys []string `json:"keys,omitempty"`
	Type string   `json:"type,omitempty"`
}

// explain evaluates an entrypoint with OPA's own evaluator and tells the way that it took.
func explain(decoder *json.Decoder) (any, error) {
	var request explainRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	evaluator, problems := newEvaluator(request.Files, request.Entrypoint, request.TimeNs)
	if len(problems) > 0 {
		return explainAnswer{Errors: problems}, nil
	}
	input, err := readInput(request.Input)
	if err != nil {
		return nil, err
	}

	compiler := evaluator.compiler.QueryCompiler()
	body, err := compiler.Compile(ast.NewBody(
		ast.Equality.Expr(ast.NewTerm(resultVar), ast.NewTerm(evaluator.entrypoint))))
	if err != nil {
		return nil, err
	}
	recorder := newRecorder(evaluator.compiler)
	var failed []topdown.Error
	// The index leaves out rules that cannot hold, and an early exit those that need not: both are asked about.
	results, err := evaluator.query(body, compiler, input).
		WithIndexing(false).
		WithEarlyExit(false).
		WithBuiltinErrorList(&failed).
		WithQueryTracer(recorder).
		Run(context.Background())

	var answer explainAnswer
	if err != nil {
		answer.Error = evaluator.problem(err)
	} else if len(results) > 0 {
		answer.Value = shown(results[0][resultVar])
	}
	teller := &teller{
		evaluator: evaluator,
		sources:   readSources(evaluator.loaded),
		most:      request.MostFailures,
		told:      map[string]bool{},
		failed:    failed,
	}
	answer.Rules = teller.rules(recorder.root)
	answer.Cut = recorder.cut()
	for _, one := range failed {
		answer.Failed = append(answer.Failed, *evaluator.problem(&one))
	}
	return answer, nil
}
