// Limits for everything that a test waits for: what never comes fails one test, by its name, and not the whole run.
import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';

// How long anything may take on a busy machine before it counts as not happening.
export const PATIENCE = 120_000;

const TEST_MS = 900_000;        // for a test with all its subtests
const AFTER_MS = 2 * PATIENCE;  // for what it does when it is over

// Waits for a promise, but not for ever: `what` is what is said to have been missing.
export function comes(what, promise, within = PATIENCE) {
  let timer;
  const limit = new Promise((_, failed) => {
    timer = setTimeout(() => failed(new assert.AssertionError({ message: `not within ${within} ms: ${what}` })), within);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

// A test context whose after() has a limit, which node's own has not even if the test has one.
function limited(t) {
  const { after, test: subtest } = t;
  t.after = (run, options = {}) => after.call(t, run, { timeout: AFTER_MS, ...options });
  t.test = (...words) => subtest.call(t, ...withLimits(words, {}));
  return t;
}

// test() may be called with a name, options and a function; subtests inherit the limit of their test.
function withLimits(words, limits) {
  const run = words.at(-1);
  const name = words[0], options = words.length > 2 ? words[1] : {};
  return [name, { ...limits, ...options }, run.length > 0 ? t => run(limited(t)) : () => run()];
}

// CLIs run in containers: then only what every harness must do there is tested, and not what is peculiar to one.
export const IN_CONTAINERS = process.env.BRIDGE_TEST_EXECUTOR === 'docker';

let suites = 0; // that register their tests

export function registersSuite(register) {
  suites++;
  try {
    register();
  } finally {
    suites--;
  }
}

// node's test(), but each test has an end.
export const test = (...words) => {
  if (!IN_CONTAINERS || suites > 0)
    nodeTest(...withLimits(words, { timeout: TEST_MS }));
};
