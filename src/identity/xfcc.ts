import { ExactNumber, parseExact, type ExactJson } from '../json/exact.js';
import { malformedXfcc, type XfccElement, type XfccMalformed } from './xfcc-element.js';
import { parseXfccText } from './xfcc-text.js';

/** The form that an operator expects; `auto` takes both. */
export type XfccFormat = 'text' | 'json' | 'auto';

const MAX_LENGTH = 256 * 1024;

/**
 * Reads one line of `x-forwarded-client-cert`, in Envoy's text form or in its JSON form (1.38 on:
 * envoy.extensions.filters.network.http_connection_manager.v3, `forward_client_cert_details`), whichever it
 * is and may be.
 */
export function parseXfcc(line: string, format: XfccFormat = 'auto'): XfccElement[] | XfccMalformed {
  if (line.length > MAX_LENGTH) return malformedXfcc(`longer than ${MAX_LENGTH} characters`);
  const json = isXfccJson(line);
  if (format === 'text' && json) return malformedXfcc('JSON, where text is expected');
  if (format === 'json' && !json) return malformedXfcc('text, where JSON is expected');
  return json ? parseXfccJson(line) : parseXfccText(line);
}

/** No element of the text form can begin with a bracket. */
export function isXfccJson(line: string): boolean {
  return /^[ \t]*\[/.test(line);
}

function parseXfccJson(text: string): XfccElement[] | XfccMalformed {
  let document: ExactJson;
  try {
    document = parseExact(text);
  } catch (error) {
    return malformedXfcc(`not JSON: ${(error as SyntaxError).message}`);
  }
  if (!Array.isArray(document) || document.length === 0) return malformedXfcc('not an array of elements');
  const elements: XfccElement[] = [];
  for (const entry of document) {
    const element = readElement(entry);
    if (element === undefined) return malformedXfcc('an element has members of other types');
    elements.push(element);
  }
  return elements;
}

function readElement(entry: ExactJson): XfccElement | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry) || entry instanceof ExactNumber) {
    return undefined;
  }
  const { hash, cert, chain = [], uri = [] } = entry;
  if (!isText(hash) || !isText(cert) || !isTexts(chain) || !isTexts(uri)) return undefined;
  return { ...(hash !== undefined && { hash }), ...(cert !== undefined && { cert }), chain, uris: uri };
}

function isText(value: ExactJson | undefined): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isTexts(value: ExactJson): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
