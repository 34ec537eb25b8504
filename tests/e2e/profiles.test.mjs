// agent_profile: what it does with real CLIs, what is kept of it, and what nobody else sees of it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { isThere, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { countIn, filesWith, whole } from './suite/harness.mjs';

const cliOf = name => clis[name === 'factory' ? 'droid' : name];

async function start(t, name) {
  const cloud = await cliOf(name).start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: [name], env: home => cliOf(name).setUp(home, cloud, name) });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd, { recursive: true });
  cloud.always({ text: 'So be it.' });
  return { cloud, bridge, cwd, heard: () => cloud.requests.at(-1) };
}

const scratchOf = (bridge, name) => join(bridge.dataDirectory, 'scratch', name);
const directoriesIn = path => readdirSync(path).filter(name => name.endsWith('.profile'));

// The CLI's process ends, and the conversation goes on in another.
async function goesCold(bridge, name) {
  const [{ pid }] = bridge.clisOf(name);
  process.kill(pid, 'SIGKILL');
  await waitFor('the bridge has seen to it', () => !isThere(pid));
}

// What Codex says first: its own words, or what takes their place.
const baseOf = ({ body }) => body.input[0].content[0].text;

test('the request of the documentation, and a second turn that leaves the profile out', async t => {
  const { cloud, bridge, cwd, heard } = await start(t, 'codex');
  const session = { session_id: 'agent-builder-local' };
  const profile = {
    name: 'local-coder', prompt: { systemPrompt: 'Be surgical. No placeholder logic.' }, skills: ['critical-audit'],
  };
  const isInForce = ({ json }) => {
    assert.equal(baseOf(heard()), profile.prompt.systemPrompt, 'it is in the place of the CLI\'s own');
    assert.equal(countIn(heard(), 'Caller-declared skills for this session: critical-audit'), 1);
    assert.deepEqual(json.bridge.profile.native, ['prompt.systemPrompt']);
    assert.deepEqual(json.bridge.profile.preamble, ['skills']);
    assert.match(json.bridge.profile.digest, /^[0-9a-f]{16}$/);
  };

  isInForce(await bridge.answers('codex/fake-small', 'inspect the repo and propose the smallest viable fix',
    { ...session, cwd, agent_profile: profile, stream: false }));
  isInForce(await bridge.answers('codex/fake-small', 'go on', session));
  await goesCold(bridge, 'codex');
  isInForce(await bridge.answers('codex/fake-small', 'go on, cold', session));
  assert.equal(heard().model, 'fake-small');
  await bridge.stops();
  await bridge.starts();
  await bridge.isReady('codex');
  isInForce(await bridge.answers('codex/fake-small', 'go on, after all', session));
  cloud.reset().always({ text: 'Well.' });
  const other = { ...profile, skills: ['another'] };
  const { json: { error } } = await bridge.refuses(409, 'session_binding_conflict', 'codex/fake-small', 'and now?',
    { ...session, agent_profile: other });
  assert.match(error.message, /has the profile [0-9a-f]{16}, and the request has [0-9a-f]{16}/);
  assert.equal(cloud.requests.length, 0);
});

const canary = { system: 'the-canary-of-the-system', rest: 'the-canary-of-the-rest', message: 'the-canary-of-the-message' };

