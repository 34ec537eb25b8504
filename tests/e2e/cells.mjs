// Whether the suite has shown of every harness what the program says that it can, cell by cell:
//
//   node cells.mjs CELLS PROGRAM
//
// CELLS has a line for each that was seen: HARNESS CAPABILITY native|lacked, and HARNESS suite for each whose suite was
// run; only these are compared.  What nobody has shown, or somebody has seen otherwise, is named, and this fails.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

// What cannot be shown, and why not.
const NOT_SHOWN = {
  'cuts lacked': 'a CLI that does not notice it promises nothing of what is left of its records',
  'recall native': 'it takes a CLI that goes on by itself: claude-alone.test.mjs',
  'recall lacked': 'what happens instead is no promise: the process ends',
  'models native': 'where a list comes from cannot be seen in it: the unit tests of the harness',
  'models lacked': 'the same',
  'delays lacked': 'a CLI that tries again for a minute says nothing before that',
};

const [cells, program] = process.argv.slice(2);
const declared = JSON.parse(execFileSync(program, ['capabilities', '--json'], { cwd: '/' }));
const seen = new Set(readFileSync(cells, 'utf8').split('\n'));
const faults = [];

for (const { harness, capabilities } of declared.filter(({ harness }) => seen.has(`${harness} suite`)))
  for (const [capability, how] of Object.entries(capabilities)) {
    const is = how === 'native' ? 'native' : 'lacked', other = is === 'native' ? 'lacked' : 'native';
    if (seen.has(`${harness} ${capability} ${other}`))
      faults.push(`${harness}: ${capability} is said to be ${is}, and was seen to be ${other}`);
    else if (!seen.has(`${harness} ${capability} ${is}`) && !(`${capability} ${is}` in NOT_SHOWN))
      faults.push(`${harness}: no test has shown ${capability} (${is})`);
  }

console.log(faults.length ? faults.join('\n') : `${seen.size - 1} cells are as the program says`);
process.exitCode = faults.length ? 1 : 0;
