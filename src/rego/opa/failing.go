package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failure is the expression that a test stopped at.
type failure struct {
	place
	LineText string `json:"line_text,omitempty"`
	// Text is the expression; it may run over several lines.
	Text   string     `json:"text"`
	Values []varValue `json:"values,omitempty"`
	// Because lists the rules that were asked on the way and did not hold, each with the expression it stopped at.
	Because []ruleFailure `json:"because,omitempty"`
}

type ruleFailure struct {
	Rule string `json:"rule"`
	failure
}

// varValue is a part of an expression and what it stood for, in Rego's notation; "undefined" where for nothing.
type varValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

const (
	maxRuleFailures = 8
	maxValueRunes   = 1000
)

// traces are the events of one test that failed.
type traces struct {
	all []*topdown.Event
	// ask evaluates a reference to data under an expression's with modifiers.
	ask func(ref ast.Ref, with []*ast.With) string
}

// trace runs one test again, by itself and without the index that skips rules unseen, and keeps what happens.
func (s *suite) trace(ctx context.Context, result *tester.Result) traces {
	if s.traced == nil {
		s.traced = s.compiler().WithRewriteTestRules(true)
		// Compiles as the tester does, duplicate names and cases included; the pattern matches no name.
		if _, err := s.run(ctx, s.traced, s.runner().Filter(`^\b$`)); err != nil {
			return traces{}
		}
	}
	name, err := ast.ParseRef(result.Name)
	if err != nil {
		name = ast.Ref{ast.VarTerm(result.Name)}
	}
	query := ast.MustParseRef(result.Package).Extend(name).String()
	tracer := topdown.NewBufferTracer()
	_ = storage.Txn(ctx, s.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		prepared, err := rego.New(
			rego.Compiler(s.traced), rego.Store(s.store), rego.Transaction(txn), rego.Query(query),
		).PrepareForEval(ctx)
		if err != nil {
			return err
		}
		_, err = prepared.Eval(ctx,
			rego.EvalTransaction(txn), rego.EvalQueryTracer(tracer), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
		return err
	})
	return traces{all: *tracer, ask: func(ref ast.Ref, with []*ast.With) string { return s.valueOf(ctx, ref, with) }}
}

// valueOf evaluates one reference, and gives "undefined" where there is nothing.
func (s *suite) valueOf(ctx context.Context, ref ast.Ref, with []*ast.With) string {
	expr := ast.Equality.Expr(ast.VarTerm("value"), ast.NewTerm(ref))
	expr.With = with
	value := "undefined"
	_ = storage.Txn(ctx, s.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		results, err := rego.New(
			rego.Compiler(s.traced), rego.Store(s.store), rego.Transaction(txn), rego.ParsedQuery(ast.NewBody(expr)),
		).Eval(ctx)
		if err != nil || len(results) != 1 {
			return err
		}
		if known, err := ast.InterfaceToValue(results[0].Bindings["value"]); err == nil {
			value = known.String()
		}
		return nil
	})
	return value
}

// ofCase cuts out what happened from the case's begin to that of the next one. What went before the first case
// is left to it: cases share the expressions above the one that tells them apart.
func (t traces) ofCase(name []string) traces {
	t.all = eventsOfCase(t.all, name)
	return t
}

func eventsOfCase(all []*topdown.Event, name []string) []*topdown.Event {
	begin := -1
	for i, event := range all {
		if event.Op != topdown.TestCaseOp {
			continue
		}
		if begin >= 0 {
			return all[begin:i]
		}
		if slices.Equal(caseName(event), name) {
			begin = i
		}
	}
	if begin < 0 {
		return nil
	}
	return all[begin:]
}

func caseName(event *topdown.Event) []string {
	expr, ok := event.Node.(*ast.Expr)
	if !ok || len(expr.Operands()) == 0 {
		return nil
	}
	list, ok := expr.Operand(0).Value.(*ast.Array)
	if !ok {
		return nil
	}
	var name []string
	list.Foreach(func(term *ast.Term) {
		if text, ok := term.Value.(ast.String); ok {
			name = append(name, string(text))
		} else if value, err := ast.JSON(term.Value); err == nil {
			text, _ := json.Marshal(value)
			name = append(name, string(text))
		}
	})
	return name
}

