package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// teller makes what was recorded into an answer in the words of the sources.
type teller struct {
	evaluator *evaluator
	sources   *sources
	most      int
	// told are the rules that have been told of, by their paths.
	told   map[string]bool
	failed []topdown.Error
}

// rules tells the rules that were evaluated right below a frame, in the order of their evaluation.
func (t *teller) rules(f *frame) []*ruleNode {
	var frames []*frame
	for _, v := range f.visits {
		frames = append(frames, rulesBelow(v.children)...)
	}
	return t.nodes(frames)
}

// rulesBelow finds the nearest rules (not functions) at or below frames.
func rulesBelow(frames []*frame) []*frame {
	var found []*frame
	for _, f := range frames {
		if rule, ok := f.node.(*ast.Rule); ok && len(rule.Head.Args) == 0 {
			found = append(found, f)
			continue
		}
		for _, v := range f.visits {
			found = append(found, rulesBelow(v.children)...)
		}
	}
	return found
}

// nodes groups frames by rule and tells each rule once.
func (t *teller) nodes(frames []*frame) []*ruleNode {
	var order []string
	groups := map[string][]*frame{}
	for _, f := range frames {
		name := f.node.(*ast.Rule).Ref().GroundPrefix().String()
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], f)
	}
	var nodes []*ruleNode
	for _, name := range order {
		rule := groups[name][0].node.(*ast.Rule)
		node := t.named(rule.Ref().GroundPrefix(), inputOf(groups[name]))
		if !t.told[name] {
			t.told[name] = true
			node.Elsewhere = false
			node.Definitions = t.definitions(groups[name])
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// named is a rule with its value alone.
func (t *teller) named(path ast.Ref, input *ast.Term) *ruleNode {
	node := &ruleNode{Name: path.String(), Elsewhere: true}
	if value, err := t.evaluator.document(path, input); err == nil && value != nil {
		node.Value = shown(value)
	}
	return node
}

// inputOf is the input that rules were evaluated with: `with` may have changed it.
func inputOf(frames []*frame) *ast.Term { return frames[0].input }

// call tells one call of a function.
func (t *teller) call(frames []*frame, args []*ast.Term) *ruleNode {
	rule := frames[0].node.(*ast.Rule)
	node := &ruleNode{Name: rule.Ref().String()}
	if count := len(rule.Head.Args); len(args) >= count {
		args = args[:count]
	}
	for _, arg := range args {
		node.Args = append(node.Args, shown(arg))
	}
	if slices.ContainsFunc(frames, func(f *frame) bool { return f.exits > 0 }) {
		call := ast.CallTerm(append([]*ast.Term{ast.NewTerm(rule.Ref())}, args...)...)
		if value := t.evaluator.value(call, evaluation{input: inputOf(frames)}); value != nil {
			node.Value = shown(value)
		}
	}
	node.Definitions = t.definitions(frames)
	return node
}

// definitions tells the definitions of one rule. Several frames may belong to one: a set that is asked for
// member after member is evaluated as often.
func (t *teller) definitions(frames []*frame) []*definition {
	var order []*ast.Rule
	groups := map[*ast.Rule][]*frame{}
	for _, f := range frames {
		rule := f.node.(*ast.Rule)
		if groups[rule] == nil {
			order = append(order, rule)
		} else if rule.Head.RuleKind() == ast.SingleValue && groups[rule][0].input == f.input {
			// Of rules that disagree OPA evaluates each once more, for its message.
			continue
		}
		groups[rule] = append(groups[rule], f)
	}
	var definitions []*definition
	for _, compiled := range order {
		source := t.sources.rule(compiled)
		if source == nil {
			continue
		}
		told := &definition{place: placeOf(source.Location), Text: headText(source), Default: source.Default}
		visited := false
		for _, f := range groups[compiled] {
			told.Held = told.Held || f.exits > 0
			visited = visited || len(f.visits) > 0
		}
		told.Mismatch = !told.Held && !visited
		if !source.Default {
			told.Steps = t.steps(groups[compiled], ruleScope(source))
		}
		definitions = append(definitions, told)
	}
	return definitions
}

// stepBuilder gathers what became of one expression of the source.
type stepBuilder struct {
	step
	expr *ast.Expr // nil for the head
	// rules are the frames of rules below it.
	rules []*frame
	tried []*visit
	// bodies are those of comprehensions that were evaluated for it.
	bodies []*frame
}

// steps tells the expressions of a body, over all evaluations of it.
func (t *teller) steps(frames []*frame, in *scope) []*step {
	var order []*stepBuilder
	builders := map[*ast.Expr]*stepBuilder{}
	of := func(compiled *ast.Expr) *stepBuilder {
		source := sourceOf(in, compiled)
		if b := builders[source]; b != nil {
			return b
		}
		b := &stepBuilder{expr: source, step: stepAt(in, source, compiled)}
		builders[source] = b
		order = append(order, b)
		return b
	}
	for _, f := range frames {
		for _, v := range f.visits {
			b := of(v.expr)
			b.rules = append(b.rules, rulesBelow(v.children)...)
			if v.failed {
				b.Failed++
				b.tried = append(b.tried, v)
			} else if !v.expr.Negated {
				b.bodies = append(b.bodies, comprehensions(v)...)
			}
		}
		for _, b := range order {
			b.Passed += passed(f, in, b.expr)
		}
	}
	var steps []*step
	for _, b := range order {
		b.Rules = t.nodes(b.rules)
		if b.Failed == 0 && len(b.bodies) > 0 {
			// One is enough to show how it goes.
			b.Inner = t.innerAll(in, b.bodies[:1])
		}
		for _, v := range b.tried[:min(len(b.tried), t.most)] {
			b.Failures = append(b.Failures, t.failure(v, in, b.expr))
		}
		steps = append(steps, &b.step)
	}
	return steps
}

// sourceOf finds the expression that a compiled one is a part of; nil for one of the head.
func sourceOf(in *scope, compiled *ast.Expr) *ast.Expr {
	if compiled.Location == nil {
		return nil
	}
	return expressionAt(in.body, compiled.Location.Offset)
}

func stepAt(in *scope, source, compiled *ast.Expr) step {
	if source != nil {
		return step{place: placeOf(source.Location), Text: oneLine(source.Location.Text)}
	}
	for _, term := range headTerms(in.rule) {
		if in.kind == "rule" && term != nil && term.Location != nil {
			return step{place: placeOf(term.Location), Text: oneLine(term.Location.Text), Head: true}
		}
	}
	if compiled.Location == nil {
		return step{Text: compiled.String(), Head: true}
	}
	return step{place: placeOf(compiled.Location), Text: oneLine(compiled.Location.Text), Head: true}
}

func headTerms(rule *ast.Rule) []*ast.Term {
	var terms []*ast.Term
	for _, term := range []*ast.Term{rule.Head.Value, rule.Head.Key} {
		if term != nil && !isConstant(term) {
			terms = append(terms, term)
		}
	}
	return terms
}

func isConstant(term *ast.Term) bool { return ast.IsConstant(term.Value) }

// passed counts the solutions with which an evaluation went on from an expression of the source.
func passed(f *frame, in *scope, source *ast.Expr) int {
	body := f.body()
	last := -1
	for at, compiled := range body {
		if sourceOf(in, compiled) == source {
			last = at
		}
	}
	if last == len(body)-1 {
		return f.exits
	}
	count := 0
	for _, v := range f.visits {
		if v.expr == body[last+1] {
			count++
		}
	}
	return count
}

// failure tells one try that ended at an expression.
func (t *teller) failure(v *visit, in *scope, source *ast.Expr) *stepFailure {
	told := &stepFailure{Builtin: t.builtinError(v.expr)}
	terms := headTerms(in.rule)
	var with []*ast.With
	if source != nil {
		terms, with = operands(source), source.With
	}
	at := evaluation{input: v.input, locals: v.locals, with: with, module: t.sources.modules[v.expr.Location.File]}
	seen := map[string]bool{}
	for _, term := range terms {
		for _, found := range subterms(term) {
			if name := textOf(found); !seen[name] {
				seen[name] = true
				t.tell(told, name, found, at)
			}
		}
	}
	told.Values = withoutEchoes(told.Values, source == nil)

	// An expression of the source is several: what was called for one of them is of interest where the next fails.
	for _, earlier := range v.before {
		if sourceOf(in, earlier.expr) == source && source != nil {
			t.below(told, earlier, in)
		}
	}
	t.below(told, v, in)
	t.reference(told, v)
	return told
}

// below tells the calls of functions and the bodies that were evaluated for an expression.
func (t *teller) below(told *stepFailure, v *visit, in *scope) {
	calls := map[string][]*frame{}
	for _, child := range v.children {
		switch node := child.node.(type) {
		case *ast.Rule:
			if len(node.Head.Args) > 0 {
				calls[node.Ref().String()] = append(calls[node.Ref().String()], child)
			}
		case ast.Body:
			if v.expr.Negated {
				t.negated(told, child)
			}
		case *ast.Expr:
			t.every(told, in, child)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		told.Calls = append(told.Calls, t.call(calls[name], v.args))
	}
	if !v.expr.Negated {
		told.Inner = append(told.Inner, t.innerAll(in, comprehensions(v))...)
	}
}

// comprehensions are the bodies that were evaluated for an expression, but for what it negates.
func comprehensions(v *visit) []*frame {
	var found []*frame
	for _, child := range v.children {
		if _, ok := child.node.(ast.Body); ok {
			found = append(found, child)
		}
	}
	return found
}

// innerAll tells the bodies that left something out.
func (t *teller) innerAll(in *scope, frames []*frame) []*inner {
	var told []*inner
	for _, f := range frames {
		body := t.inner(in, f)
		if body != nil && slices.ContainsFunc(body.Steps, func(s *step) bool { return s.Failed > 0 }) {
			told = append(told, body)
		}
	}
	return told
}

// negated tells the calls that held where the author wanted them not to.
func (t *teller) negated(told *stepFailure, f *frame) {
	for _, v := range f.visits {
		var calls []*frame
		for _, child := range v.children {
			if rule, ok := child.node.(*ast.Rule); ok && len(rule.Head.Args) > 0 {
				calls = append(calls, child)
			}
		}
		if len(calls) > 0 {
			told.Calls = append(told.Calls, t.call(calls, v.args))
		}
	}
}

// every tells of the elements that an every stopped at: the body was not left for them.
func (t *teller) every(told *stepFailure, in *scope, f *frame) {
	for _, v := range f.visits {
		for _, child := range v.children {
			if _, ok := child.node.(ast.Body); ok && child.exits == 0 {
				if body := t.inner(in, child); body != nil {
					body.Kind = "every"
					told.Inner = append(told.Inner, body)
				}
			}
		}
	}
}

// inner tells a body within an expression.
func (t *teller) inner(in *scope, f *frame) *inner {
	for _, v := range f.visits {
		if v.expr.Location == nil {
			continue
		}
		nested := in.nested(v.expr.Location.Offset)
		if sourceOf(nested, v.expr) == nil || sameBody(nested.body, in.body) {
			continue
		}
		return &inner{Kind: nested.kind, Steps: t.steps([]*frame{f}, nested)}
	}
	return nil
}

func sameBody(a, b ast.Body) bool { return len(a) > 0 && len(b) > 0 && a[0] == b[0] }

// reference names the rules that the expression asks for and that were evaluated before.
func (t *teller) reference(told *stepFailure, v *visit) {
	known := map[string]bool{}
	for _, f := range rulesBelow(v.children) {
		known[f.node.(*ast.Rule).Ref().GroundPrefix().String()] = true
	}
	ast.WalkRefs(v.expr, func(ref ast.Ref) bool {
		if !ref.HasPrefix(ast.DefaultRootRef) {
			return false
		}
		for length := len(ref); length > 1; length-- {
			path := ref[:length]
			rules := t.evaluator.compiler.GetRulesExact(path.GroundPrefix())
			if len(rules) == 0 {
				continue
			}
			name := path.GroundPrefix().String()
			if !known[name] && len(rules[0].Head.Args) == 0 {
				known[name] = true
				told.Calls = append(told.Calls, t.named(path.GroundPrefix(), v.input))
			}
			break
		}
		return false
	})
}

// builtinError finds the error of a built-in that was called for an expression.
func (t *teller) builtinError(expr *ast.Expr) string {
	for _, one := range t.failed {
		if one.Location != nil && expr.Location != nil && one.Location.Equal(expr.Location) {
			return strings.TrimSpace(one.Message)
		}
	}
	return ""
}
