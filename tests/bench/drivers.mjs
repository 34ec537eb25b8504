// The least that drives a CLI which stays: what the bridge is held against.
//
//   const driver = drivers.acp(how);     `how` is { command, args, env, cwd, model }, as the bridge has it
//   await driver.opens();                up to an open conversation
//   const ms = await driver.turn();      from writing to the first word; resolves when the turn is over
//   driver.ends();

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { freePort } from './tools.mjs';

const PROMPT = 'say something';

// Calls `hear` with every JSON value that comes on a line of its own.  Only \n ends a line: readline knows more.
export function hearLines(stream, hear) {
  let rest = '';
  stream.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines)
      if (line.startsWith('{'))
        hear(JSON.parse(line));
  });
}

// One turn after the other.  A dialect says what a turn is asked with (ask), and calls word() and over().
class Driver {
  constructor({ command, args, env, cwd, model }) {
    Object.assign(this, { cwd, model });
    this.cli = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.cli.on('exit', code => this.fail?.(new Error(`${command} has exited with ${code}`)));
    this.cli.stdin.on('error', () => {});
  }

  say(line) { this.cli.stdin.write(`${JSON.stringify(line)}\n`); }
  word() { this.first ??= performance.now(); }
  over(problem) { problem ? this.fail(problem) : this.done(); }

  async turn() {
    this.first = undefined;
    const over = new Promise((done, fail) => Object.assign(this, { done, fail }));
    const began = performance.now();
    this.ask(PROMPT);
    await over;
    if (!this.first)
      throw new Error('a turn without a word');
    return this.first - began;
  }

  ends() {
    try {
      process.kill(-this.cli.pid, 'SIGKILL');
    } catch { /* it has gone */ }
  }
}

class Claude extends Driver {
  constructor(how) {
    const args = how.args.map((arg, i) => how.args[i - 1] === '--session-id' ? randomUUID() : arg);
    super({ ...how, args });
    hearLines(this.cli.stdout, line => this.hears(line));
  }

  hears({ type, event, is_error, result }) {
    if (type === 'control_response')
      this.greeted();
    else if (event?.delta?.type === 'text_delta')
      this.word();
    else if (type === 'result')
      this.over(is_error && new Error(result));
  }

  opens() {
    this.say({ type: 'control_request', request_id: 'greet', request: { subtype: 'initialize' } });
    return new Promise((greeted, fail) => Object.assign(this, { greeted, fail }));
  }

  ask(text) {
    this.say({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] }, uuid: randomUUID(), client_composed: true });
  }
}

// Requests and what is said unasked; `envelope` is what a dialect puts around either.
class JsonRpc extends Driver {
  #serial = 0;
  #waiting = new Map();
  envelope = { jsonrpc: '2.0' };

  constructor(how) {
    super(how);
    hearLines(this.cli.stdout, ({ id, method, params, result, error }) => {
      if (method)
        return this.hears(method, params);
      const [done, fail] = this.#waiting.get(`${id}`);
      error ? fail(new Error(error.message)) : done(result);
    });
  }

