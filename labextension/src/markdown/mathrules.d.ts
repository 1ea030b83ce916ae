/** The rules that kernel and card share, of which the bundler reads the file. */
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

/** The rules by which kernel and card show code that waits for consent. */
declare module '*/listing.json' {
  const rules: {
    readonly longest_gap: number;
    readonly most_blank_lines: number;
    readonly invisible: readonly string[];
  };
  export default rules;
}
