// What became of each test, a line each, for scripts/test, which counts these lines and shows the failures again
// in the end.  The lines come while the tests run: if node is stopped, they say which tests had begun and not ended.
//
//   begun NAME
//   passed NAME
//   skipped NAME
//   failed NAME
//           what was wrong, in lines behind a tab
import { basename } from 'node:path';

const MOST_LINES = 8;           // of what was wrong
const MOST_CHARACTERS = 300;    // of each of them

const oneLine = text => String(text).replaceAll(/\s*\n\s*/g, ' ');

// node wraps what a test has thrown in an error of its own.
function whatWasWrong({ error }) {
  const lines = String(error?.cause?.message ?? error?.cause ?? error?.message ?? error).split('\n').filter(line => line.trim());
  return lines.slice(0, MOST_LINES).map(line => `\t${line.slice(0, MOST_CHARACTERS)}\n`).join('');
}

// A file is a test to node, too: it says something only if it fails as a whole.
const isFile = ({ name, file }) => file !== undefined && basename(name) === basename(file);

export default async function* results(source) {
  for await (const { type, data } of source) {
    if (!data.name || (isFile(data) && type !== 'test:fail'))
      continue;
    const name = oneLine(data.name);
    if (type === 'test:dequeue')
      yield `begun ${name}\n`;
    else if (type === 'test:pass')
      yield `${data.skip === undefined ? 'passed' : 'skipped'} ${name}\n`;
    else if (type === 'test:fail')
      yield `failed ${name}\n${whatWasWrong(data.details)}`;
  }
}
