// CLIs that are kept to a part of the machine by bubblewrap: <NAME>_JAIL=write and read.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

import { isGone, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { lookOf, READS_NOTHING } from './suite/attempts.mjs';
import { capabilitiesOf, whole } from './suite/harness.mjs';

const packages = resolve(import.meta.dirname, '../node_modules');
const BWRAP = execFileSync('sh', ['-c', 'command -v bwrap']).toString().trim();

function write(path, text, mode) {
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, text, { mode });
}

// A home that is not in /tmp, which every jail has for itself; projects in it and beside it.
function makeHome() {
  const root = mkdtempSync('/var/tmp/jail-');
  const at = name => join(root, name);
  write(at('home/secret'), 'secret-of-the-home');
  write(at('neighbour/secret'), 'secret-of-the-neighbour');
  mkdirSync(at('home/project'));
  mkdirSync(at('other'));
  return { root, at, home: at('home'), project: at('home/project'), other: at('other') };
}

async function startJailed(t, name, mode, env = {}) {
  const cli = clis[name === 'factory' ? 'droid' : name];
  const place = makeHome();
  const cloud = await cli.start();
  t.after(() => cloud.close());
  const NAME = name.toUpperCase();
  const bridge = await startBridge(t, {
    backends: [name],
    env: {
      ...cli.setUp(place.home, cloud, name), HOME: place.home,
      [`${NAME}_CWD`]: place.project, // where the process of a trial is of use for its turns, too
      [`${NAME}_JAIL`]: mode, [`${NAME}_JAIL_READS`]: packages, ...typeof env === 'function' ? env(place) : env,
    },
  });
  t.after(() => rmSync(place.root, { recursive: true, force: true }));
  writeFileSync(join(bridge.dataDirectory, 'secret'), 'secret-of-the-bridge');
  return { ...place, cli, cloud, bridge };
}

// What an agent might try, as a command; what it could do is in the file `did` of its working directory.
const attempt = ({ at, home, bridge }) => [
  'echo made >made',
  ...[home, at('neighbour'), at('.'), at('other'), bridge.dataDirectory, '/etc', '/usr'].map(path => `echo x >${path}/escaped`),
  ...[home, at('neighbour'), bridge.dataDirectory].map(path => `cat ${path}/secret >>did`),
  `ls ${bridge.dataDirectory} >>did`,
  `kill -0 ${bridge.daemon.pid} && echo reached >>did`,
  `echo x >/tmp/escaped-of-${bridge.daemon.pid} && echo has-tmp >>did`,
  `umount /tmp && echo unmounted >>did`,
  `mount -o remount,rw / && echo remounted >>did`,
  'true',
].join('; ').replace(/$/, ' 2>/dev/null');

function hasNotEscaped({ at, home, bridge }, ...more) {
  for (const path of [home, at('neighbour'), at('.'), bridge.dataDirectory, '/etc', '/usr', ...more])
    assert.equal(existsSync(join(path, 'escaped')), false, path);
  assert.equal(existsSync(`/tmp/escaped-of-${bridge.daemon.pid}`), false);
}

const forbidden = /secret-of-the-bridge|sessions|reached|unmounted|remounted/;

for (const name of ['claude', 'pi', 'gemini', 'codex', 'opencode', 'kimi', 'qwen', 'copilot', 'factory'])
  test(`${name} in a jail for reading sees its project and its own folders`, async t => {
    const it = await startJailed(t, name, 'read');
    await it.bridge.answers(name, 'hello', { cwd: it.project, session_id: 'one' });
    assert.equal((await it.bridge.run('restart', name)).code, 0);
    await it.bridge.isReady(name);
    it.cloud.next({ toolUse: it.cli.shell(attempt(it)) }, { text: 'so be it' });
    const answer = await it.bridge.answers(name, 'try it', { cwd: it.project, session_id: 'one' });
    assert.equal(answer.content, 'so be it');
    assert.match(JSON.stringify(it.cloud.requests.at(-1).said), /hello/, 'its records are where a new process finds them');
    const did = readFileSync(join(it.project, 'did'), 'utf8');
    assert.equal(readFileSync(join(it.project, 'made'), 'utf8'), 'made\n');
    assert.match(did, /has-tmp/);
    assert.doesNotMatch(did, forbidden);
    assert.doesNotMatch(did, /secret-of/);
    hasNotEscaped(it, it.other);
    if (!capabilitiesOf(name).includes('hosted_safe') || READS_NOTHING.includes(name))
      return;
    write(join(it.project, 'read.txt'), 'a-word-of-the-project');
    it.cloud.reset().next(...['home/project/read.txt', 'neighbour/secret'].map(path => ({ toolUse: lookOf(name, it.at(path)) }))).always({ text: 'so be it' });
    await it.bridge.answers(name, 'read it', { cwd: it.project, mode: 'hosted-safe' });
    const heard = it.cloud.requests.map(whole).join();
    assert.match(heard, /a-word-of-the-project/, 'in the mode hosted-safe it reads');
    assert.doesNotMatch(heard, /secret-of/);
  });

