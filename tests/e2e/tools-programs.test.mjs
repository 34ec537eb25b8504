// Coding agents as clients of the bridge: each edits a file with its own tools, and a real CLI behind the bridge is
// what thinks for it.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { comes, test } from './bridge.mjs';
import { clis } from './clis.mjs';
import { programs } from './programs.mjs';
import { countIn, harnessOf, whole } from './suite/harness.mjs';

const KEY = 'a-key-of-a-user';
const QUESTION = 'Make-it-blue in the notes.';

// Three of them with each, and the others with one: the CLIs of the bridge's are clients, too.
const behind = {
  claude: ['opencode', 'qwen', 'continue', 'droid', 'kimi'],
  codex: ['opencode', 'qwen', 'continue', 'copilot', 'pi'],
};

for (const [name, clients] of Object.entries(behind)) {
  const cli = clis[name];
  const { start, pids } = harnessOf({ name, cli });

  test(`${name}: coding agents that are clients finish their work with it`, async t => {
    const { cloud, bridge } = await start(t, { BRIDGE_BEARER: KEY });

    for (const program of clients)
      await t.test(program, async () => {
        const { run, read, edit } = programs[program];
        const home = join(bridge.directory, `home-of-${program}`), cwd = join(home, 'work'), notes = join(cwd, 'notes.txt');
        mkdirSync(cwd, { recursive: true });
        writeFileSync(notes, 'The sky is grey.\n');

        // What it asks beside its turn, such as a title for it, has no tools.
        const turns = [], processes = [];
        const steps = [read(notes), edit(notes, 'grey', 'blue', name)].map(({ name, input }, i) => ({ toolUse: { ...cli.call(name), input, id: `vendors_${i}` } }));
        cloud.reset().always(asked => {
          if (!JSON.stringify(asked.body.tools ?? []).includes(JSON.stringify(cli.call(read(notes).name).name)))
            return { text: 'Notes' };
          turns.push(asked);
          processes.push(pids(bridge));
          return steps.shift() ?? { text: 'The sky is blue now.' };
        });
        const { code, output } = await comes(`${program} ends`, run({ home, cwd, url: `${bridge.url}/v1`, key: KEY, model: name, text: QUESTION }));
        assert.equal(readFileSync(notes, 'utf8'), 'The sky is blue.\n', output);
        assert.match(output, /The sky is blue now\./);
        assert.equal(code, 0, output);
        assert.equal(turns.length, 3, 'each step is one request of the vendor');
        assert.ok(!whole(turns[0]).includes(JSON.stringify(cli.shell('').name)), 'the CLI has no tools of its own');
        assert.equal(countIn(turns.at(-1), 'Make-it-blue'), 1);
        for (const id of ['vendors_0', 'vendors_1'])
          assert.ok(countIn(turns.at(-1), id) >= 2, `${id}, as the vendor named it`);
        assert.ok(processes[0].some(pid => processes.every(at => at.includes(pid))), JSON.stringify(processes));
      });
  });
}
