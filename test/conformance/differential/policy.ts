/** A rule in parts that can be left out one by one, to find the least policy that shows a difference. */
export interface Rule {
  readonly name: string;
  /** `default r1 := 5`, if there is one. */
  readonly standing?: string;
  /** The first with the rule's head, the others after `else`. */
  readonly branches: readonly Branch[];
}

export interface Branch {
  readonly head: string;
  readonly body: readonly string[];
}

export function render(rules: readonly Rule[]): string {
  return `package test\n\n${rules.map(renderRule).join('\n\n')}\n`;
}

function renderRule({ standing, branches }: Rule): string {
  const text = branches
    .map(({ head, body }) =>
      body.length === 0 ? head : `${head} if {\n${body.map((line) => `\t${line}\n`).join('')}}`,
    )
    .join(' else ');
  return standing === undefined ? text : `${standing}\n\n${text}`;
}

/** Every policy that has one part less. */
export function* smaller(rules: readonly Rule[]): Generator<readonly Rule[]> {
  const without = <T>(items: readonly T[], index: number) => items.filter((_, i) => i !== index);
  for (const [r, rule] of rules.entries()) {
    const replaced = (by: Rule) => rules.map((other, i) => (i === r ? by : other));
    if (rules.length > 1) yield without(rules, r);
    if (rule.standing !== undefined) yield replaced({ name: rule.name, branches: rule.branches });
    for (const [b, branch] of rule.branches.entries()) {
      if (b > 0) yield replaced({ ...rule, branches: without(rule.branches, b) });
      for (const line of branch.body.keys()) {
        const shorter = { ...branch, body: without(branch.body, line) };
        yield replaced({ ...rule, branches: rule.branches.map((other, i) => (i === b ? shorter : other)) });
      }
    }
  }
}
