// What measurements are made of: medians, and one table of them.

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q, below = Math.floor(at);
  return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

export const median = values => quantile(values, 0.5);
export const sum = values => values.reduce((a, b) => a + b, 0);

// Three digits are as many as a measurement has.
export function show(value, unit = '') {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const number = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(digits);
  return unit ? `${number} ${unit}` : number;
}

// Columns of text, of which the first is a name.
export function grid(header, lines) {
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map(line => line[column].length)));
  return [header, widths.map(width => '-'.repeat(width)), ...lines]
    .map(line => line.map((cell, column) => column ? cell.padStart(widths[column]) : cell.padEnd(widths[column])).join('  ').trimEnd())
    .join('\n');
}

// A row says what was measured, and against what:
//   { what, unit, ours, theirs, ratio, goal }
// `ratio` is in words, and so is `goal`, for what has one.
export function table(rows) {
  return grid(['', 'bridge', 'compared with', 'ratio', 'goal'], rows.map(row => [
    row.what,
    row.ours === undefined ? '' : show(row.ours, row.unit),
    row.theirs === undefined ? '' : show(row.theirs, row.unit) + (row.than ? ` ${row.than}` : ''),
    row.ratio === undefined ? '' : show(row.ratio) + (row.ratioUnit ?? 'x'),
    row.goal ?? '',
  ]));
}
