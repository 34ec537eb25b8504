// What every harness must do, done by Claude Code; claude.test.mjs has what is peculiar to it.
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

suite({
  name: 'claude', cli: clis.claude, install: /npm/, logIn: /\/login/,
  model: { id: 'claude-haiku-4-5' }, loads: ['nothing', 'project'], goesOn: 'aloud',
});
