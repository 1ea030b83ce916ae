/** JSON that may be anybody's: what is of another type than expected is empty. Pure. */

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

/** A text; empty for anything else. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A number that is finite; null for anything else. */
export function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
