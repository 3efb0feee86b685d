package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

type testRequest struct {
	Files []sourceFile `json:"files"`
	// Run is a regular expression (RE2): only tests whose full name it matches are run.
	Run       string `json:"run"`
	Coverage  bool   `json:"coverage"`
	TimeoutMs int    `json:"timeout_ms"`
}

// testAnswer holds either the tests' results or errors.
type testAnswer struct {
	Tests    []testResult    `json:"tests"`
	Coverage *coverageAnswer `json:"coverage,omitempty"`
	Errors   []problem       `json:"errors,omitempty"`
}

// testResult is the outcome of one test rule.
type testResult struct {
	// Package is without the leading "data."
	Package string `json:"package"`
	Name    string `json:"name"`
	place
	// Outcome is pass, fail, error or skip.
	Outcome    string   `json:"outcome"`
	DurationNs int64    `json:"duration_ns"`
	Output     string   `json:"output,omitempty"`
	Error      *problem `json:"error,omitempty"`
	// Failure is of a test that fails and has no cases.
	Failure *failure `json:"failure,omitempty"`
	// Cases are those of a test with a key in its head: test_x[name] if {…}.
	Cases []caseResult `json:"cases,omitempty"`
}

type caseResult struct {
	Name    []string `json:"name"`
	Outcome string   `json:"outcome"`
	Failure *failure `json:"failure,omitempty"`
}

// test runs OPA's tester over the test rules of the sources.
func test(decoder *json.Decoder) (any, error) {
	var request testRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if _, err := regexp.Compile(request.Run); err != nil {
		return testAnswer{Tests: []testResult{}, Errors: []problem{{Code: "pattern_invalid", Message: err.Error()}}}, nil
	}
	loaded, problems := load(request.Files)
	if len(problems) > 0 {
		return testAnswer{Tests: []testResult{}, Errors: problems}, nil
	}
	ctx := context.Background()
	suite := newSuite(loaded)
	answer := testAnswer{Tests: []testResult{}}

	var tracer topdown.QueryTracer = &yielding{}
	covered := cover.New()
	if request.Coverage {
		tracer = covered
	}
	compiler := suite.compiler()
	results, err := suite.run(ctx, compiler, suite.runner().
		SetCoverageQueryTracer(tracer).
		SetTimeout(time.Duration(cmp.Or(request.TimeoutMs, 5000))*time.Millisecond).
		Filter(request.Run))
	if err != nil {
		return testAnswer{Tests: []testResult{}, Errors: locate(problemsOf(err, "compile_error"), request.Files)}, nil
	}
	for _, result := range results {
		answer.Tests = append(answer.Tests, suite.resultOf(ctx, result, request.Files))
	}
	if request.Coverage {
		coverage := coverageOf(covered.Report(compiler.Modules))
		answer.Coverage = &coverage
	}
	return answer, nil
}

// suite is what tests run on.
type suite struct {
	modules map[string]*ast.Module
	data    map[string]any
	store   storage.Store
	// traced is compiled when the first test has failed: it keeps the values that a failure is told with.
	traced *ast.Compiler
}

func newSuite(loaded *bundle.Bundle) *suite {
	data := loaded.Data
	if data == nil {
		data = map[string]any{}
	}
	return &suite{modules: modulesOf(loaded), data: data, store: inmem.NewFromObject(data)}
}

func modulesOf(loaded *bundle.Bundle) map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(loaded.Modules))
	for _, file := range loaded.Modules {
		modules[file.URL] = file.Parsed
	}
	return modules
}

func (s *suite) compiler() *ast.Compiler {
	return ast.NewCompiler().
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(true).
		SetErrorLimit(0).
		WithPathConflictsCheck(func(path []string) (bool, error) { return hasData(s.data, path), nil })
}

func (s *suite) runner() *tester.Runner {
	return tester.NewRunner().
		SetDefaultRegoVersion(ast.RegoV1).
		SetStore(s.store).
		SetModules(s.modules).
		CapturePrintOutput(true).
		SetParallel(1)
}

// run compiles the modules and runs the tests, in the order of their places.
func (s *suite) run(ctx context.Context, compiler *ast.Compiler, runner *tester.Runner) ([]*tester.Result, error) {
	var results []*tester.Result
	err := storage.Txn(ctx, s.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		channel, err := runner.SetCompiler(compiler).RunTests(ctx, txn)
		if err != nil {
			return err
		}
		for result := range channel {
			results = append(results, result)
		}
		return nil
	})
	slices.SortFunc(results, func(a, b *tester.Result) int {
		return cmp.Or(comparePlaces(placeOf(a.Location), placeOf(b.Location)), cmp.Compare(a.Name, b.Name))
	})
	return results, err
}

func (s *suite) resultOf(ctx context.Context, result *tester.Result, files []sourceFile) testResult {
	told := testResult{
		Package:    strings.TrimPrefix(result.Package, "data."),
		Name:       result.Name,
		place:      placeOf(result.Location),
		Outcome:    outcomeOf(result),
		DurationNs: result.Duration.Nanoseconds(),
		Output:     string(result.Output),
	}
	if result.Error != nil {
		fault := evaluationProblem(result.Error)
		told.Error = &locate([]problem{fault}, files)[0]
	}
	var traces traces
	if result.Fail {
		traces = s.trace(ctx, result)
	}
	for name, sub := range result.SubResults.Iter {
		if len(sub.SubResults) > 0 {
			continue
		}
		single := caseResult{Name: name, Outcome: "pass"}
		if sub.Fail {
			single.Outcome = "fail"
			single.Failure = failureOf(traces.ofCase(name), files)
		}
		told.Cases = append(told.Cases, single)
	}
	if result.Fail && len(told.Cases) == 0 {
		told.Failure = failureOf(traces, files)
	}
	return told
}

func outcomeOf(result *tester.Result) string {
	switch {
	case result.Skip:
		return "skip"
	case result.Error != nil:
		return "error"
	case result.Fail:
		return "fail"
	}
	return "pass"
}

func evaluationProblem(err error) problem {
	if topdown.IsCancel(err) {
		return problem{Code: topdown.CancelErr, Message: "ended, because it took longer than a test may"}
	}
	var evaluation *topdown.Error
	if errors.As(err, &evaluation) {
		return problem{Code: evaluation.Code, Message: evaluation.Message, place: placeOf(evaluation.Location)}
	}
	return problem{Code: "eval_error", Message: err.Error()}
}

// yielding lets go of the one thread now and then: the timer that ends a test that takes too long would
// never run otherwise.
type yielding struct{ events uint }

func (y *yielding) Enabled() bool               { return true }
func (y *yielding) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: false} }
func (y *yielding) TraceEvent(topdown.Event) {
	if y.events++; y.events%4096 == 0 {
		runtime.Gosched()
	}
}
