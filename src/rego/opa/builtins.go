package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// builtinUse is a built-in function and every place that calls it.
type builtinUse struct {
	Name      string  `json:"name"`
	Locations []place `json:"locations"`
}

// builtinUses lists the built-ins that compiled modules call, in the order of their names. Operators are
// left out: every evaluator has them.
func builtinUses(modules map[string]*ast.Module) []builtinUse {
	places := map[string][]place{}
	for _, module := range modules {
		ast.WalkExprs(module, func(expr *ast.Expr) bool {
			if expr.IsCall() {
				name := expr.Operator().String()
				if declared := ast.BuiltinMap[name]; declared != nil && declared.Infix == "" {
					places[name] = append(places[name], placeOf(expr.Location))
				}
			}
			return false
		})
	}
	uses := make([]builtinUse, 0, len(places))
	for name, at := range places {
		slices.SortFunc(at, comparePlaces)
		uses = append(uses, builtinUse{Name: name, Locations: slices.Compact(at)})
	}
	slices.SortFunc(uses, func(a, b builtinUse) int { return strings.Compare(a.Name, b.Name) })
	return uses
}

func comparePlaces(a, b place) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col))
}
