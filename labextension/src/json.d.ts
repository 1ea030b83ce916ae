/** The JSON files that page and kernel share, of which the bundler reads the content. */

/** The kernel's words. */
declare module '*/kernel.json' {
  const entries: Readonly<Record<string, string>>;
  export default entries;
}

/** Which formulas may be drawn. */
declare module '*/math.json' {
  const rules: {
    /** Characters; a page lays out longer and deeper formulas for ever. */
    readonly longest: number;
    readonly deepest: number;
    readonly most_shifts: number;
    readonly forbidden_commands: readonly string[];
    readonly shifting_commands: readonly string[];
    readonly far: readonly string[];
    readonly forbidden: readonly string[];
  };
  export default rules;
}

/** How code that waits for consent is shown. */
declare module '*/listing.json' {
  const rules: {
    readonly longest_gap: number;
    readonly most_blank_lines: number;
    readonly invisible: readonly string[];
  };
  export default rules;
}
