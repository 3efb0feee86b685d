package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// recorder is a topdown.QueryTracer that keeps which body was tried for which expression, what became of it,
// and the variables where it ended.
type recorder struct {
	compiler *ast.Compiler
	frames   map[uint64]*frame
	root     *frame
	events   int
	vars     map[*ast.Rule][]ast.Var
}

// frame is one evaluation of a rule, of the body of a comprehension, of what `not` negates, or of an every.
type frame struct {
	node   ast.Node
	input  *ast.Term
	parent *frame
	visits []*visit
	// open are the visits that the evaluation may come back to, the last one being under way.
	open  []*visit
	exits int
}

// visit is one evaluation of an expression with one set of variables.
type visit struct {
	expr     *ast.Expr
	children []*frame
	failed   bool
	// args of the function that is called, if one is.
	args []*ast.Term
	// Where it failed: the variables, the input, and the visits that led there.
	locals map[string]*ast.Term
	input  *ast.Term
	before []*visit
}

func newRecorder(compiler *ast.Compiler) *recorder {
	return &recorder{compiler: compiler, frames: map[uint64]*frame{}, vars: map[*ast.Rule][]ast.Var{}}
}

func (r *recorder) Enabled() bool { return true }

// Config asks for no variables: they are looked up here, at the few events where they count.
func (r *recorder) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// mostEvents bounds the memory that a recording takes: a million of them is some hundred megabytes.
const mostEvents = 1_000_000

// cut tells whether the end of the evaluation is missing.
func (r *recorder) cut() bool { return r.events > mostEvents }

func (r *recorder) TraceEvent(event topdown.Event) {
	if r.events++; r.cut() {
		return
	}
	if event.Op == topdown.EnterOp {
		r.enter(event)
		return
	}
	f := r.frames[event.QueryID]
	if f == nil {
		return
	}
	expr, isExpr := event.Node.(*ast.Expr)
	switch {
	case event.Op == topdown.ExitOp:
		f.exits++
	case event.Op == topdown.EvalOp && isExpr:
		v := &visit{expr: expr, args: calledWith(event, expr)}
		f.visits = append(f.visits, v)
		f.open = append(f.open, v)
	case event.Op == topdown.RedoOp && isExpr:
		if at := f.find(expr); at >= 0 {
			f.open = f.open[:at+1]
		}
	case event.Op == topdown.FailOp && isExpr:
		if at := f.find(expr); at >= 0 {
			v := f.open[at]
			v.failed = true
			v.locals = r.locals(event, f)
			v.input = event.Input()
			v.before = slices.Clone(f.open[:at])
			f.open = f.open[:at]
		}
	}
}

func (r *recorder) enter(event topdown.Event) {
	f := &frame{node: event.Node, input: event.Input(), parent: r.frames[event.ParentID]}
	if r.root == nil {
		r.root = f
	} else if parent := f.parent; parent != nil && len(parent.open) > 0 {
		v := parent.open[len(parent.open)-1]
		v.children = append(v.children, f)
	}
	r.frames[event.QueryID] = f
}

func (f *frame) find(expr *ast.Expr) int {
	for at := len(f.open) - 1; at >= 0; at-- {
		if f.open[at].expr == expr {
			return at
		}
	}
	return -1
}

// rule is the one that the frame is a part of.
func (f *frame) rule() *ast.Rule {
	for ; f != nil; f = f.parent {
		if rule, ok := f.node.(*ast.Rule); ok {
			return rule
		}
	}
	return nil
}

// body holds the expressions that are evaluated.
func (f *frame) body() ast.Body {
	switch node := f.node.(type) {
	case *ast.Rule:
		return node.Body
	case ast.Body:
		return node
	}
	return nil
}

// locals are the variables of the source that have a value, by the name that they have there.
func (r *recorder) locals(event topdown.Event, f *frame) map[string]*ast.Term {
	rule := f.rule()
	if rule == nil {
		return nil
	}
	vars, known := r.vars[rule]
	if !known {
		ast.WalkVars(rule, func(v ast.Var) bool {
			vars = append(vars, v)
			return false
		})
		r.vars[rule] = vars
	}
	found := map[string]*ast.Term{}
	for _, v := range vars {
		name, rewritten := r.compiler.RewrittenVars[v]
		if !rewritten {
			name = v
		}
		if name.IsGenerated() || name.IsWildcard() {
			continue
		}
		if value := event.Plug(ast.NewTerm(v)); value != nil && value.IsGround() {
			found[string(name)] = value
		}
	}
	return found
}

// calledWith are the arguments of a call, with their values.
func calledWith(event topdown.Event, expr *ast.Expr) []*ast.Term {
	if !expr.IsCall() {
		return nil
	}
	if _, builtin := ast.BuiltinMap[expr.Operator().String()]; builtin {
		return nil
	}
	var args []*ast.Term
	for _, operand := range expr.Operands() {
		args = append(args, event.Plug(operand))
	}
	return args
}
