// Real opencode; only the vendor's cloud is a stand-in, on loopback.
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

const cli = clis.opencode;

suite({
  name: 'opencode',
  cli,
  logIn: /opencode auth login/,
  install: /npm install -g opencode-ai/,
  model: { id: 'fake/fake-small', upstream: 'fake-small' },
});