// Each takes the system prompt of a profile in its own way: in the place of its own words, or beside them.
for (const [name, its] of Object.entries({
  claude: /You are an agent working with the user/, codex: /You are Codex|You are a coding agent/, pi: /expert coding assistant/,
  gemini: /You are Gemini CLI/, qwen: /You are Qwen Code/,
  opencode: null, kimi: null, copilot: null, factory: null,
}))
  test(`${name}: a profile's system prompt, one in the messages, and another profile`, async t => {
    const { cloud, bridge, cwd, heard } = await start(t, name);
    const session = { session_id: 's', cwd };
    const profile = (system, more) => ({ prompt: { systemPrompt: system, appendSystemPrompt: canary.rest }, ...more });
    const messages = [{ role: 'system', content: canary.message }, { role: 'user', content: 'hello' }];
    if (its) {
      await bridge.answers(name, 'hello', { cwd });
      assert.ok(cloud.requests.some(request => its.test(whole(request))), 'that is what the CLI says by itself');
    }
    const told = () => cloud.requests.filter(request => countIn(request, canary.system)).at(-1);

    const first = await bridge.answers(name, messages, { ...session, agent_profile: profile(canary.system) });
    for (const word of Object.values(canary))
      assert.equal(countIn(told(), word), 1, word);
    const text = whole(told());
    assert.ok(text.indexOf(canary.rest) < text.indexOf(canary.message), 'the profile comes first');
    assert.equal(first.json.bridge.profile.native.includes('prompt.systemPrompt'), its !== null || name === 'factory');
    if (its)
      assert.doesNotMatch(text, its, 'the CLI does not say what it says by itself');

    const instances = () => bridge.clisOf(name).map(({ mark }) => mark);
    const before = instances();
    await bridge.answers(name, 'again', session);
    assert.equal(countIn(heard(), canary.system), 1, 'it is in force, once');
    assert.ok(instances().every(mark => before.includes(mark)), 'in no other process');

    const rebound = await bridge.answers(name, 'who now?', {
      ...session, agent_profile: profile('the-second-canary'), rebind_profile: true,
    });
    assert.equal(rebound.headers['x-bridge-session'], 'resumed');
    assert.ok(countIn(heard(), 'the-second-canary') > 0);
    assert.ok(countIn(heard(), 'hello') > 0, 'nothing is forgotten');
    if (its)
      assert.equal(countIn(heard(), canary.system), 0, 'the former one is not in force');
    assert.notEqual(rebound.json.bridge.profile.digest, first.json.bridge.profile.digest);
  });

const withFiles = {
  prompt: { systemPrompt: 'the-system-of-files' },
  skills: [{ name: 'audit', description: 'the-canary-of-the-skill', content: 'the-body-of-the-skill' }],
  subagents: { tester: { description: 'the-canary-of-the-agent', prompt: 'the-body-of-the-agent' } },
  resources: {
    commands: [{ name: 'ship', content: 'the-body-of-the-command' }],
    files: [{ path: 'notes/plan.md', content: 'the-body-of-the-file' }],
  },
};

for (const name of ['claude', 'codex', 'opencode', 'pi', 'kimi'])
  test(`${name}: skills and files of a profile are the conversation's, and go with it`, async t => {
    const { cloud, bridge, cwd, heard } = await start(t, name);
    const scratch = scratchOf(bridge, name), session = { session_id: 's', cwd };
    const answer = await bridge.answers(name, 'hello', { ...session, agent_profile: withFiles });

    assert.ok(countIn(heard(), 'the-canary-of-the-skill') > 0, 'the model knows of the skill');
    assert.ok(countIn(heard(), 'notes/plan.md') > 0, 'and of the file');
    assert.ok(countIn(heard(), 'the-canary-of-the-agent') > 0 || name === 'pi', 'and of the subagent');
    const [directory] = directoriesIn(scratch), path = join(scratch, directory);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(statSync(join(path, 'files/notes/plan.md')).mode & 0o777, 0o600);
    assert.match(readFileSync(join(path, 'skills/audit/SKILL.md'), 'utf8'), /^---\nname: "audit"[^]*the-body-of-the-skill$/);
    assert.deepEqual(readdirSync(cwd), [], 'nothing is in the working directory');
    assert.deepEqual(filesWith(join(bridge.directory, 'home'), 'the-body-of-the-file'), [], 'nor in the user\'s home');
    assert.equal(answer.json.bridge.profile.native.includes('skills'), ['claude', 'pi'].includes(name));

    cloud.next({ toolUse: clis[name].shell(`cat ${path}/files/notes/plan.md`) });
    await bridge.answers(name, 'read it', session);
    assert.ok(countIn(heard(), 'the-body-of-the-file') > 0, 'the CLI can read it there');

    await bridge.request('DELETE', '/v1/sessions/s');
    await waitFor('its directory is gone', () => directoriesIn(scratch).length === 0);
  });

