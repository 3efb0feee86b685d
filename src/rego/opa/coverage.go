package main

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/cover"
)

// coverageAnswer tells which lines of the policies ran. Tests themselves are left out: they always run.
type coverageAnswer struct {
	Files []fileCoverage `json:"files"`
}

// fileCoverage counts lines that hold a rule's head or an expression. A line that ran only in part is
// uncovered.
type fileCoverage struct {
	File      string `json:"file"`
	Covered   int    `json:"covered"`
	Uncovered []int  `json:"uncovered"`
}

func coverageOf(report cover.Report) coverageAnswer {
	answer := coverageAnswer{Files: []fileCoverage{}}
	for file, found := range report.Files {
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		uncovered := rowsOf(found.NotCovered)
		covered := 0
		for row := range rowsOf(found.Covered) {
			if !uncovered[row] {
				covered++
			}
		}
		rows := make([]int, 0, len(uncovered))
		for row := range uncovered {
			rows = append(rows, row)
		}
		slices.Sort(rows)
		answer.Files = append(answer.Files, fileCoverage{File: file, Covered: covered, Uncovered: rows})
	}
	slices.SortFunc(answer.Files, func(a, b fileCoverage) int { return strings.Compare(a.File, b.File) })
	return answer
}

func rowsOf(ranges []cover.Range) map[int]bool {
	rows := map[int]bool{}
	for _, found := range ranges {
		for row := found.Start.Row; row <= found.End.Row; row++ {
			rows[row] = true
		}
	}
	return rows
}
