package main

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

type fmtRequest struct {
	Files []sourceFile `json:"files"`
}

// fmtAnswer holds the files in their order, or the errors of all that do not parse.
type fmtAnswer struct {
	Files  []sourceFile `json:"files"`
	Errors []problem    `json:"errors,omitempty"`
}

// formatFiles lays policies out as `opa fmt` does.
func formatFiles(decoder *json.Decoder) (any, error) {
	var request fmtRequest
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	answer := fmtAnswer{Files: []sourceFile{}}
	for _, file := range request.Files {
		content, err := format.SourceWithOpts(file.Path, []byte(file.Content), format.Opts{
			RegoVersion:   ast.RegoV1,
			ParserOptions: &ast.ParserOptions{RegoVersion: ast.RegoV1},
		})
		if err != nil {
			answer.Errors = append(answer.Errors, locate(problemsOf(err, "format_error"), request.Files)...)
			continue
		}
		answer.Files = append(answer.Files, sourceFile{Path: file.Path, Content: string(content)})
	}
	return answer, nil
}