test('claude, codex, opencode, pi: what a profile forbids is not there', async t => {
  for (const [name, has] of Object.entries({
    claude: ({ tools }) => tools.some(tool => tool.name === 'Bash'),
    codex: ({ tools }) => tools.some(tool => tool.name === 'exec_command'),
    opencode: ({ tools }) => tools.some(tool => tool.function.name === 'bash'),
    pi: ({ tools }) => tools.some(tool => (tool.name ?? tool.function.name) === 'bash'),
  }))
    await t.test(name, async t => {
      const { bridge, cwd, heard } = await start(t, name);
      const allowed = await bridge.answers(name, 'one', { cwd, agent_profile: { permissions: { bash: 'allow' } } });
      assert.ok(has(heard().body), 'it is there as a rule');
      assert.deepEqual(allowed.json.bridge.profile.native, ['permissions']);
      await bridge.answers(name, 'two', { cwd, agent_profile: { permissions: { bash: 'deny' } } });
      assert.ok(!has(heard().body), 'and not for who may not use it');
      await bridge.answers(name, 'three', { cwd });
      assert.ok(has(heard().body), 'which holds for nobody else');
    });
});

test('claude: a tool that a profile forbids does not write', async t => {
  const { cloud, bridge, cwd, heard } = await start(t, 'claude');
  const path = join(cwd, 'written');

  cloud.next({ toolUse: { name: 'Write', input: { file_path: path, content: 'x' } } });
  await bridge.answers('claude', 'write', { cwd, agent_profile: { permissions: { edit: 'deny' } } });
  assert.equal(existsSync(path), false);
  assert.ok(heard().body.tools.every(tool => tool.name !== 'Edit' && tool.name !== 'Write'));
});

test('the model and the harness of a profile agree with the request, or it is refused', async t => {
  const { cloud, bridge, heard } = await start(t, 'codex');
  const profile = { harness: 'codex', model: { default: 'fake-small' } };

  await bridge.answers('codex', 'one', { session_id: 's', agent_profile: profile });
  assert.equal(heard().model, 'fake-small');
  await bridge.answers('codex', 'two', { session_id: 's' });
  assert.equal(heard().model, 'fake-small');
  cloud.reset();
  const refused = async (words, fields, model = 'codex') => {
    const { json: { error } } = await bridge.refuses(400, 'invalid_value', model, 'three', fields);
    assert.match(error.message, words);
    assert.equal(error.param, words.source.match(/^[\w.]+/)[0].replaceAll('\\', ''));
  };

  await refused(/agent_profile.model.default: is fake-small, and the request asks for fake-large/, { session_id: 's' }, 'codex/fake-large');
  await refused(/agent_profile.harness: is claude-code, and the request goes to codex/, { agent_profile: { harness: 'claude-code' } });
  await refused(/agent_profile.prompt.systemPrompt: must be a text/, { agent_profile: { prompt: { systemPrompt: 1 } } });
  assert.equal(cloud.requests.length, 0);
});

test('codex: a system prompt that another profile does not have is not in force any more', async t => {
  const { bridge, heard } = await start(t, 'codex');
  const session = { session_id: 's' };

  await bridge.answers('codex', 'one', { ...session, agent_profile: { prompt: { systemPrompt: canary.system } } });
  assert.equal(baseOf(heard()), canary.system);
  const { headers } = await bridge.answers('codex', 'two', { ...session, agent_profile: { skills: ['a'] }, rebind_profile: true });
  assert.equal(headers['x-bridge-session'], 'resumed');
  assert.equal(countIn(heard(), canary.system), 0);
  assert.ok(countIn(heard(), 'Caller-declared skills for this session: a') > 0);
});

