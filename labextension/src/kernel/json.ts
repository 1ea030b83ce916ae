/** Reads JSON that is not trusted: a value of another type than expected counts as empty. Pure. */

/** An object; empty for anything else. */
export function object(value: unknown): Record<string, unknown> {
  return maybeObject(value) ?? {};
}

/** An object; null for anything else. */
export function maybeObject(value: unknown): Record<string, unknown> | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

/** An array; empty for anything else. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text; null for anything else. */
export function maybeText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A text; empty for anything else. */
export function text(value: unknown): string {
  return maybeText(value) ?? '';
}

/** A text, of which a notebook's file may have the lines. */
export function joined(value: unknown): string {
  return Array.isArray(value) ? value.map(text).join('') : text(value);
}

/** A number that is finite; null for anything else. */
export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** The value of a JSON text; null for anything else. */
export function parsed(value: unknown): unknown {
  try {
    return JSON.parse(text(value));
  } catch {
    return null;
  }
}
