/** The kernel's words, of which the bundler reads the file. */
declare module '*/kernel.json' {
  const entries: Readonly<Record<string, string>>;
  export default entries;
}