test('what a profile asks for in vain is said, and refused when that is wished', async t => {
  const { bridge } = await start(t, 'codex');
  const profile = { name: 'n', colour: 'red', hooks: { Stop: [] }, model: { small: 's' } };
  const answer = await bridge.answers('codex', 'hello', { agent_profile: profile });

  assert.deepEqual(answer.json.bridge.profile.ignored, ['model.small', 'hooks']);
  assert.deepEqual(answer.json.bridge.ignored, ['agent_profile.colour', 'agent_profile.model.small', 'agent_profile.hooks']);
  const refused = await bridge.chat('codex', 'hello', { agent_profile: profile }, { 'x-bridge-strict': 'true' });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.error.code, 'unsupported_parameter');
  assert.match(refused.json.error.message, /agent_profile\.colour, agent_profile\.model\.small, agent_profile\.hooks/);

  const client = bridge.streams('codex', 'hello', { agent_profile: { name: 'n', skills: ['a'] } });
  await client.finishes();
  assert.deepEqual(client.chunks.flatMap(chunk => chunk.bridge?.profile ?? []).map(({ preamble }) => preamble), [['skills']]);
});

test('profiles of the catalogue are listed, shown and named, and one that is none is told of', async t => {
  const { bridge, heard } = await start(t, 'codex');
  const catalogue = join(bridge.dataDirectory, 'profiles');
  const write = (name, text) => writeFileSync(join(catalogue, name), text);

  assert.deepEqual((await bridge.get('/v1/profiles')).json, { object: 'list', data: [], has_more: false, errors: [] });
  mkdirSync(catalogue);
  write('coder.json', JSON.stringify({ name: 'Coder', description: 'codes', tags: ['t'], prompt: { systemPrompt: 'the-first' } }));
  write('broken.json', '{');
  const { json: { data, errors } } = await bridge.get('/v1/profiles');
  assert.deepEqual(data.map(({ loadedAt, ...row }) => row), [{ id: 'coder', name: 'Coder', description: 'codes', tags: ['t'] }]);
  assert.ok(Date.parse(data[0].loadedAt));
  assert.deepEqual(errors.map(({ file }) => file), [join(catalogue, 'broken.json')]);
  await bridge.logs(/profile \S+broken\.json: /);
  const verified = await bridge.run('verify');
  assert.match(verified.stderr, /profile \S+broken\.json: \S+: line 1: /);
  assert.equal(verified.code, 3);
  rmSync(join(catalogue, 'broken.json'));
  assert.equal((await bridge.run('verify')).code, 0);

  assert.equal((await bridge.get('/v1/profiles/coder')).json.profile.prompt.systemPrompt, 'the-first');
  assert.equal((await bridge.get('/v1/profiles/nobody')).status, 404);
  assert.equal((await bridge.get('/v1/profiles/..%2Fcoder')).status, 404);

  await bridge.answers('codex', 'one', { session_id: 's', agent_profile: 'coder' });
  assert.equal(baseOf(heard()), 'the-first');
  await bridge.answers('codex', 'two', { session_id: 'h' }, { 'X-Agent-Profile': 'coder' });
  assert.equal(baseOf(heard()), 'the-first');
  write('coder.json', JSON.stringify({ prompt: { systemPrompt: 'the-second' } }));
  await bridge.answers('codex', 'three', { session_id: 's' });
  assert.equal(baseOf(heard()), 'the-first', 'a session keeps what it was begun with');
  await bridge.refuses(409, 'session_binding_conflict', 'codex', 'four', { session_id: 's', agent_profile: 'coder' });
  await bridge.answers('codex', 'five', { session_id: 's', agent_profile: 'coder', rebind_profile: true });
  assert.equal(baseOf(heard()), 'the-second');
  await bridge.refuses(400, 'invalid_value', 'codex', 'six', { agent_profile: 'nobody' });
});
