const HEAD =
  /^(?:\s+|#[^\n]*(?:\n|$))*package[ \t]+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\["[^"\\\n]*"\])*)[ \t]*(?:[#;\r\n]|$)/;

/**
 * The package that a Rego source belongs to, as a path in `data`. Undefined where that cannot be told without
 * a parser; who asks has to take it for the worst then.
 */
export function packageOf(source: string): readonly string[] | undefined {
  const name = HEAD.exec(source.replace(/^\ufeff/, ''))?.[1];
  return name?.match(/\w+|\["[^"]*"\]/g)?.map((part) => (part.startsWith('[') ? part.slice(2, -2) : part));
}
