// An agent of the operator's own keeps its conversations as those do that are known by name: here it is a real one,
// Copilot's, of which the bridge knows nothing but its command.  acp.test.mjs has one that does wrong.
import assert from 'node:assert/strict';

import { test } from './bridge.mjs';
import { clis } from './clis.mjs';
import { backgroundChecks } from './suite/background.mjs';
import { harnessOf } from './suite/harness.mjs';
import { recordsChecks } from './suite/records.mjs';
import { requestChecks } from './suite/requests.mjs';
import { termsChecks } from './suite/terms.mjs';
import { toolChecks } from './suite/tools.mjs';

const NAME = 'mine';

const cli = {
  ...clis.copilot,
  setUp(home, cloud, name) {
    const { MINE_BIN, ...environment } = clis.copilot.setUp(home, cloud, name);
    return { BRIDGE_ACP_MINE: `${MINE_BIN} --acp`, ...environment };
  },
};

const harness = harnessOf({ name: NAME, cli, shares: true, goesOn: 'in the turn' });

backgroundChecks(harness);
termsChecks(harness);
recordsChecks(harness);
requestChecks(harness);

// Whether all calls come together is up to the agent.
toolChecks({ ...harness, shows: (what, works) => what === 'client_tools_together' || harness.shows(what, works) });

test(`${NAME}: tools of the caller's are allowed where nothing else is`, async t => {
  const { cloud, bridge } = await harness.start(t, { MINE_PERMISSION_MODE: 'reject' });
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  const question = { role: 'user', content: 'how is the weather?' };
  cloud.next({ toolUse: { ...cli.call('weather'), input: { city: 'Rome' } } }, { text: 'As you see.' });
  const { message } = (await bridge.chat(NAME, [question], { tools })).json.choices[0];
  assert.equal(message.tool_calls?.[0].function.name, 'weather', JSON.stringify(message));
  const answer = await bridge.answers(NAME, [question, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'it is sunny' }], { tools });
  assert.equal(answer.content, 'As you see.');
  assert.match(JSON.stringify(cloud.requests.at(-1).body), /it is sunny/);
  cloud.next({ toolUse: cli.shell('printf ran-%d 42') });
  await bridge.chat(NAME, 'run it');
  assert.doesNotMatch(JSON.stringify(cloud.requests.at(-1).body), /ran-42/);
});
