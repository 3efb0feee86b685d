package main

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// problem is one thing that is wrong with what an author wrote.
type problem struct {
	// Code is OPA's own (rego_parse_error, rego_type_error …) or one of this program's.
	Code    string `json:"code"`
	Message string `json:"message"`
	place
	// LineText is the source line at Row, where there is one.
	LineText string `json:"line_text,omitempty"`
	// DataPath is the place within data of what a data file has wrong.
	DataPath []string `json:"data_path,omitempty"`
}

// place is a position in a source file. Row and Col count from 1, Col in characters; 0 is unknown.
type place struct {
	File string `json:"file,omitempty"`
	Row  int    `json:"row,omitempty"`
	Col  int    `json:"col,omitempty"`
}

func placeOf(location *ast.Location) place {
	if location == nil {
		return place{}
	}
	return place{File: location.File, Row: location.Row, Col: location.Col}
}

// problemsOf splits an error into its parts; `code` is for those that bring none.
func problemsOf(err error, code string) []problem {
	var many ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &many):
		many.Sort()
	case errors.As(err, &one):
		many = ast.Errors{one}
	default:
		return []problem{{Code: code, Message: err.Error()}}
	}
	problems := make([]problem, 0, len(many))
	for _, e := range many {
		problems = append(problems, problem{Code: e.Code, Message: message(e), place: placeOf(e.Location)})
	}
	return problems
}

// message joins an error's text with what OPA has to add ("have: …", "want: …"). A parse error adds the
// source line with a caret, which LineText and Col say already.
func message(e *ast.Error) string {
	switch {
	case e.Code == ast.ParseErr && e.Message == "unexpected eof token":
		return e.Message + ": something that was opened with {, [ or ( is not closed"
	case strings.HasPrefix(e.Message, "conflicting rule for data path"):
		return e.Message + ": a data file gives it a value already"
	}
	if e.Details == nil || e.Code == ast.ParseErr {
		return e.Message
	}
	return strings.Join(append([]string{e.Message}, e.Details.Lines()...), "\n")
}

// locate adds the source lines.
func locate(problems []problem, files []sourceFile) []problem {
	for i := range problems {
		p := &problems[i]
		for _, file := range files {
			if file.Path != p.File {
				continue
			}
			lines := strings.Split(file.Content, "\n")
			if p.Row >= 1 && p.Row <= len(lines) {
				p.LineText = strings.TrimSuffix(lines[p.Row-1], "\r")
			}
		}
	}
	return problems
}