// failureOf finds the expression at which the test itself stopped, and below it the rules that did not hold.
// It is nil where the events don't tell, as for a test that is defined as false.
func failureOf(trace traces, files []sourceFile) *failure {
	events := trace.all
	query, ok := testQuery(events)
	if !ok {
		return nil
	}
	at := deepestFail(events, query)
	if at < 0 {
		return nil
	}
	if inner := insideEvery(events, at); inner >= 0 {
		at = inner
	}
	told := describe(events[at], files)
	if trace.ask != nil {
		told.Values = append(dataValues(events[at], trace.ask), told.Values...)
	}
	// What is negated fails because something held.
	if !events[at].Node.(*ast.Expr).Negated {
		told.Because = ruleFailures(events[began(events, at):at], files)
	}
	return &told
}

// testQuery is the query of the test rule's body. A case's events begin within it.
func testQuery(events []*topdown.Event) (uint64, bool) {
	for _, event := range events {
		if event.Op == topdown.TestCaseOp {
			return event.QueryID, true
		}
		if rule, ok := event.Node.(*ast.Rule); ok && event.Op == topdown.EnterOp && rule != nil {
			return event.QueryID, true
		}
	}
	return 0, false
}

// deepestFail is the index of the last failure among those furthest down the query's body; -1 where there is none.
func deepestFail(events []*topdown.Event, query uint64) int {
	found, depth := -1, -1
	for i, event := range events {
		if event.Op != topdown.FailOp || event.QueryID != query || event.Location == nil {
			continue
		}
		if expr, ok := event.Node.(*ast.Expr); ok && expr.Index >= depth {
			found, depth = i, expr.Index
		}
	}
	return found
}

// insideEvery is the index of the failure in an every's body that made it fail; -1 where it is no every.
func insideEvery(events []*topdown.Event, at int) int {
	expr := events[at].Node.(*ast.Expr)
	if _, ok := expr.Terms.(*ast.Every); !ok {
		return -1
	}
	last := expr.Location.Row + strings.Count(string(expr.Location.Text), "\n")
	for i := at - 1; i >= 0; i-- {
		event := events[i]
		inner, ok := event.Node.(*ast.Expr)
		if !ok || event.Op != topdown.FailOp || event.Location == nil {
			continue
		}
		if _, every := inner.Terms.(*ast.Every); !every && event.Location.File == expr.Location.File &&
			event.Location.Row >= expr.Location.Row && event.Location.Row <= last {
			return i
		}
	}
	return -1
}

// began is where evaluating what the author wrote there began: an expression and those that the compiler made
// of it share a row.
func began(events []*topdown.Event, at int) int {
	begin := at
	for i := at - 1; i >= 0; i-- {
		event := events[i]
		if event.QueryID != events[at].QueryID || event.Location == nil {
			continue
		}
		if event.Location.Row != events[at].Location.Row {
			break
		}
		begin = i
	}
	return begin
}

// ruleFailures lists the rules among the events that were entered and never left, in that order.
func ruleFailures(events []*topdown.Event, files []sourceFile) []ruleFailure {
	var entered []*topdown.Event
	held := map[string]bool{}
	for _, event := range events {
		rule, ok := event.Node.(*ast.Rule)
		if !ok || rule.Default {
			continue
		}
		switch event.Op {
		case topdown.EnterOp:
			entered = append(entered, event)
		case topdown.ExitOp:
			held[rule.Ref().String()] = true
		}
	}
	var told []ruleFailure
	seen := map[place]bool{}
	for _, event := range entered {
		rule := event.Node.(*ast.Rule)
		name := strings.TrimPrefix(rule.Ref().String(), "data.")
		if held[rule.Ref().String()] || len(told) == maxRuleFailures {
			continue
		}
		at := deepestFail(events, event.QueryID)
		if at < 0 {
			continue
		}
		because := ruleFailure{Rule: name, failure: describe(events[at], files)}
		if !seen[because.place] {
			seen[because.place] = true
			told = append(told, because)
		}
	}
	return told
}

func describe(event *topdown.Event, files []sourceFile) failure {
	expr := event.Node.(*ast.Expr)
	base := expr.BaseCogeneratedExpr()
	location := base.Location
	if location == nil || location.File == "" {
		location = event.Location
	}
	where := locate([]problem{{place: placeOf(location)}}, files)[0]
	return failure{
		place:    where.place,
		LineText: where.LineText,
		Text:     string(location.Text),
		Values:   valuesOf(event, expr),
	}
}