  request(method, params) {
    const id = `${++this.#serial}`;
    this.say({ ...this.envelope, id, method, params });
    return new Promise((...ends) => { this.#waiting.set(id, ends); [, this.fail] = ends; });
  }

  // The turn ends with the answer of this request, or, if `isOver` is false, at most fails with it.
  asks(method, params, isOver) {
    const { done, fail } = this;
    this.request(method, params).then(() => isOver && done(), fail);
    this.fail = fail;
  }
}

class Codex extends JsonRpc {
  async opens() {
    await this.request('initialize', { clientInfo: { name: 'bench', version: '0' } });
    this.say({ method: 'initialized' });
    const { thread } = await this.request('thread/start', { cwd: this.cwd, approvalPolicy: 'never' });
    this.thread = thread.id;
  }

  ask(text) { this.asks('turn/start', { threadId: this.thread, input: [{ type: 'text', text, text_elements: [] }] }); }

  hears(method, { turn }) {
    if (method === 'item/agentMessage/delta')
      this.word();
    else if (method === 'turn/completed')
      this.over(turn.error && new Error(turn.error.message));
  }
}

class Acp extends JsonRpc {
  async opens() {
    await this.request('initialize', { protocolVersion: 1, clientCapabilities: {}, clientInfo: { name: 'bench', version: '0' } });
    this.session = (await this.request('session/new', { cwd: this.cwd, mcpServers: [] })).sessionId;
    if (this.model)
      await this.request('session/set_model', { sessionId: this.session, modelId: this.model });
  }

  ask(text) { this.asks('session/prompt', { sessionId: this.session, prompt: [{ type: 'text', text }] }, true); }

  hears(method, { update }) {
    if (update?.sessionUpdate === 'agent_message_chunk')
      this.word();
  }
}

class Droid extends JsonRpc {
  envelope = { jsonrpc: '2.0', factoryApiVersion: '1.0.0', type: 'request' };

  opens() { return this.request('droid.initialize_session', { machineId: 'bench', cwd: this.cwd }); }
  ask(text) { this.asks('droid.add_user_message', { text }); }

  hears(method, { notification }) {
    if (notification?.type === 'assistant_text_delta')
      this.word();
    else if (notification?.type === 'agent_turn_completed')
      this.over(notification.reason !== 'completed' && new Error(notification.reason));
  }
}

class Pi extends Driver {
  constructor(how) {
    super(how);
    hearLines(this.cli.stdout, line => this.hears(line));
  }

  opens() {
    this.say({ id: 'greet', type: 'get_state' });
    return new Promise((greeted, fail) => Object.assign(this, { greeted, fail }));
  }

  ask(message) { this.say({ id: 'turn', type: 'prompt', message }); }

  hears({ type, command, assistantMessageEvent }) {
    if (command === 'get_state')
      this.greeted();
    else if (assistantMessageEvent?.type === 'text_delta')
      this.word();
    else if (type === 'agent_settled')
      this.over();
  }
}

// A server: the process is only started, and the rest is HTTP.
class Opencode extends Driver {
  static async starts(how) {
    const port = `${await freePort()}`;
    const args = how.args.map((arg, i) => how.args[i - 1] === '--port' ? port : arg.replace(/^--port=.*/, `--port=${port}`));
    return new Opencode({ ...how, args }, port);
  }

  constructor(how, port) {
    super(how);
    const { OPENCODE_SERVER_USERNAME: user = 'opencode', OPENCODE_SERVER_PASSWORD: password = '' } = how.env;
    this.options = { host: '127.0.0.1', port, auth: `${user}:${password}`, agent: new http.Agent({ keepAlive: true }) };
  }

  post(path, body) {
    return new Promise((done, fail) => {
      http.request({ ...this.options, path, method: 'POST', headers: { 'content-type': 'application/json' } }, async response => {
        let text = '';
        for await (const piece of response.setEncoding('utf8'))
          text += piece;
        response.statusCode < 300 ? done(text && JSON.parse(text)) : fail(new Error(text));
      }).on('error', fail).end(JSON.stringify(body));
    });
  }

  async opens() {
    let said = '';
    for await (const text of this.cli.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false }))
      if ((said += text).includes('listening on'))
        break;
    this.cli.stdout.resume();
    this.session = (await this.post('/session', { title: 'bench' })).id;
    await new Promise(done => http.get({ ...this.options, path: '/event' }, response => {
      let rest = '';
      response.setEncoding('utf8').on('data', text => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        lines.filter(line => line.startsWith('data: ')).forEach(line => this.hears(JSON.parse(line.slice(6))));
      });
      done();
    }));
  }

  ask(text) {
    const { fail } = this;
    this.post(`/session/${this.session}/prompt_async`, { parts: [{ type: 'text', text }] }).catch(fail);
  }

  hears({ type, properties }) {
    if (properties?.sessionID !== this.session)
      return;
    if (type === 'message.part.delta' && properties.field === 'text')
      this.word();
    else if (type === 'session.error')
      this.over(new Error(JSON.stringify(properties.error)));
    else if (type === 'session.idle')
      this.over();
  }
}

export const drivers = {
  claude: how => new Claude(how), codex: how => new Codex(how), acp: how => new Acp(how), droid: how => new Droid(how),
  pi: how => new Pi(how), opencode: how => Opencode.starts(how),
};
