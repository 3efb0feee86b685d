import { define } from '../json/define.js';
import { ExactNumber } from '../json/exact.js';

export interface MaskingOptions {
  /** Log bodies: `body` and `parsed_body` of the input. They may hold anything. Default false. */
  readonly includeBody?: boolean;
  /** JSON pointers (RFC 6901) to what is erased besides, each under /input or /result. */
  readonly erase?: readonly string[];
}

/** A copy of an event that may leave the process. */
export interface Masked {
  readonly event: { readonly [name: string]: unknown };
  /** Pointers to what was taken out, and to what was replaced: OPA's own fields. */
  readonly erased: readonly string[];
  readonly masked: readonly string[];
}

export type Mask = (event: { readonly [name: string]: unknown }) => Masked;

/** More nesting than any input has; beyond it something is wrong, and the event is withheld. */
const DEEPEST = 200;

const MASKED = '**REDACTED**';

/** Header names that say they hold a credential; the names of standard ones are among them. */
const SECRET_HEADER =
  /authorization|cookie|token|jwt|svid|secret|password|api-?key|dpop|assertion|credential|session|signature|^x-auth$|^x-forwarded-client-cert$/i;

/** Query and form parameters of OAuth and of common use that hold a credential. */
const SECRET_PARAMETER =
  'access_token|refresh_token|id_token|token|code|client_secret|client_assertion|assertion|device_code|code_verifier|password|api_?key|secret|session|sid|jwt|signature|sig|x-amz-signature|x-amz-security-token|x-amz-credential';
/** `token[]` and `token[a]` are `token` to many frameworks. */
const INDEX = '(?:\\[\\w*\\])?';
const SECRET_IN_QUERY = new RegExp(`((?:^|[?&;#])(?:${SECRET_PARAMETER})${INDEX}=)[^&#;\\s]*`, 'gi');
const SECRET_NAME = new RegExp(`^(?:${SECRET_PARAMETER})${INDEX}$`, 'i');

/**
 * Makes the function that takes tokens, cookies, keys and bodies out of decision-log events. It leaves its
 * argument as it is.
 *
 * Erased are credentials by their place: headers that say so by name, Envoy's raw headers and bodies, peer
 * certificates (bulky, and told by their fingerprint). Masked, wherever they stand, are query parameters that
 * hold a credential, anything that looks like a JWT, and private keys in PEM; percent-encoded ones too.
 *
 * The function throws where it cannot finish its work; the event must then be withheld.
 */
export function createMask(options: MaskingOptions = {}): Mask {
  const rules = new Rule();
  const erased = [...ALWAYS, ...(options.includeBody ? [] : BODIES), ...(options.erase ?? [])];
  for (const pointer of erased.flatMap(inShadow)) rules.at(pointer).erased = true;
  for (const pointer of HEADERS.flatMap(inShadow)) rules.at(pointer).headers = true;
  for (const pointer of PARAMETERS.flatMap(inShadow)) rules.at(pointer).parameters = true;
  return (event) => new Copy().event(event, rules);
}

/** What holds for a result holds for that of a shadow policy as well. */
function inShadow(pointer: string): string[] {
  return pointer.startsWith('/result/') ? [pointer, `/shadow${pointer}`] : [pointer];
}

/** What applies to one place of an event, and to the places below it. */
class Rule {
  private readonly members = new Map<string, Rule>();
  /** The value is left out. */
  erased = false;
  /** Members are left out that have the name of a secret header, and replaced that have that of a parameter. */
  headers = false;
  parameters = false;

  below(name: string): Rule | undefined {
    return this.members.get(name);
  }

  /** The rule of a JSON pointer, made where there is none. */
  at(pointer: string): Rule {
    const names = pointer.split('/').slice(1);
    return names.reduce<Rule>(
      (rule, name) => rule.made(name.replaceAll('~1', '/').replaceAll('~0', '~')),
      this,
    );
  }

  private made(name: string): Rule {
    const rule = this.members.get(name) ?? new Rule();
    this.members.set(name, rule);
    return rule;
  }
}

/** One event on its way to its copy. It goes through every value of every decision, so it writes no pointer in vain. */
class Copy {
  private readonly path: (string | number)[] = [];
  private readonly erased: string[] = [];
  private readonly masked: string[] = [];

  event(event: { readonly [name: string]: unknown }, rules: Rule): Masked {
    const copied = this.object(event, rules);
    return { event: copied, erased: this.erased.map(maskText), masked: this.masked.map(maskText) };
  }