// valuesOf lists the parts of the expression whose values are known, in the order of their places.
func valuesOf(event *topdown.Event, expr *ast.Expr) []varValue {
	found := map[string]varValue{}
	places := map[string]place{}
	note := func(term *ast.Term, name string, value string) {
		if known, ok := found[name]; !ok || known.Value == "undefined" {
			found[name] = varValue{Name: name, Value: value}
			places[name] = placeOf(term.Location)
		}
	}
	walk := func(x any, own bool) {
		ast.WalkTerms(x, func(term *ast.Term) bool {
			switch value := term.Value.(type) {
			case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
				return true
			case ast.Ref:
				if known, ok := selected(value, event); ok && term.Location != nil {
					note(term, nameOf(term), known.String())
				}
			case ast.Var:
				meta, local := event.LocalMetadata[value]
				if !local || term.Location == nil {
					return false
				}
				name := nameOf(term)
				if name == "" {
					name = string(meta.Name)
				}
				if known := event.Locals.Get(value); known != nil {
					note(term, name, known.String())
				} else if own && !expr.Negated {
					note(term, name, "undefined")
				}
			}
			return false
		})
	}
	walk(expr, true)
	for _, part := range expr.CogeneratedExprs() {
		walk(part, false)
	}
	values := make([]varValue, 0, len(found))
	for _, value := range found {
		value.Value = shorten(value.Value)
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b varValue) int { return comparePlaces(places[a.Name], places[b.Name]) })
	return values
}

// selected is the value of a reference into a variable or the input: tc.input where tc is known.
func selected(ref ast.Ref, event *topdown.Event) (ast.Value, bool) {
	head, ok := ref[0].Value.(ast.Var)
	if !ok || len(ref) < 2 {
		return nil, false
	}
	base := event.Locals.Get(head)
	if ref[0].Equal(ast.InputRootDocument) && event.Input() != nil {
		base = event.Input().Value
	}
	path, known := grounded(ref[1:], event.Locals)
	if base == nil || !known {
		return nil, false
	}
	value, err := base.Find(path)
	return value, err == nil
}

// grounded puts known values in the place of variables.
func grounded(ref ast.Ref, locals *ast.ValueMap) (ast.Ref, bool) {
	path := make(ast.Ref, 0, len(ref))
	for _, key := range ref {
		if name, ok := key.Value.(ast.Var); ok {
			known := locals.Get(name)
			if known == nil {
				return nil, false
			}
			key = ast.NewTerm(known)
		}
		path = append(path, key)
	}
	return path, true
}

// plugged puts known values in the place of a term's variables.
func plugged(term *ast.Term, locals *ast.ValueMap) (*ast.Term, bool) {
	complete := true
	value, err := ast.TransformVars(term.Copy(), func(name ast.Var) (ast.Value, error) {
		if known := locals.Get(name); known != nil {
			return known, nil
		}
		complete = complete && ast.RootDocumentNames.Contains(ast.NewTerm(name))
		return name, nil
	})
	if err != nil {
		return nil, false
	}
	whole, ok := value.(ast.Value)
	return ast.NewTerm(whole), ok && complete
}

// dataValues lists what the expression's references to data and the input stand for, under its with modifiers.
func dataValues(event *topdown.Event, ask func(ast.Ref, []*ast.With) string) []varValue {
	expr := event.Node.(*ast.Expr)
	with := make([]*ast.With, 0, len(expr.With))
	for _, modifier := range expr.With {
		value, known := plugged(modifier.Value, event.Locals)
		if !known {
			return nil
		}
		with = append(with, &ast.With{Target: modifier.Target, Value: value})
	}
	var values []varValue
	operands := expr.Operands()
	if term, ok := expr.Terms.(*ast.Term); ok {
		operands = []*ast.Term{term}
	}
	for _, term := range operands {
		ref, ok := term.Value.(ast.Ref)
		if !ok || !ast.RootDocumentNames.Contains(ref[0]) || term.Location == nil {
			continue
		}
		// What the input holds outside of with is among the values already.
		if _, known := selected(ref, event); known {
			continue
		}
		if path, known := grounded(ref[1:], event.Locals); known {
			asked := append(ast.Ref{ref[0]}, path...)
			values = append(values, varValue{Name: nameOf(term), Value: shorten(ask(asked, with))})
		}
	}
	return values
}

func nameOf(term *ast.Term) string {
	return strings.Join(strings.Fields(string(term.Location.Text)), " ")
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxValueRunes {
		return string(runes[:maxValueRunes]) + "…"
	}
	return text
}