// A CLI whose own walls have a hole, as a new version's may: it is not told which tools it may have.
function withHole({ at, home }) {
  const program = at('bin/pi');
  write(program, `#!/bin/bash\nfor word; do\n  [[ $last != --tools && $word != --tools ]] && words+=("$word")\n  last=$word\ndone\nexec ${clis.pi.program(home)} "\${words[@]}"\n`, 0o755);
  return { PI_BIN: program, PI_JAIL_READS: `${packages},${join(home, 'bin')}` };
}

test('what a CLI in the mode hosted-safe does not keep itself from, its jail does', async t => {
  const it = await startJailed(t, 'pi', 'off', withHole);
  const tries = async command => {
    it.cloud.reset().next({ toolUse: it.cli.shell(command) }).always({ text: 'so be it' });
    await it.bridge.answers('pi', 'try it', { cwd: it.project, mode: 'hosted-safe', session_id: 'safe' });
    return JSON.stringify(it.cloud.requests.at(-1).body.messages.at(-1));
  };
  const did = await tries(`echo begun; ${attempt(it).replaceAll(' >>did', '')}`);
  assert.match(did, /begun[^]*has-tmp/);
  assert.doesNotMatch(did, forbidden);
  assert.doesNotMatch(did, /secret-of/);
  assert.equal(existsSync(join(it.project, 'made')), false);
  hasNotEscaped(it, it.project, it.other);

  writeFileSync(join(it.bridge.directory, '.env'), 'BRIDGE_SAFE_JAIL=off\n', { mode: 0o600 });
  it.bridge.daemon.kill('SIGHUP');
  await waitFor('it has changed', () => /pi: its settings have changed/.test(it.bridge.log));
  assert.match(await tries(`echo made >made; cat ${it.at('neighbour')}/secret`), /secret-of-the-neighbour/);
  assert.equal(existsSync(join(it.project, 'made')), true, 'without the jail it is seen');
});


for (const name of ['claude', 'pi', 'gemini'])
  test(`${name} in a jail for writing reads what it likes, and writes in its project`, async t => {
    const it = await startJailed(t, name, 'write');
    it.cloud.next({ toolUse: it.cli.shell(attempt(it)) }, { text: 'so be it' });
    await it.bridge.answers(name, 'try it', { cwd: it.project });
    const did = readFileSync(join(it.project, 'did'), 'utf8');
    assert.equal(readFileSync(join(it.project, 'made'), 'utf8'), 'made\n');
    assert.match(did, /secret-of-the-home[^]*secret-of-the-neighbour/);
    assert.doesNotMatch(did, forbidden);
    hasNotEscaped(it, it.other);

    await t.test('a second directory has a process of its own', async () => {
      it.cloud.next({ toolUse: it.cli.shell(`echo x >${it.project}/escaped; echo made >made`) }, { text: 'so be it' });
      await it.bridge.answers(name, 'try it', { cwd: it.other });
      assert.equal(existsSync(join(it.other, 'made')), true);
      hasNotEscaped(it, it.project);
    });
  });

test('a jail ends with its worker, and what has left its group with its turn', async t => {
  const it = await startJailed(t, 'claude', 'write', { CLAUDE_CANCEL_MS: '50' });
  const long = 'setsid -f sleep 7777; echo >started; sleep 7777';

  await t.test('when the turn is cancelled', async () => {
    it.cloud.next({ toolUse: it.cli.shell(long) });
    const client = it.bridge.streams('claude', 'go', { cwd: it.project });
    await waitFor('it works', () => existsSync(join(it.project, 'started')));
    await waitFor('the test sees it', () => it.bridge.clisOf('claude').some(({ command }) => /^sleep 7777/.test(command)));
    client.leaves();
    await isGone(() => it.bridge.clisOf('claude').filter(({ command }) => /^sleep/.test(command)), { within: 3000 });
  });

  await t.test('when the worker is killed', async () => {
    it.cloud.next({ toolUse: it.cli.shell(long) });
    const client = it.bridge.streams('claude', 'go', { cwd: it.other });
    await waitFor('it works', () => existsSync(join(it.other, 'started')));
    const pids = it.bridge.clisOf('claude').map(({ pid }) => pid);
    assert.ok(pids.length);
    await it.bridge.kill('claude');
    await isGone(() => it.bridge.clisOf('claude').filter(({ pid }) => pids.includes(pid)), { within: 2000 });
    await client.ends();
  });
});

