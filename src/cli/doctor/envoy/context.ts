import type { Config } from '../../../config/schema.js';
import type { Code } from '../codes.js';
import type { Notebook } from '../finding.js';
import type { EnvoyNode } from './document.js';
import type { Pieces } from './pieces.js';

/** What checks of Envoy's side are given. */
export interface EnvoyContext {
  /** Undefined where it cannot be read: what Envoy has to be told then follows from its defaults. */
  readonly config: Config | undefined;
  readonly notebook: Notebook;
  readonly pieces: Pieces;
}

/** The way in which a workload shows who it is. */
export function sourceOf({ config }: EnvoyContext): Config['identity']['source'] {
  return config?.identity.source ?? 'certificate';
}

/** Whether Countersign needs the certificate that Envoy itself saw. */
export function needsCertificate(context: EnvoyContext): boolean {
  const source = sourceOf(context);
  if (source === 'xfcc')
    return context.config?.identity.xfcc?.from.some((hop) => hop !== 'unauthenticated') ?? true;
  return source === 'certificate';
}

export function report(
  { notebook }: EnvoyContext,
  code: Code,
  node: EnvoyNode,
  wrong: string,
  mend: string,
): void {
  notebook.add(code, node.place, wrong, mend);
}