  private value(value: unknown, rule: Rule | undefined): unknown {
    if (typeof value === 'string') {
      const clean = maskText(value);
      if (clean !== value) this.masked.push(this.pointer());
      return clean;
    }
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof ExactNumber) return value.text;
    if (this.path.length > DEEPEST) throw new RangeError('the event is nested too deeply to be masked');
    return Array.isArray(value)
      ? this.array(value, rule)
      : this.object(value as { [name: string]: unknown }, rule);
  }

  private array(value: readonly unknown[], rule: Rule | undefined): unknown[] {
    return value.map((item, index) => {
      const below = rule?.below(String(index));
      this.path.push(index);
      // Those behind an erased item keep their places.
      const copied = below?.erased ? null : this.value(item, below);
      if (below?.erased) this.erased.push(this.pointer());
      this.path.pop();
      return copied;
    });
  }

  private object(value: { readonly [name: string]: unknown }, rule: Rule | undefined) {
    const out: { [name: string]: unknown } = {};
    for (const name of Object.keys(value)) {
      const member = value[name];
      if (member === undefined) continue;
      const below = rule?.below(name);
      this.path.push(name);
      const facts = nameFacts(name);
      if (below?.erased || (rule?.headers && facts.header)) {
        this.erased.push(this.pointer());
      } else if (rule?.parameters && facts.parameter) {
        this.masked.push(this.pointer());
        define(out, name, MASKED);
      } else {
        define(out, facts.clean, this.value(member, below));
      }
      this.path.pop();
    }
    return out;
  }

  private pointer(): string {
    return this.path.map((part) => `/${escapePointer(String(part))}`).join('');
  }
}

const HTTP = '/input/attributes/request/http';
const HEADERS = [`${HTTP}/headers`, '/result/headers', '/result/response_headers_to_add'];
const PARAMETERS = ['/input/parsed_query', '/input/parsed_body', '/result/query_parameters_to_set'];
const ALWAYS = [
  '/input/attributes/source/certificate',
  '/input/attributes/destination/certificate',
  // The same headers and body as text stand beside these.
  `${HTTP}/headerMap`,
  `${HTTP}/rawBody`,
];
const BODIES = [`${HTTP}/body`, '/input/parsed_body', '/result/body'];

interface NameFacts {
  /** A name can hold a token as well as a value can. */
  readonly clean: string;
  /** Whether it is that of a header, or of a parameter, that holds a credential. */
  readonly header: boolean;
  readonly parameter: boolean;
}

/** Events have the same names all the time. Only short ones are kept, and none that was masked. */
const NAMES = new Map<string, NameFacts>();
const MOST_NAMES = 1_000;
const LONGEST_NAME = 64;

function nameFacts(name: string): NameFacts {
  const known = NAMES.get(name);
  if (known !== undefined) return known;
  const clean = maskText(name);
  const facts = { clean, header: SECRET_HEADER.test(name), parameter: SECRET_NAME.test(name) };
  if (clean === name && name.length <= LONGEST_NAME) {
    if (NAMES.size >= MOST_NAMES) NAMES.clear();
    NAMES.set(name, facts);
  }
  return facts;
}

/** RFC 6901 section 3; hardly any name needs it. */
function escapePointer(name: string): string {
  return /[~/]/.test(name) ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}

/** Takes credentials out of a text; in time linear in its length. */
export function maskText(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  const clean = maskPlain(text);
  return clean.includes('%') ? clean.replace(PIECE, maskEscaped) : clean;
}

/** A header line of PEM, also as forms and URLs write its spaces. */
const PRIVATE_KEY = /PRIVATE(?: |\+|%20)KEY-----/;

function maskPlain(text: string): string {
  if (text.includes('KEY-----') && PRIVATE_KEY.test(text)) return MASKED;
  const clean = JOSE.test(text) ? text.replace(/[A-Za-z0-9_.\-+/=]+/g, maskRun) : text;
  return clean.includes('=') ? clean.replace(SECRET_IN_QUERY, `$1${MASKED}`) : clean;
}

/** What stands between the separators of a URL or a form. */
const PIECE = /[^?&;#\s]+/g;

/** Escapes within escapes that are looked into: a URL in a URL's parameter has two. */
const ROUNDS = 3;

/** A piece whose escapes hide a credential goes whole: nobody can tell where in it the credential ends. */
function maskEscaped(piece: string): string {
  let plain = piece;
  for (let round = 0; round < ROUNDS && plain.includes('%'); round++)
    plain = plain.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return plain === piece || maskPlain(plain) === plain ? piece : MASKED;
}

/** One of these is in everything that is masked, and in few other texts. */
const SUSPICIOUS = /[=%]|KEY-----|ey[AJ]|ew[0ko]/;

/** How a JSON object begins in base64url: a brace, then a quote or white space. */
const JOSE = /ey[AJ]|ew[0ko]/;

/**
 * A JOSE header is a JSON object; a dot follows it, and at least one more part. The whole run goes, whatever
 * stands before and after.
 */
function maskRun(run: string): string {
  const header = run.search(JOSE);
  return header !== -1 && run.indexOf('.', header) !== -1 ? MASKED : run;
}
