/** Whatever a name or a value holds, it must not command the terminal that shows it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

/** Lines with a heading and aligned columns, two spaces apart; an empty cell is shown as `-`. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [heading, ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : printable(String(cell)))))]
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

/** Lines of a label and what it names, aligned. */
export function labelled(rows: readonly (readonly [string, string | number])[]): string[] {
  const width = Math.max(...rows.map(([label]) => label.length))
  return rows.map(([label, value]) => `${`${label}:`.padEnd(width + 2)}${printable(String(value))}`.trimEnd())
}
