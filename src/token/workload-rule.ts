import type { JsonObject } from '../jws/compact.js';

/** The SPIFFE IDs of the workloads that a token's claims, or an actor's, name; empty where they name none. */
export type WorkloadRule = (claims: JsonObject) => readonly string[];

/**
 * A rule that puts claims into a SPIFFE ID: `spiffe://example.org/ns/shop/sa/{client_id}`. A claim stands for a part of
 * one segment, so that no issuer's client can name itself into another path; `{sub}` alone is a claim that is a SPIFFE
 * ID itself.
 */
export function workloadTemplate(template: string): WorkloadRule {
  const whole = /^\{([^{}]+)\}$/.exec(template)?.[1];
  if (whole !== undefined)
    return (claims) => {
      const id = textOf(claims, whole);
      return id === undefined ? [] : [id];
    };
  return (claims) => {
    let complete = true;
    const id = template.replace(/\{([^{}]+)\}/g, (_, name: string) => {
      const text = textOf(claims, name) ?? '';
      complete &&= /^[A-Za-z0-9._-]+$/.test(text);
      return text;
    });
    return complete ? [id] : [];
  };
}

/** A rule that looks a claim up: its value, and the SPIFFE IDs of those who may present a token with it. */
export function workloadTable(
  claim: string,
  table: { readonly [value: string]: string | readonly string[] },
): WorkloadRule {
  const ids = new Map(Object.entries(table).map(([value, named]) => [value, [named].flat()]));
  return (claims) => ids.get(textOf(claims, claim) ?? '') ?? [];
}

function textOf(claims: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
