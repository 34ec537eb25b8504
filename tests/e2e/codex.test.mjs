// Real Codex, by its app-server and without it; only the vendor's cloud is a stand-in, on loopback.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { isGone, says, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

const cli = clis.codex;

suite({
  name: 'codex',
  cli,
  logIn: /codex login/,
  install: /npm install -g @openai\/codex/,
  shares: true,
  model: { id: 'fake-small' },
});

function write(path, text, mode) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  if (mode)
    chmodSync(path, mode);
}

const skill = (directory, name, word) =>
  write(join(directory, name, 'SKILL.md'), `---\nname: ${name}\ndescription: ${word}-listed\n---\n${word}-read\n`);

// A Codex that is told its provider by arguments, as it would be by a config.toml that it may not load.
function wrapper(home, cloud, { lacks } = {}) {
  const path = join(home, 'bin/codex');
  const settings = ['model="fake-large"', 'model_provider="fake"', 'model_providers.fake.name="fake"',
    `model_providers.fake.base_url="${cloud.url}/v1"`, 'model_providers.fake.env_key="FAKE_API_KEY"',
    'model_providers.fake.wire_api="responses"'].map(setting => `-c '${setting}'`).join(' ');
  const refusal = lacks ? `[ "$1" = ${lacks} ] && { echo "unrecognized subcommand '$1'" >&2; exit 2; }\n` : '';
  write(path, `#!/bin/sh\n${refusal}case "$1" in app-server) exec ${cli.program(home)} "$@" ${settings};; esac\n` +
    `exec ${cli.program(home)} "$@"\n`, 0o755);
  return path;
}

async function start(t, prepare = () => ({})) {
  const cloud = await cli.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['codex'],
    env: home => ({ ...cli.setUp(home, cloud, 'codex'), ...prepare(home, cloud) }),
  });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd, { recursive: true });
  return { cloud, bridge, cwd, home: join(bridge.directory, 'home'), last: () => cloud.requests.at(-1) };
}

const whole = request => JSON.stringify(request.body);

// Everything that Codex reads of a user's, and of a project's, with a word in each.
function plantCanaries(home, cwd) {
  const ran = join(home, 'ran');
  const server = word => `[mcp_servers.${word}]\ncommand = "/bin/sh"\nargs = ["-c", "echo ${word}-mcp >> ${ran}"]\n`;
  const hooks = word => JSON.stringify({ hooks: { SessionStart: [{ hooks: [{ type: 'command', command: `echo ${word}-hook >> ${ran}` }] }] } });
  const config = join(home, '.codex/config.toml');
  write(config, `developer_instructions = "canary-user-rules"\n${readFileSync(config, 'utf8')}\n${server('canary-user')}`);
  write(join(home, '.codex/AGENTS.md'), 'canary-user-agents');
  write(join(home, '.codex/hooks.json'), hooks('canary-user'));
  skill(join(home, '.codex/skills'), 'warbler', 'canary-user-skill');
  skill(join(home, '.agents/skills'), 'finch', 'canary-home-skill');
  write(join(cwd, 'AGENTS.md'), 'canary-project-agents');
  write(join(cwd, '.codex/config.toml'), server('canary-project'));
  skill(join(cwd, '.codex/skills'), 'wren', 'canary-project-skill');
  skill(join(cwd, '.agents/skills'), 'robin', 'canary-agents-skill');
  return ran;
}

const canariesIn = text => [...new Set(text.match(/canary-[a-z-]*[a-z]/g) ?? [])].sort();

