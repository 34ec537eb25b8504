// An agent of the operator's own keeps its conversations as those do that are known by name: here it is a real one,
// Copilot's, of which the bridge knows nothing but its command.  acp.test.mjs has one that does wrong.
import { clis } from './clis.mjs';
import { backgroundChecks } from './suite/background.mjs';
import { harnessOf } from './suite/harness.mjs';
import { recordsChecks } from './suite/records.mjs';
import { requestChecks } from './suite/requests.mjs';
import { termsChecks } from './suite/terms.mjs';

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
