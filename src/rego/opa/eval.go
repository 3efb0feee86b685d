package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

type evalRequest struct {
	Files []sourceFile `json:"files"`
	// Entrypoint is package/rule with slashes, as everywhere.
	Entrypoint string `json:"entrypoint"`
	// Inputs are JSON texts, so that no number is rounded on its way; an empty one stands for no input.
	Inputs []string `json:"inputs"`
	// TimeNs is what time.now_ns answers.
	TimeNs int64 `json:"time_ns"`
}

// evalAnswer holds either one result for each input, in their order, or errors of the sources.
type evalAnswer struct {
	Results []evalResult `json:"results,omitempty"`
	Errors  []problem    `json:"errors,omitempty"`
}

// evalResult has no value where the document is undefined, and an error where the evaluation has ended in one.
type evalResult struct {
	Value *shownValue `json:"value,omitempty"`
	Error *problem    `json:"error,omitempty"`
}

// shownValue is a value for programs and the same one for people: JSON has no sets.
type shownValue struct {
	JSON any    `json:"json"`
	Text string `json:"text"`
}

// eval asks OPA's own evaluator.
func eval(decoder *json.Decoder) (any, error) {
	var request evalRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	evaluator, problems := newEvaluator(request.Files, request.Entrypoint, request.TimeNs)
	if len(problems) > 0 {
		return evalAnswer{Errors: problems}, nil
	}
	var answer evalAnswer
	for _, text := range request.Inputs {
		input, err := readInput(text)
		if err != nil {
			return nil, err
		}
		var result evalResult
		value, err := evaluator.document(evaluator.entrypoint, input)
		if err != nil {
			result.Error = evaluator.problem(err)
		} else if value != nil {
			result.Value = shown(value)
		}
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

// evaluator is a compiled policy with its data.
type evaluator struct {
	files      []sourceFile
	loaded     *bundle.Bundle
	compiler   *ast.Compiler
	entrypoint ast.Ref
	now        time.Time
	store      storage.Store
	txn        storage.Transaction
}

func newEvaluator(files []sourceFile, entrypoint string, now int64) (*evaluator, []problem) {
	loaded, problems := load(files)
	if len(problems) > 0 {
		return nil, problems
	}
	compiler, problems := check(loaded, []string{entrypoint})
	if len(problems) > 0 {
		return nil, locate(problems, files)
	}
	// check has found it to be one.
	path, _ := storage.ParsePath("/" + entrypoint)
	store := inmem.NewFromObject(loaded.Data)
	txn, err := store.NewTransaction(context.Background())
	if err != nil {
		return nil, problemsOf(err, "data_error")
	}
	return &evaluator{
		files:      files,
		loaded:     loaded,
		compiler:   compiler,
		entrypoint: path.Ref(ast.DefaultRootDocument),
		now:        time.Unix(0, now),
		store:      store,
		txn:        txn,
	}, nil
}

// query prepares one evaluation.
func (e *evaluator) query(body ast.Body, compiler ast.QueryCompiler, input *ast.Term) *topdown.Query {
	query := topdown.NewQuery(body).
		WithCompiler(e.compiler).
		WithQueryCompiler(compiler).
		WithStore(e.store).
		WithTransaction(e.txn).
		WithTime(e.now)
	if input != nil {
		query = query.WithInput(input)
	}
	return query
}

const resultVar = ast.Var("result")

// document evaluates a document whole; nil where it is undefined.
func (e *evaluator) document(path ast.Ref, input *ast.Term) (*ast.Term, error) {
	compiler := e.compiler.QueryCompiler()
	body, err := compiler.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), ast.NewTerm(path))))
	if err != nil {
		return nil, err
	}
	return first(e.query(body, compiler, input))
}

// first is the value of the result in the first solution; nil where there is none.
func first(query *topdown.Query) (*ast.Term, error) {
	results, err := query.Run(context.Background())
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[0][resultVar], nil
}

// problem tells an evaluation's error with its place.
func (e *evaluator) problem(err error) *problem {
	p := problem{Code: "eval_error", Message: err.Error()}
	if topdownError, ok := err.(*topdown.Error); ok {
		p = problem{Code: topdownError.Code, Message: topdownError.Message, place: placeOf(topdownError.Location)}
	}
	return &locate([]problem{p}, e.files)[0]
}

// readInput reads JSON text with its numbers as they are; nil where there is none.
func readInput(text string) (*ast.Term, error) {
	if text == "" {
		return nil, nil
	}
	var value any
	if err := util.UnmarshalJSON([]byte(text), &value); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	input, err := ast.InterfaceToValue(value)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	return ast.NewTerm(input), nil
}

func shown(term *ast.Term) *shownValue {
	var text strings.Builder
	writeValue(&text, term)
	value, err := ast.JSON(term.Value)
	if err != nil {
		// Objects with keys that JSON does not have.
		value = text.String()
	}
	return &shownValue{JSON: value, Text: text.String()}
}

// writeValue writes a value as Rego has it, with strings as JSON has them: Term.String quotes as Go does, which
// neither of the two reads.
func writeValue(out *strings.Builder, term *ast.Term) {
	switch value := term.Value.(type) {
	case ast.String:
		var quoted bytes.Buffer
		encoder := json.NewEncoder(&quoted)
		encoder.SetEscapeHTML(false)
		// A string has no way to fail.
		_ = encoder.Encode(string(value))
		out.Write(bytes.TrimSuffix(quoted.Bytes(), []byte("\n")))
	case *ast.Array:
		out.WriteByte('[')
		for at := range value.Len() {
			separate(out, at)
			writeValue(out, value.Elem(at))
		}
		out.WriteByte(']')
	case ast.Set:
		if value.Len() == 0 {
			out.WriteString("set()")
			return
		}
		out.WriteByte('{')
		for at, item := range value.Slice() {
			separate(out, at)
			writeValue(out, item)
		}
		out.WriteByte('}')
	case ast.Object:
		out.WriteByte('{')
		for at, key := range value.Keys() {
			separate(out, at)
			writeValue(out, key)
			out.WriteString(": ")
			writeValue(out, value.Get(key))
		}
		out.WriteByte('}')
	default:
		out.WriteString(term.String())
	}
}

func separate(out *strings.Builder, at int) {
	if at > 0 {
		out.WriteString(", ")
	}
}