test('codex: told to load nothing, it loads nothing but its login and its conversations', async t => {
  let ran;
  const { bridge, cwd, home, last } = await start(t, (home, cloud) => {
    ran = plantCanaries(home, join(dirname(home), 'project'));
    write(join(home, '.codex/auth.json'), JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-of-the-user' }));
    return { CODEX_LOADS: 'nothing', CODEX_BIN: wrapper(home, cloud) };
  });
  const session = { session_id: 'bare', cwd };

  await t.test('none of the canaries sings', async () => {
    await bridge.answers('codex', 'one $warbler $finch $wren $robin', session);
    assert.deepEqual(canariesIn(whole(last())), []);
    assert.equal(existsSync(ran), false, 'no server and no hook was run');
  });

  await t.test('its conversations are where they always are, and are resumed', async () => {
    await bridge.kill('codex').then(old => bridge.isReplaced('codex', old));
    const answer = await bridge.answers('codex', 'two', session);
    assert.match(answer.content, /^turn 2: you said "two"/);
    assert.deepEqual(canariesIn(whole(last())), []);
  });

  await t.test('its login is the user\'s own file, by a link', () => {
    const [own] = readdirSync(bridge.dataDirectory, { recursive: true }).filter(path => path.endsWith('codex-home/auth.json'));
    assert.equal(realpathSync(join(bridge.dataDirectory, own)), realpathSync(join(home, '.codex/auth.json')));
  });
});

test('codex: told nothing, it loads what it would for its user, and changes none of it', async t => {
  let ran, before;
  const { bridge, cwd, home, last } = await start(t, home => {
    ran = plantCanaries(home, join(dirname(home), 'project'));
    before = readFileSync(join(home, '.codex/config.toml'), 'utf8');
    return {};
  });

  await t.test('all the canaries sing', async () => {
    await bridge.answers('codex', 'one', { cwd });
    const heard = canariesIn(whole(last()));
    for (const word of ['user-agents', 'user-rules', 'user-skill-listed', 'home-skill-listed', 'project-agents', 'project-skill-listed'])
      assert.ok(heard.includes(`canary-${word}`), `${word} in ${heard}`);
    await waitFor('the servers were run', () => existsSync(ran) && /canary-user-mcp/.test(readFileSync(ran, 'utf8')));
  });

  await t.test('the system prompt comes behind the user\'s own instructions, not in their place', async () => {
    await bridge.answers('codex', [{ role: 'system', content: 'rules-of-the-caller' }, { role: 'user', content: 'hi' }], { cwd });
    assert.match(whole(last()), /canary-user-rules\\n\\nrules-of-the-caller/);
  });

  await t.test('its settings are as they were: no directory has become trusted', () =>
    assert.equal(readFileSync(join(home, '.codex/config.toml'), 'utf8'), before));
});

test('codex: what a caller says is not taken for more', async t => {
  const { cloud, bridge, cwd, last } = await start(t, home => {
    skill(join(home, '.codex/skills'), 'warbler', 'canary-skill');
    return {};
  });
  const session = { session_id: 'inert', cwd };

  await t.test('the name of a skill is text', async () => {
    for (const text of ['$warbler sing', 'a price of $5 and $warbler', '[$x](skill://warbler)']) {
      await bridge.answers('codex', text, session);
      assert.equal(last().said.at(-1), text);
      assert.doesNotMatch(whole(last()), /canary-skill-read/);
    }
    assert.equal(cloud.requests.length, 3, 'each is one request');
  });

  await t.test('also in a long one, of which no byte is lost', async () => {
    const text = `${'lorem ipsum '.repeat(75_000)}$warbler and $HOME`;
    await bridge.answers('codex', text, session);
    const said = last().body.input.at(-1).content.map(part => part.text).join('');
    assert.ok(said === text, `${said.length} characters of ${text.length}`);
    assert.doesNotMatch(whole(last()), /canary-skill-read/);
  });

  await t.test('one that is longer than it takes is refused, not cut', () =>
    bridge.refuses(413, 'request_too_large', 'codex', 'lorem ipsum '.repeat(100_000), session));
});

test('codex: what became of a turn is what the next one knows', async t => {
  const { cloud, bridge, cwd, last } = await start(t);
  const session = { session_id: 'past', cwd };

  async function resumes() {
    await bridge.kill('codex').then(old => bridge.isReplaced('codex', old));
  }

  await t.test('a turn that was given up is not resumed', async () => {
    await bridge.answers('codex', 'one', session);
    cloud.next({ chunks: Array(500).fill('word '), delayMs: 20 });
    const client = bridge.streams('codex', 'never mind this', session);
    await client.hears(/word/);
    client.leaves();
    await isGone(() => cloud.openStreams ? ['a stream'] : [], { within: 500, since: client.leftAt });
    await resumes();
    const answer = await bridge.answers('codex', 'two', session);
    assert.equal(answer.content, 'turn 2: you said "two"; before: ["one"]');
    assert.doesNotMatch(whole(last()), /never mind this|turn_aborted/);
  });

  await t.test('another system prompt counts when it is resumed', async () => {
    await resumes();
    await bridge.answers('codex', [{ role: 'system', content: 'the-new-rules' }, { role: 'user', content: 'three' }], session);
    assert.match(whole(last()), /the-new-rules/);
  });

  await t.test('one that is stopped before it began is stopped', async () => {
    for (let n = 0; n < 5; n++) {
      cloud.next({ hang: true });
      const client = bridge.streams('codex', `stop ${n}`, session);
      await new Promise(done => setTimeout(done, 15 * n));
      client.leaves();
      await isGone(async () => (await bridge.get('/health')).json.backends.filter(row => row.running), { within: 500, since: client.leftAt });
      cloud.reset();
    }
    assert.match((await bridge.answers('codex', 'four', session)).content, /you said "four"/);
  });

  await t.test('its usage is the turn\'s, of all its requests', async () => {
    const usage = { input_tokens: 100, output_tokens: 10, total_tokens: 110 };
    cloud.next({ toolUse: cli.shell('true'), usage }, { usage });
    const { json } = await bridge.answers('codex', 'five', session);
    assert.deepEqual([json.usage.prompt_tokens, json.usage.completion_tokens, json.usage.total_tokens], [200, 20, 220]);
  });
});

test('codex: a model may name its provider', async t => {
  const { bridge, cwd, last } = await start(t, (home, cloud) => {
    const config = join(home, '.codex/config.toml');
    write(config, `${readFileSync(config, 'utf8')}\n[model_providers.other]\nname = "other"\nbase_url = "${cloud.url}/other/v1"\nenv_key = "FAKE_API_KEY"\nwire_api = "responses"\n`);
    return {};
  });

  await t.test('the default', async () => {
    await bridge.answers('codex/default', 'hi', { cwd });
    assert.equal(last().model, 'fake-large');
  });

  await t.test('the default provider by its name', async () => {
    await bridge.answers('codex/fake/fake-small', 'hi', { cwd });
    assert.equal(last().model, 'fake-small');
  });

  await t.test('a name with a slash that is no provider\'s is a model\'s', async () => {
    await bridge.answers('codex/acme/large', 'hi', { cwd });
    assert.equal(last().model, 'acme/large');
  });

  await t.test('a conversation stays with its provider', async () => {
    await bridge.answers('codex', 'hi', { cwd, session_id: 'p' });
    await bridge.refuses(400, 'unsupported_parameter', 'codex/other/x', 'hi', { cwd, session_id: 'p' });
  });
});

test('codex: its sandbox is the one that was chosen, and it never asks', async t => {
  for (const [mode, writes] of [['danger-full-access', true], ['read-only', false]])
    await t.test(mode, async t => {
      const { cloud, bridge, cwd, last } = await start(t, () => ({ CODEX_PERMISSION_MODE: mode }));
      cloud.next({ toolUse: cli.shell('echo x > made') });
      await bridge.answers('codex', 'go', { cwd });
      assert.equal(existsSync(join(cwd, 'made')), writes, whole(last()).slice(-2000));
    });
});

test('codex: one without an app-server is talked with by codex exec', async t => {
  const { cloud, bridge, cwd, last } = await start(t, (home, cloud) => ({ CODEX_BIN: wrapper(home, cloud, { lacks: 'app-server' }) }));
  const session = { session_id: 'old', cwd };

  await t.test('a session of turns', async () => {
    const first = await bridge.answers('codex', 'one', session);
    assert.equal(first.content, 'turn 1: you said "one"; before: []');
    const second = await bridge.answers('codex', says('one', first.content, 'two'), session);
    assert.match(second.content, /you said "two"; before: \["one"\]/);
    assert.ok(second.json.usage.total_tokens < 40, JSON.stringify(second.json.usage));
    cloud.next({ tokens: { prompt: 900, cached: 8 } });
    const { how, fresh, rebilled } = (await bridge.answers('codex', 'three', session)).json.bridge.cache;
    assert.deepEqual({ how, fresh, rebilled }, { how: 'resumed', fresh: 892, rebilled: false });
  });

  await t.test('its tools, and a model', async () => {
    cloud.next({ toolUse: cli.shell('echo from-the-tool') });
    const client = await bridge.streams('codex', 'run it', { cwd }).finishes();
    assert.match(client.text, /from-the-tool/);
    assert.ok(client.tools.some(tool => /echo from-the-tool/.test(JSON.stringify(tool.arguments))));
    await bridge.answers('codex/fake-small', 'hi', { cwd });
    assert.equal(last().model, 'fake-small');
  });

  await t.test('a system prompt and a history', async () => {
    await bridge.answers('codex', [{ role: 'system', content: 'the-rules' }, ...says('my dog is Rex', 'fine', 'its name?')], { cwd });
    for (const text of ['the-rules', 'my dog is Rex', 'fine', 'its name?'])
      assert.ok(whole(last()).includes(text), text);
  });

  await t.test('errors are typed', async () => {
    cloud.reset().always({ status: 401 });
    await bridge.refuses(401, 'harness_login_required', 'codex', 'hi', { cwd });
    cloud.reset().always({ status: 400, error: 'the stars are wrong' });
    assert.match((await bridge.chat('codex', 'hi', { cwd })).json.error.message, /the stars are wrong/);
    cloud.reset();
  });

  await t.test('an image is refused', () => bridge.refuses(400, 'unsupported_parameter', 'codex',
    [{ role: 'user', content: [{ type: 'text', text: 'look' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }], { cwd }));

  await t.test('no process is left', () => isGone(() => bridge.clisOf('codex'), { within: 3000 }));
});
