package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/types"
)

const maxNames = 30

// explained is a compiler's error with what an author needs to mend it: the very name that is wrong, and the
// one that was probably meant.
func explained(err *ast.Error, loaded *bundle.Bundle, schemas *schemas) problem {
	told := problem{Code: err.Code, Message: message(err), place: placeOf(err.Location)}
	switch detail := err.Details.(type) {
	case *ast.RefErrInvalidDetail:
		if detail.Have == nil && detail.Pos < len(detail.Ref) {
			explainRef(&told, detail, schemas)
		}
	case *ast.RefErrUnsupportedDetail:
		if detail.Pos < len(detail.Ref) && detail.Have != nil && !isFunction(detail.Have) {
			told.Message = fmt.Sprintf("%s has no members: it is a %s", detail.Ref[:detail.Pos+1], types.Sprint(detail.Have))
		}
	case *ast.UnificationErrDetail:
		told.Message = "these are never equal\n" + strings.Join(detail.Lines(), "\n")
		if isList(detail.Left) != isList(detail.Right) {
			told.Message += "\n`in` asks whether a list holds a value: \"a\" in input.token.scopes"
		}
	case nil:
		if match := unknownName.FindStringSubmatch(err.Message); match != nil && err.Location != nil {
			name := match[1] + match[2]
			if meant := closest(name, namesIn(err.Location.File, loaded, match[2] != "")); meant != "" {
				told.Message += fmt.Sprintf(": did you mean %s?", meant)
			}
		}
	}
	return told
}

var unknownName = regexp.MustCompile(`^var (\w+) is unsafe$|^undefined function (?:data\.)?([\w.]+)$`)

// explainRef tells of a member that is not there.
func explainRef(told *problem, detail *ast.RefErrInvalidDetail, schemas *schemas) {
	wrong := detail.Ref[detail.Pos]
	name, ok := wrong.Value.(ast.String)
	if !ok {
		return
	}
	if at := placeOf(wrong.Location); at.Row > 0 {
		told.place = at
	}
	var names []string
	for _, value := range detail.OneOf {
		if text, ok := value.(ast.String); ok {
			names = append(names, string(text))
		}
	}
	told.Message = fmt.Sprintf("%s has no %s", detail.Ref[:detail.Pos], string(name))
	if meant := closest(string(name), names); meant != "" {
		told.Message += fmt.Sprintf(": did you mean %s?", meant)
	} else if elsewhere := schemas.inputAt(string(name)); elsewhere != "" && detail.Ref[0].Equal(ast.InputRootDocument) {
		told.Message += fmt.Sprintf(": did you mean %s?", elsewhere)
	}
	switch {
	case len(names) > maxNames:
		told.Message += fmt.Sprintf("\nit has: %s, …", strings.Join(names[:maxNames], ", "))
	case len(names) > 0:
		told.Message += "\nit has: " + strings.Join(names, ", ")
	}
}

func isFunction(kind types.Type) bool {
	_, ok := kind.(*types.Function)
	return ok
}

func isList(kind types.Type) bool {
	switch kind.(type) {
	case *types.Array, *types.Set:
		return true
	}
	return false
}

// closest is the name that differs least, if it is close enough for a slip of the hand; else empty.
func closest(name string, names []string) string {
	best, distance := "", 1+max(1, len(name)/3)
	for _, candidate := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// namesIn lists what a file can call by a bare name: the rules of its package, its imports, and the built-ins.
func namesIn(file string, loaded *bundle.Bundle, functions bool) []string {
	var names []string
	var home *ast.Module
	for _, module := range loaded.Modules {
		if module.URL == file {
			home = module.Parsed
		}
	}
	if home == nil {
		return nil
	}
	for _, module := range loaded.Modules {
		if module.Parsed.Package.Path.Equal(home.Package.Path) {
			for _, rule := range module.Parsed.Rules {
				name := string(rule.Head.Ref()[0].Value.(ast.Var))
				names = append(names, name, strings.TrimPrefix(rule.Ref().String(), "data."))
			}
		}
	}
	for _, imported := range home.Imports {
		names = append(names, string(imported.Name()))
	}
	names = append(names, "input", "data")
	if functions {
		for _, builtin := range ast.Builtins {
			names = append(names, builtin.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
