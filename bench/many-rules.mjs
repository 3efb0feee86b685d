import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A policy of `count` rules that allow, each by method, path and scope; the last of them is the one that lets orders be read. */
export async function writeManyRules(folder, count) {
  const rules = Array.from({ length: count }, (_, n) => {
    const name = n === count - 1 ? 'orders' : `service-${n}`;
    return `allow if {
	input.request.method == "GET"
	startswith(input.request.path, "/${name}/")
	"${name}:read" in input.token.scopes
	input.identity.spiffe_id == "spiffe://example.org/ns/shop/sa/frontend"
}
`;
  });
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'many.rego'),
    `package many

decision := {"allowed": allow}

default allow := false

${rules.join('\n')}`,
  );
  return { path: folder, entrypoint: 'many/decision' };
}