test('a directory that would open the jail is refused', async t => {
  const it = await startJailed(t, 'pi', 'write');
  symlinkSync(it.home, it.at('link'));
  for (const cwd of [it.home, it.at('.'), '/', it.at('link'), it.bridge.dataDirectory, join(it.bridge.dataDirectory, 'sessions'), '/proc'])
    assert.match((await it.bridge.refuses(400, 'invalid_cwd', 'pi', 'hi', { cwd })).json.error.message, /PI_JAIL keeps from the CLI/, cwd);
  symlinkSync(it.project, it.at('good'));
  it.cloud.next({ toolUse: it.cli.shell('pwd >where') }, { text: 'so be it' });
  await it.bridge.answers('pi', 'hi', { cwd: it.at('good') });
  assert.equal(readFileSync(join(it.project, 'where'), 'utf8').trim(), realpathSync(it.project));
});

// A harness that is jailed, on a machine with the bubblewrap that `install` leaves in a directory of programs.
async function startWithout(t, env, install = () => {}) {
  const programs = mkdtempSync('/var/tmp/programs-');
  t.after(() => rmSync(programs, { recursive: true, force: true }));
  install(programs);
  const bridge = await startBridge(t, { env: { PATH: programs, ECHO_JAIL: 'write', ...env }, waits: false });
  const verify = async () => JSON.parse((await bridge.run('verify', '--json', 'echo')).stdout)[0];
  return { bridge, programs, verify };
}

test('without bubblewrap nothing is run, until it is installed', async t => {
  const { bridge, programs, verify } = await startWithout(t);
  const row = await verify();
  assert.equal(row.health, 'unavailable');
  assert.match(row.detail, /^ECHO_JAIL needs bubblewrap, which is not installed: apt-get install bubblewrap/);
  await bridge.refuses(503, 'harness_not_set_up', 'echo', 'hi');
  symlinkSync(BWRAP, join(programs, 'bwrap'));
  assert.equal((await verify()).health, 'ready');
  assert.equal((await bridge.answers('echo', 'hi')).content, 'hi');
});

test('where bubblewrap can make no jail, nothing is run', async t => {
  const { bridge, verify } = await startWithout(t, {}, programs => write(join(programs, 'bwrap'),
    '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n', 0o755));
  const row = await verify();
  assert.equal(row.health, 'unavailable');
  assert.match(row.detail, /can't make the jail of ECHO_JAIL on this machine: allow user namespaces to bwrap.*: bwrap: No permissions/);
  assert.notEqual((await bridge.chat('echo', 'hi')).status, 200);
});

test('without bubblewrap the mode hosted-safe is left to the CLI, unless a jail is required', async t => {
  const safe = { mode: 'hosted-safe' };
  const left = await startWithout(t, { ECHO_JAIL: 'off' });
  const row = await left.verify();
  assert.equal(row.health, 'ready');
  assert.match(row.detail, /^hosted-safe rests on the CLI alone: ECHO_SAFE_JAIL needs bubblewrap, which is not installed/);
  assert.equal((await left.bridge.answers('echo', 'hi', safe)).content, 'hi');

  const { bridge, programs, verify } = await startWithout(t, { ECHO_JAIL: 'off', ECHO_SAFE_JAIL: 'required' });
  await verify();
  const refusal = await bridge.refuses(501, 'mode_not_supported', 'echo', 'hi', safe);
  assert.match(refusal.json.error.message, /^mode: ECHO_SAFE_JAIL wants a jail for the mode hosted-safe, and there is none: .* not installed/);
  assert.equal((await bridge.answers('echo', 'hi')).content, 'hi');
  symlinkSync(BWRAP, join(programs, 'bwrap'));
  assert.equal((await verify()).detail, null);
  assert.equal((await bridge.answers('echo', 'hi', safe)).content, 'hi');
});

test('a jail that there is not is a wrong setting', async t => {
  const { verify } = await startWithout(t, { ECHO_JAIL: 'strict' });
  const row = await verify();
  assert.equal(row.health, 'unavailable');
  assert.equal(row.detail, 'ECHO_JAIL is "strict", but must be off, write or read');
});

test('a jail that is set later is for every turn from then on', async t => {
  const it = await startJailed(t, 'pi', 'off');
  const escape = async () => {
    rmSync(join(it.home, 'escaped'), { force: true });
    it.cloud.next({ toolUse: it.cli.shell(`echo x >${it.home}/escaped`) }, { text: 'so be it' });
    await it.bridge.answers('pi', 'hi', { cwd: it.project, session_id: 's' });
    return existsSync(join(it.home, 'escaped'));
  };
  assert.equal(await escape(), true);
  writeFileSync(join(it.bridge.directory, '.env'), 'BRIDGE_JAIL=write\n', { mode: 0o600 });
  it.bridge.daemon.kill('SIGHUP');
  await waitFor('it has changed', () => /pi: its settings have changed/.test(it.bridge.log));
  assert.equal(await escape(), true, 'PI_JAIL counts first');
});

test('a jail and a container for the same CLI are refused at the start', async t => {
  const bridge = await startBridge(t, {
    backends: ['claude'], env: { CLAUDE_EXECUTOR: 'docker', CLAUDE_JAIL: 'write' }, waits: false, exit: { code: 78, signal: null },
  });
  await bridge.logs(/CLAUDE_JAIL is "write", but must be off where CLIs run in containers/);
});
