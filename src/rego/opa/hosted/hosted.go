// Package hosted leaves functions to the host that OPA's Wasm would compute itself, and not as OPA does: one of
// them, replace, would never come back. Whoever imports it compiles Wasm of that kind.
package hosted

import (
	_ "embed"
	"encoding/json"
	"fmt"
	_ "unsafe" // for go:linkname

	// What this names is in the program then, and set up before this is.
	_ "github.com/open-policy-agent/opa/v1/compile"
)

// functions.json is also read by the host's own tests: it has to supply every one.
//
//go:embed functions.json
var functions []byte

// builtinsFunctions is OPA's own map of the functions that its Wasm has itself to their names there. Its compiler
// asks the host for what is not in it; there is no option for that.
//
//go:linkname builtinsFunctions github.com/open-policy-agent/opa/internal/compiler/wasm.builtinsFunctions
var builtinsFunctions map[string]string

func init() {
	var names []string
	if err := json.Unmarshal(functions, &names); err != nil {
		panic(err)
	}
	for _, name := range names {
		// A map of another name or a function that went over to the host by itself: a new OPA, to be looked at.
		if _, ok := builtinsFunctions[name]; !ok {
			panic(fmt.Sprintf("hosted: OPA's Wasm has no %q of its own", name))
		}
		delete(builtinsFunctions, name)
	}
}
